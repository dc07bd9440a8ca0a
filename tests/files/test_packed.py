import bz2
import io
import lzma
import random
import zipfile
from contextlib import suppress
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.files import lines, packed
from barograph.files.packed import Rest, TornError, copy_to, kind_of
from recorded_forms import PACKINGS, zipped

chunks_of = partial(lines.chunks_of, any_packing=True)
CONTENT = b"".join(b'{"n":%d}\n' % random.Random(n).getrandbits(60) for n in range(4000))


class Slowly(io.BytesIO):
    """A stream that gives a few bytes at a time."""

    def read(self, most=-1, /):
        return super().read(min(most, 7))


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("stream", [io.BytesIO, Slowly])
def test_what_a_stream_is_packed_with_is_told_by_its_content(packing, stream):
    content = CONTENT[:2000] if stream is Slowly else CONTENT
    assert b"".join(chunks_of(stream(PACKINGS[packing](content)))) == content


def test_zstd_is_read_over_all_its_frames():
    zstandard = pytest.importorskip("zstandard", reason="installed by `make install`")
    frames = [zstandard.compress(CONTENT[:500]), zstandard.compress(CONTENT[500:])]
    assert b"".join(chunks_of(io.BytesIO(b"".join(frames)))) == CONTENT
    with pytest.raises(TornError, match="zstd"):
        list(chunks_of(io.BytesIO(frames[0][:6] + b"\xff" * 20)))


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress, zipped])
@given(drawn=st.data())
def test_a_damaged_or_cut_stream_ends_as_torn(pack, drawn):
    whole = pack(CONTENT[:500])
    kept = drawn.draw(st.integers(6, len(whole) - 1))
    place = drawn.draw(st.integers(6, len(whole) - 1))
    for bad in (whole[:kept], whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :]):
        read = b""
        with suppress(TornError):
            for chunk in chunks_of(io.BytesIO(bad)):
                read += chunk
        assert CONTENT.startswith(read) or bad is not whole[:kept]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (zipped(b"a", b"b"), "holds 2 files"),
        (b"PK\x05\x06" + bytes(18), "empty zip"),
        (b"\x1f\x9d\x90" + bytes(9), r"compress \(\.Z\)"),
        (b"\x04\x22\x4d\x18" + bytes(9), "lz4"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(9), "7-zip"),
    ],
)
def test_what_cannot_be_unpacked_says_what_it_is(content, says):
    with pytest.raises(TornError, match=says):
        list(chunks_of(io.BytesIO(content)))


def test_a_zip_with_a_password_is_torn():
    content = bytearray(zipped(b"secret" * 9))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(TornError, match="zip"):
        list(chunks_of(io.BytesIO(bytes(content))))


def test_a_zip_of_one_file_may_have_folders():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("day/", b"")
        archive.writestr("__MACOSX/._x", b"0")
        archive.writestr("day/x.ndjson", CONTENT)
    assert b"".join(chunks_of(io.BytesIO(file.getvalue()))) == CONTENT


def test_xz_and_zstd_keep_no_more_than_their_bound(monkeypatch):
    monkeypatch.setattr(packed, "MAX_WINDOW_BYTES", 1 << 16)
    with pytest.raises(TornError, match="xz"):
        list(chunks_of(io.BytesIO(lzma.compress(CONTENT))))


def test_a_rest_begins_with_what_was_read():
    rest = Rest(b"abc", io.BytesIO(b"def"))
    assert [rest.read(2), rest.read(2), rest.read(9), rest.read(9)] == [b"ab", b"c", b"def", b""]
    assert Rest(b"x", io.BytesIO(b"y")).read() == b"x"
    copy = io.BytesIO()
    copy_to(io.BytesIO(CONTENT), copy)
    assert copy.read() == CONTENT


@given(st.binary(max_size=12))
def test_any_beginning_is_packed_or_not(first):
    kind_of(first)


def test_only_recordings_are_unpacked_of_more_than_gzip():
    content = bz2.compress(CONTENT)
    assert b"".join(lines.chunks_of(io.BytesIO(content))) == content
