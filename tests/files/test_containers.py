import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.files.containers import contained
from barograph.files.packed import TornError
from recorded_forms import CONTAINERS, exchange, invented, table

OBJECTS = [exchange(quote) for quote in invented(30)]


def read(content, size=1 << 19, **more):
    chunks = (content[place : place + size] for place in range(0, len(content), size))
    container = contained(chunks, **more)
    return container, b"".join(container.chunks)


@pytest.mark.parametrize("name", CONTAINERS)
@pytest.mark.parametrize("size", [5, 1 << 19])
def test_each_container_gives_the_same_objects(name, size):
    container, lines = read(CONTAINERS[name](OBJECTS), size)
    objects = [json.loads(line) for line in lines.splitlines() if line.strip()]
    as_texts = [{key: str(value) for key, value in each.items()} for each in OBJECTS]
    assert objects in (OBJECTS, as_texts)
    assert container.is_lines is (name in {"lines", "crlf", "bom", "utf-16"})


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b'{"a":1}\n', "lines"),
        (b"[1,2]\n[3]\n", "lines"),
        (b'[ {"a":1}]', "JSON array"),
        (b'{\n "a": 1\n}\n', "JSON objects"),
        (b'{\n{"a":1}\n', "lines"),
        (b"a,b,c\n1,2,3\n", "table (CSV)"),
        (b"a|b|c\n", "table (cells between |)"),
        (b"a\tb\tc\n", "table (tab-separated)"),
        (b"", "lines"),
    ],
)
def test_a_container_is_told_by_how_the_file_begins(content, name):
    assert read(content)[0].name == name


def test_a_table_may_be_given_its_columns():
    rows = table(OBJECTS).partition(b"\n")[2]
    _, lines = read(rows, columns=tuple(OBJECTS[0]), delimiter=",")
    assert json.loads(lines.splitlines()[0])["product_id"] == "ABC-USD"


@pytest.mark.parametrize("magic", [b"ARROW1\0\0", b"SQLite format 3\0", b"Obj\x01", b"\x89HDF\r\n"])
def test_a_database_or_table_that_is_not_read_is_named(magic):
    with pytest.raises(TornError, match="which is not read"):
        read(magic + bytes(90))


def test_half_a_wide_character_is_torn():
    with pytest.raises(TornError, match="utf-16"):
        read("{}".encode("utf-16") + b"\x00")


@given(st.binary(max_size=80), st.integers(1, 9))
def test_any_bytes_are_contained_or_torn(content, size):
    for each in (content, b"[{" + content, b"a,b,c\n" + content, b"\xff\xfe" + content):
        with suppress(TornError):
            assert isinstance(read(each, size)[1], bytes)
