"""Compressed streams, told by their first bytes and never by a name; read in bounded memory.

gzip is at home in `lines`. bz2 and xz come with Python, zstd by `zstandard`, and a zip archive of
one file is copied to a temporary file first, since its directory stands at its end.
"""

import bz2
import lzma
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Protocol

from barograph.files.disk import declared

MAX_WINDOW_BYTES = 1 << 27
"""What unpacking xz or zstd may keep: their largest settings of today need no more."""

_BZ2, _XZ, _ZSTD, _ZIP = b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
_FOREIGN = {
    b"\x1f\x9d": "compress (.Z)",
    b"\x04\x22\x4d\x18": "lz4",
    b"7z\xbc\xaf\x27\x1c": "7-zip",
    b"Rar!": "rar",
    b"PK\x05\x06": "an empty zip archive",
}
_COPIED_BYTES = 1 << 20
MAGIC_BYTES = 6
"""How many bytes `kind_of` needs to see."""


class Readable(Protocol):
    """A source of bytes; it returns none at its end."""

    def read(self, most: int, /) -> bytes:
        """Return the next bytes; fewer than `most` do not mean the end."""


class TornError(Exception):
    """The compressed stream cannot be read further."""


class Rest:
    """A source that begins with bytes that were read of it already."""

    def __init__(self, first: bytes, file: Readable) -> None:
        self._first, self._file = first, file

    def read(self, most: int = -1, /) -> bytes:
        """Return the next bytes."""
        if not self._first:
            return self._file.read(most if most >= 0 else 1 << 17)
        taken, self._first = (
            (self._first, b"") if most < 0 else (self._first[:most], self._first[most:])
        )
        return taken


def kind_of(first: bytes) -> Callable[[Readable, int], Iterator[bytes]] | None:
    """Return what unpacks a stream with these first bytes; None where it is not packed.

    What it returns takes the stream and the size of a chunk, and raises TornError.
    """
    if first.startswith(_BZ2) and first[3:4].isdigit():
        return lambda file, chunk: _unpacked(file, chunk, "bz2", bz2.BZ2Decompressor)
    if first.startswith(_XZ):
        return lambda file, chunk: _unpacked(
            file, chunk, "xz", lambda: lzma.LZMADecompressor(memlimit=MAX_WINDOW_BYTES)
        )
    if first.startswith(_ZSTD):
        return _zstd
    if first.startswith(_ZIP):
        return _zip
    for magic, name in _FOREIGN.items():
        if first.startswith(magic):
            return _refusing(name)
    return None


def _refusing(name: str) -> Callable[[Readable, int], Iterator[bytes]]:
    def refuse(_file: Readable, _chunk: int) -> Iterator[bytes]:
        yield from ()
        raise TornError(f"it is packed with {name}, which is not read; unpack it")

    return refuse


def _unpacked(
    file: Readable,
    chunk_bytes: int,
    name: str,
    decompressor: Callable[[], "bz2.BZ2Decompressor | lzma.LZMADecompressor"],
) -> Iterator[bytes]:
    compressed = file.read(chunk_bytes)
    while compressed:
        member = decompressor()
        while not member.eof:
            if member.needs_input and not compressed:
                raise TornError(f"the {name} stream ends early")
            try:
                part = member.decompress(compressed, chunk_bytes)
            except (OSError, EOFError, lzma.LZMAError, ValueError, MemoryError) as error:
                raise TornError(f"the {name} stream is damaged: {error}") from None
            compressed = b""
            if part:
                yield part
            if not member.eof and member.needs_input:
                compressed = file.read(chunk_bytes)
        # Further members may follow, and zeros that some tools pad with.
        compressed = member.unused_data.lstrip(b"\0")
        while not compressed and (chunk := file.read(chunk_bytes)):
            compressed = chunk.lstrip(b"\0")


def _zstd(file: Readable, chunk_bytes: int) -> Iterator[bytes]:
    try:
        import zstandard  # noqa: PLC0415 - a compiled package, for such files only
    except ImportError:
        raise TornError(
            "it is packed with zstd: install the package `zstandard`, or unpack it (`zstd -d`)"
        ) from None
    unpacker = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
    stream = unpacker.stream_reader(
        file,  # type: ignore[arg-type, unused-ignore]  # it needs no more than `read`
        read_across_frames=True,
    )
    while True:
        try:
            chunk = stream.read(chunk_bytes)
        except zstandard.ZstdError as error:
            raise TornError(f"the zstd stream is damaged: {error}") from None
        if not chunk:
            break
        yield chunk


def _zip(file: Readable, chunk_bytes: int) -> Iterator[bytes]:
    with tempfile.TemporaryFile() as copy:
        with declared(Path(tempfile.gettempdir())):
            copy_to(file, copy)
        try:
            with zipfile.ZipFile(copy) as archive, archive.open(_only_file(archive)) as member:
                while chunk := member.read(chunk_bytes):
                    yield chunk
        except (
            zipfile.BadZipFile,
            zlib.error,
            lzma.LZMAError,
            EOFError,
            ValueError,
            NotImplementedError,
            RuntimeError,
            OSError,
        ) as error:
            raise TornError(f"the zip archive is damaged or cannot be read: {error}") from None


def _only_file(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    files = [
        each
        for each in archive.infolist()
        if not each.is_dir() and not each.filename.startswith("__MACOSX/")
    ]
    if len(files) != 1:
        raise TornError(f"the zip archive holds {len(files)} files; unpack it and name each")
    return files[0]


def copy_to(file: Readable, copy: IO[bytes]) -> None:
    """Copy a stream to a file, and go to its beginning. Raises OSError."""
    while chunk := file.read(_COPIED_BYTES):
        copy.write(chunk)
    copy.seek(0)
