"""Lines of files, plain or packed: read in bounded memory whatever they are, and packed.

Our own archive and the recordings of others are read alike, and isal is at home here alone.
"""

from collections.abc import Iterable, Iterator, Sequence
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
    for first, lines in runs_in(chunks, max_bytes, after):
        yield from enumerate(lines, first)


def runs_in(
    chunks: Iterable[bytes], max_bytes: int, after: int = 0
) -> Iterator[tuple[int, Sequence[bytes | BadLine]]]:
    """Yield the lines of `lines_in`, those of a chunk together behind the number of the first."""
    number, rest, skipped = after + 1, b"", 0
    torn = ""
    try:
        for chunk in chunks:
            returns = b"\r" in chunk or b"\r" in rest
            *whole, rest = (rest + chunk).split(b"\n")
            if whole:
                if returns or skipped or max(map(len, whole)) > max_bytes:
                    yield number, _told(whole, max_bytes, skipped)
                else:
                    yield number, whole
                number, skipped = number + len(whole), 0
            if len(rest) > max_bytes:
                # The dead letter keeps the line's head and length; the rest is discarded.
                skipped += len(rest) - _KEPT_OF_BAD_LINE
                rest = rest[:_KEPT_OF_BAD_LINE]
    except TornError as error:
        torn = str(error)
    if torn:
        yield number, [BadLine(Fault.TRUNCATED, torn, rest[:_KEPT_OF_BAD_LINE], ended=False)]
    elif skipped:
        yield number, [_too_long(rest, len(rest) + skipped)._replace(ended=False)]
    elif rest:
        yield number, [Unended(rest)]


class Lines:
    """Numbered lines, one by one or as many as are there together. Not thread-safe.

    runs: lists of lines that are not empty, each with the number of its first.
    """

    def __init__(self, runs: Iterator[tuple[int, Sequence[bytes | BadLine]]]) -> None:
        self._runs = runs
        self._number, self._place = 0, 0
        self._lines: Sequence[bytes | BadLine] = ()

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> tuple[int, bytes | BadLine]:
        number, lines = self.some(1)
        if not lines:
            raise StopIteration
        return number, lines[0]

    def some(self, most: int) -> tuple[int, Sequence[bytes | BadLine]]:
        """Return the next lines, up to `most`, and the number of the first; none at the end."""
        if self._place == len(self._lines):
            self._number, self._lines = next(self._runs, (0, ()))
            self._place = 0
        start, self._place = self._place, min(self._place + most, len(self._lines))
        return self._number + start, self._lines[start : self._place]

    def back(self, lines: int) -> None:
        """Go back by so many of the lines that `some` gave last."""
        self._place -= lines


def _told(lines: list[bytes], max_bytes: int, skipped: int) -> list[bytes | BadLine]:
    """Return lines without carriage returns; those that are too long as what is kept of them.

    skipped: how many bytes of the first were discarded.
    """
    told: list[bytes | BadLine] = []
    for line in lines:
        if skipped or len(line) > max_bytes:
            told.append(_too_long(line, len(line) + skipped))
            skipped = 0
        else:
            told.append(line.removesuffix(b"\r"))
    return told


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
