import gzip
import io
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.files.lines import (
    BadLine,
    Lines,
    TornError,
    Unended,
    chunks_of,
    lines_in,
    lines_of,
    packed,
    runs_in,
)
from barograph.types import Fault

contents = st.lists(st.binary(max_size=40).filter(lambda line: b"\r" not in line)).map(
    lambda lines: b"".join(line.replace(b"\n", b"") + b"\n" for line in lines)
)


def read(data, max_bytes=1000):
    return list(lines_of(io.BytesIO(data), max_bytes))


@given(st.lists(contents))
def test_packed_members_are_the_lines_that_went_in_for_us_and_for_any_gzip(parts):
    whole = b"".join(packed(part) for part in parts)
    assert (gzip.decompress(whole) if whole else b"") == b"".join(parts)
    lines = b"".join(parts).split(b"\n")[:-1]
    assert read(whole) == list(enumerate(lines, 1))


@given(contents, st.data())
def test_a_torn_stream_gives_its_whole_lines_and_says_so(content, drawn):
    whole = packed(content)
    kept = drawn.draw(st.integers(1, len(whole) - 1))
    *lines, (_, bad) = read(whole[:kept])
    assert isinstance(bad, BadLine)
    assert bad.fault is Fault.TRUNCATED
    known = zlib.decompressobj(31).decompress(whole[:kept]).split(b"\n")[:-1]
    assert [line for _, line in lines] == content.split(b"\n")[: len(lines)]
    assert len(lines) >= len(known) - 1


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_line_over_the_bound_is_reported_with_its_length_and_beginning(end):
    (_, first), (number, bad) = read(b"short\n" + b"x" * 5000 + end, max_bytes=2000)
    assert (first, number) == (b"short", 2)
    assert (bad.fault, bad.original) == (Fault.TOO_LONG, b"x" * 1024)
    assert "5000 bytes" in bad.detail


def test_plain_lines_may_end_as_windows_ends_them():
    assert read(b"a\r\nb\n") == [(1, b"a"), (2, b"b")]


def test_chunks_of_a_damaged_stream_end_in_an_error():
    with pytest.raises(TornError, match=r"damaged|early"):
        list(chunks_of(io.BytesIO(packed(b"abc\n")[:-8] + bytes(8))))


def test_a_bad_line_is_a_letter_of_its_file_and_line():
    letter = BadLine(Fault.TRUNCATED, "why", b"rest").letter("000001.ndjson.gz", 7)
    assert (letter.identity, letter.detail, letter.original) == (
        "000001.ndjson.gz@7", "why", b"rest"
    )  # fmt: skip


@given(st.lists(st.binary(max_size=12)), st.integers(1, 9))
def test_lines_are_the_same_wherever_chunks_end(chunks, max_bytes):
    whole = b"".join(chunks)
    *ended, rest = whole.split(b"\n")
    expected = [(line, True) for line in ended] + [(rest, False)] * bool(rest)
    for (number, line), (original, is_ended) in zip(
        lines_in(chunks, max_bytes, 3), expected, strict=True
    ):
        assert original == expected[number - 4][0]
        if len(original) > max_bytes:
            assert line == BadLine(Fault.TOO_LONG, line.detail, original[:1024], is_ended)
        else:
            assert line == (original.removesuffix(b"\r") if is_ended else original)
            assert type(line) is (bytes if is_ended else Unended)


@given(st.lists(st.binary(max_size=12)), st.data())
def test_lines_come_one_by_one_or_together_and_again_after_going_back(chunks, drawn):
    expected = list(lines_in(chunks, 9))
    lines, got = Lines(runs_in(chunks, 9)), []
    while True:
        if drawn.draw(st.booleans()):
            got += [each for each in [next(lines, None)] if each is not None]
            continue
        number, some = lines.some(drawn.draw(st.integers(1, 5)))
        if not some:
            break
        back = drawn.draw(st.integers(0, len(some) - 1))
        lines.back(back)
        got += enumerate(some[: len(some) - back], number)
    assert got == expected
    assert list(lines) == []
