"""The archive's book says whose its files are."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.archive.book import (
    Book,
    OwnerLog,
    address_in,
    keep_book,
    next_number,
    owners,
    read_book,
)
from barograph.errors import BadInputError
from small_archive import write


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 3))))
def test_each_file_is_the_logs_that_it_was_begun_for(drawn):
    book, begun, number = Book(archive="x"), {}, 0
    for log, ahead in drawn:
        number += ahead
        book.begin(number, log)
        begun[number] = log
    assert {n: book.owner(n) for n in begun} == begun
    assert book.last() == number
    assert book.owner(number + 1) is None


def test_a_book_comes_back_as_it_was_kept(tmp_path):
    book = Book(archive="x", logs={"a": OwnerLog("log.sqlite", "r")})
    book.begin(1, "a")
    keep_book(tmp_path, book)
    assert read_book(tmp_path) == book
    assert read_book(tmp_path / "none") is None


def test_a_book_of_a_newer_version_is_refused_and_one_of_an_older_is_read(tmp_path):
    keep_book(tmp_path, Book(archive="x"))
    path = tmp_path / "book.json"
    assert '"form": 1' in path.read_text()
    path.write_text('{"archive": "x", "logs": {}, "files": []}')
    assert read_book(tmp_path) == Book(archive="x")
    path.write_text('{"form": 2, "archive": {"id": "x"}}')
    with pytest.raises(BadInputError, match=r"a newer Barograph wrote this archive .*Update"):
        read_book(tmp_path)


def test_a_damaged_book_is_an_error_and_its_cure_works(tmp_path):
    (tmp_path / "book.json").write_bytes(b"{")
    with pytest.raises(BadInputError, match=r"book\.json.*or remove it"):
        read_book(tmp_path)
    (tmp_path / "book.json").unlink()
    assert read_book(tmp_path) is None


def test_a_log_in_home_is_known_by_its_place_there(tmp_path):
    archive = tmp_path / "archive"
    assert address_in(archive, f"sqlite:///{tmp_path}/log.sqlite") == "log.sqlite"
    assert address_in(archive, "sqlite:////elsewhere/log") == "/elsewhere/log"
    assert address_in(archive, "kafka://a:1/n?replication=3") == "kafka://a:1/n"


def test_no_number_is_given_twice(tmp_path):
    write(tmp_path, b"{}")
    book = Book(archive="x")
    assert next_number(tmp_path, book, 0) == 2
    assert next_number(tmp_path, book, 7) == 8
    book.begin(9, "a")
    assert next_number(tmp_path, book, 7) == 10
    assert owners(tmp_path) == {1: ""}


def test_a_book_follows_an_earlier_copy_of_itself_and_nothing_else():
    book = Book(archive="a", logs={"x": OwnerLog("log.sqlite")})
    book.begin(1, "x")
    earlier = msgspec.json.decode(msgspec.json.encode(book), type=Book)
    assert book.follows(earlier)
    book.logs["y"] = OwnerLog("other.sqlite")
    book.begin(2, "x")
    book.begin(3, "y")
    assert (book.follows(earlier), earlier.follows(book)) == (True, False)
    earlier.begin(2, "z")
    assert not book.follows(earlier)
    assert not book.follows(Book(archive="b"))
