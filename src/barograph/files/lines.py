"""Lines of files, plain or packed: read in bounded memory whatever they are, and packed.

Our own archive and the recordings of others are read alike, and isal is at home here alone.
"""

from collections.abc import Iterable, Iterator
from hashlib import file_digest
from pathlib import Path
from typing import NamedTuple

from isal import igzip, igzip_lib

from barograph.files.packed import MAGIC_BYTES, Readable, Rest, TornError, kind_of
from barograph.types import DeadLetter, Fault

_KEPT_OF_BAD_LINE = 1024
_CHUNK_BYTES = 1 << 17
_GZIP = b"\x1f\x8b"


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes on disk, in hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def packed(lines: bytes) -> bytes:
    """Return the lines as one gzip member."""
    member: bytes = igzip.compress(lines, compresslevel=1)
    return member


class Unended(bytes):
    """The last line of all where its newline is missing: it may be the half of one."""


class BadLine(NamedTuple):
    """A line that is too long or torn, as far as it was read. `ended`: it had its newline."""

    fault: Fault
    detail: str
    original: bytes
    ended: bool = True

    def letter(self, source: str, line: int) -> DeadLetter:
        """Return the dead letter of a file's line."""
        return DeadLetter(
            fault=self.fault,
            detail=self.detail,
            source=source,
            position=str(line),
            key="",
            original=self.original,
        )


def lines_of(file: Readable, max_bytes: int) -> Iterator[tuple[int, bytes | BadLine]]:
    """Each line with its number, never holding more than `max_bytes` and a chunk."""
    return lines_in(chunks_of(file), max_bytes)


def lines_in(
    chunks: Iterable[bytes], max_bytes: int, after: int = 0
) -> Iterator[tuple[int, bytes | BadLine]]:
    """Yield the numbered lines of unpacked bytes; the first has the number `after` + 1.

    The last line is Unended, or a BadLine that is not `ended`, where its newline is missing.
    """
    number, rest, skipped = after, b"", 0
    torn = ""
    try:
        for chunk in chunks:
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                number += 1
                if skipped or len(line) > max_bytes:
                    yield number, _too_long(line, len(line) + skipped)
                    skipped = 0
                else:
                    yield number, line.removesuffix(b"\r")
            if len(rest) > max_bytes:
                # The dead letter keeps the line's head and length; the rest is discarded.
                skipped += len(rest) - _KEPT_OF_BAD_LINE
                rest = rest[:_KEPT_OF_BAD_LINE]
    except TornError as error:
        torn = str(error)
    if torn:
        yield number + 1, BadLine(Fault.TRUNCATED, torn, rest[:_KEPT_OF_BAD_LINE], ended=False)
    elif skipped:
        yield number + 1, _too_long(rest, len(rest) + skipped)._replace(ended=False)
    elif rest:
        yield number + 1, Unended(rest)


def _too_long(line: bytes, length: int) -> BadLine:
    detail = f"a line of {length} bytes; its first {_KEPT_OF_BAD_LINE} are kept"
    return BadLine(Fault.TOO_LONG, detail, line[:_KEPT_OF_BAD_LINE])


def chunks_of(
    file: Readable, chunk_bytes: int = _CHUNK_BYTES, *, any_packing: bool = False
) -> Iterator[bytes]:
    """What a file holds from where it stands, with gzip unpacked, or with all that `packed` knows.

    Raises TornError where it cannot go on.
    """
    chunk = file.read(chunk_bytes)
    while chunk and len(chunk) < MAGIC_BYTES:  # a pipe may give as little
        more = file.read(chunk_bytes)
        if not more:
            break
        chunk += more
    if chunk and _GZIP.startswith(chunk[: len(_GZIP)]):
        yield from _inflated(chunk, file, chunk_bytes)
        return
    if any_packing and (unpacked := kind_of(chunk)) is not None:
        yield from unpacked(Rest(chunk, file), chunk_bytes)
        return
    while chunk:
        yield chunk
        chunk = file.read(chunk_bytes)


def _inflated(compressed: bytes, file: Readable, chunk_bytes: int) -> Iterator[bytes]:
    while compressed:
        member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        while not member.eof:
            if member.needs_input and not compressed:
                raise TornError("the gzip stream ends early")
            try:
                inflated = member.decompress(compressed, chunk_bytes)
            except igzip_lib.IsalError as error:  # type: ignore[misc]  # the stub has an instance
                raise TornError(f"the gzip stream is damaged: {error}") from None
            yield inflated
            if not member.eof:
                compressed = file.read(_CHUNK_BYTES) if member.needs_input else b""
        # Further members may follow, and zeros that some tools pad with.
        compressed = member.unused_data.lstrip(b"\0")
        while not compressed and (chunk := file.read(_CHUNK_BYTES)):
            compressed = chunk.lstrip(b"\0")
