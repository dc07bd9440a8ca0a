"""The files of an archive as they lie there."""

import gzip
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive_contents import archive_end, read_archive
from barograph.archive.files import Place, archive_files
from barograph.errors import BadInputError
from barograph.types import DeadLetter, Fault
from barograph.venues.entries import Closing, Heard
from small_archive import datas, write


def test_reading_can_begin_after_a_place(tmp_path):
    place = write(tmp_path, b"{}")
    write(tmp_path, b"[1]", b"[2]")
    assert datas(tmp_path, place)[0] == [b"[1]", b"[2]"]


def test_an_archive_that_is_not_there_is_empty(tmp_path):
    assert list(read_archive(tmp_path / "none")) == []
    assert archive_end(tmp_path / "none") == Place()


@settings(max_examples=60)
@given(st.data())
def test_a_torn_file_gives_its_whole_lines_and_one_letter_for_the_rest(tmp_path_factory, drawn):
    directory = tmp_path_factory.mktemp("archive")
    frames = [b'{"n":%d}' % number for number in range(50)]
    first = write(directory, *frames)
    path = directory / f"{first.file:06d}.ndjson.gz"
    whole = path.read_bytes()
    kept = drawn.draw(st.integers(1, len(whole) - 1))
    path.write_bytes(whole[:kept])
    read, letters = datas(directory)
    assert read == frames[: len(read)]
    assert [letter.fault for letter in letters] == [Fault.TRUNCATED]
    inflated = zlib.decompressobj(31).decompress(whole[:kept])
    assert len(read) >= inflated.count(b"\n") - 1


def test_a_damaged_line_is_a_letter_and_the_others_are_read(tmp_path):
    write(tmp_path, b"{}")
    with (tmp_path / "000001.ndjson.gz").open("ab") as file:
        file.write(gzip.compress(b'garbage\n{"connection":"c"}\n'))
    entries = list(read_archive(tmp_path))
    assert [type(entry) for entry in entries] == [Heard, DeadLetter, Closing]
    assert (entries[1].source, entries[1].position) == ("000001.ndjson.gz", "2")


def test_a_manifest_that_is_none_is_an_error_that_names_it(tmp_path):
    (tmp_path / "000001.manifest.json").write_bytes(b"{")
    with pytest.raises(BadInputError, match=r"000001\.manifest\.json.*no manifest"):
        archive_files(tmp_path)
