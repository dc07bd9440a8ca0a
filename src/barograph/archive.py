"""Frames verbatim, on disk: what a feed heard can be heard again; and what others recorded.

`HOME/archive/000001.ndjson.gz`, … hold one JSON line for each frame and for each opening and
closing of a connection, in the order in which the feed took them; read again through the venue
machines they give the same events. A frame stands in its line as it is when it is one line of JSON
(`frame`), else as a string (`text`), else as `base64`. Each flush appends one gzip member and
fsyncs, so every gzip tool reads the files, and a torn write costs the end of the last member only.
"""

import fcntl
import os
import re
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, tzinfo
from hashlib import file_digest
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import msgspec
from isal import igzip, igzip_lib

from barograph.errors import BadInputError
from barograph.types import DeadLetter, Fault, Frame
from barograph.venues.continuity import Dialect, Opening
from barograph.venues.refusals import RefusedError
from barograph.venues.wrappers import Unwrapped, Wrapper, continuity_of, unwrap

MAX_LINE_BYTES = 1 << 20
"""A longer line of a recording is a dead letter. An archive's line may hold such a frame coded."""

REPLAY = "replay:"
"""What the name of every recording's connection begins with."""

_KEPT_OF_BAD_LINE = 1024
_CHUNK_BYTES = 1 << 17
_BLOCK_BYTES = 1 << 19
_SURVEYED_LINES = 2000


class Place(msgspec.Struct, frozen=True, order=True):
    """An end of the archive: the number of a file and the size it has there, in bytes."""

    file: int = 0
    size: int = 0


class Closing(msgspec.Struct, frozen=True):
    """A connection was lost or given up."""

    connection: str


class ArchivedFrame(NamedTuple):
    """A frame and what its connection spoke."""

    frame: Frame
    dialect: Dialect


_NO_FRAME = msgspec.Raw()


class _Line(msgspec.Struct, omit_defaults=True):
    connection: str
    dialect: Dialect | None = None
    open: Opening | None = None
    closed: bool = False
    receive_time_ns: int | None = None
    frame: msgspec.Raw = _NO_FRAME
    text: str | None = None
    base64: bytes = b""


_encode = msgspec.json.Encoder().encode
_decode_line = msgspec.json.Decoder(_Line).decode
_decode_raw = msgspec.json.Decoder(msgspec.Raw).decode


class ArchiveWriter:
    """Appends to an archive; one at a time, by a lock that the kernel drops with the process.

    Begins a new file. Lines reach the disk with `flush`. Raises BadInputError while another writes.
    """

    def __init__(self, directory: Path, *, file_bytes: int = 64 << 20) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory, self._file_bytes = directory, file_bytes
        self._lines: list[bytes] = []
        self._heads: dict[tuple[str, Dialect], bytes] = {}
        self._lock = (directory / "lock").open("wb")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise BadInputError(
                str(directory), "another feed writes here", "Wait for it or give another --home"
            ) from None
        self._place = Place(archive_end(directory).file + 1)

    def cut(self, place: Place) -> None:
        """Go on at `place` and remove what lies behind it. The archive must reach so far."""
        for number, path in _files(self._directory):
            if number > place.file or (number == place.file and place.size == 0):
                path.unlink()
            elif number == place.file:
                os.truncate(path, place.size)
        self._place = place

    def frame(self, frame: Frame, dialect: Dialect) -> None:
        """Add a frame, byte for byte."""
        head = self._heads.get((frame.connection, dialect))
        if head is None:
            head = _encode({"connection": frame.connection, "dialect": dialect})[:-1]
            self._heads[frame.connection, dialect] = head
        received_ns = frame.receive_time_ns
        if received_ns is not None:
            head = b'%b,"receive_time_ns":%d' % (head, received_ns)
        self._lines.append(b"%b,%b}\n" % (head, _embedded(frame.data)))

    def open(self, opening: Opening) -> None:
        """Add the opening of a connection."""
        self._lines.append(_encode(_Line(opening.connection, open=opening)) + b"\n")

    def close_connection(self, connection: str) -> None:
        """Add the loss of a connection."""
        for dialect in Dialect:
            self._heads.pop((connection, dialect), None)
        self._lines.append(_encode(_Line(connection, closed=True)) + b"\n")

    def flush(self) -> Place:
        """Make all lines durable, as one gzip member; returns where the archive ends now."""
        if self._lines:
            if self._place.size >= self._file_bytes:
                self._place = Place(self._place.file + 1)
            member = igzip.compress(b"".join(self._lines), compresslevel=1)
            path = self._directory / f"{self._place.file:06d}.ndjson.gz"
            with path.open("ab") as file:
                file.write(member)
                file.flush()
                os.fsync(file.fileno())
            if self._place.size == 0:
                _sync_directory(self._directory)
            self._place = Place(self._place.file, self._place.size + len(member))
            self._lines.clear()
        return self._place

    def close(self) -> None:
        """Flush and let another writer in. Idempotent."""
        if not self._lock.closed:
            self.flush()
            self._lock.close()


def archive_end(directory: Path) -> Place:
    """Where an archive ends as it lies on disk; `Place()` where there is none."""
    last = Place()
    for number, path in _files(directory):
        last = Place(number, path.stat().st_size)
    return last


def read_archive(
    directory: Path, after: Place | None = None
) -> Iterator[ArchivedFrame | Opening | Closing | DeadLetter]:
    """Everything in an archive, in order; or what comes after a place.

    A torn end gives its whole lines and one dead letter for the rest; a damaged line gives one.
    """
    start = after or Place()
    for number, path in _files(directory):
        if number < start.file:
            continue
        with path.open("rb") as file:
            file.seek(start.size if number == start.file else 0)
            for position, line in _lines(file, 2 * MAX_LINE_BYTES):
                yield _archived(path.name, position, line)


def _archived(
    source: str, position: int, line: "bytes | _BadLine"
) -> ArchivedFrame | Opening | Closing | DeadLetter:
    if isinstance(line, _BadLine):
        return line.letter(source, position)
    try:
        said = _decode_line(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _BadLine(Fault.WRONG_SHAPE, str(error), line).letter(source, position)
    if said.open is not None:
        return said.open
    if said.closed or said.dialect is None:
        return Closing(said.connection)
    text = said.text
    original = bytes(said.frame) or said.base64 if text is None else text.encode()
    return ArchivedFrame(
        Frame(data=original, connection=said.connection, receive_time_ns=said.receive_time_ns),
        said.dialect,
    )


def _embedded(frame: bytes) -> bytes:
    try:
        text = frame.decode()
    except UnicodeDecodeError:
        return b'"base64":"%b"' % b64encode(frame)
    # Many brackets may be nested deeper than a later reader's stack allows.
    shallow = frame.count(b"[") + frame.count(b"{") <= 200
    if shallow and frame[:1] == b"{" and frame[-1:] == b"}" and b"\n" not in frame:
        try:
            _decode_raw(frame)
        except msgspec.DecodeError:
            pass
        else:
            return b'"frame":%b' % frame
    return b'"text":%b' % _encode(text)


def _files(directory: Path) -> list[tuple[int, Path]]:
    if not directory.is_dir():
        return []
    named = ((re.fullmatch(r"(\d{6,})\.ndjson\.gz", p.name), p) for p in directory.iterdir())
    return sorted((int(match[1]), path) for match, path in named if match)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Recorded(NamedTuple):
    """One line of a recording: its number from 1, the venue's frame, and the frame's connection."""

    line: int
    frame: Frame
    opening: Opening


class Recording:
    """A file of recorded lines, plain or gzip; each may have any form of `venues.wrappers`.

    Iterating gives a Recorded or a DeadLetter for every line that is not blank, in bounded memory
    whatever the lines are; after the last whole line of a torn file one dead letter (TRUNCATED)
    stands for the rest. `bytes_read` of `size` tell how far. The connection of a frame follows from
    the file's content and the line's form. Raises BadInputError when there is nothing to read.
    """

    def __init__(self, path: Path, zone: tzinfo = UTC) -> None:
        self.path, self._zone = path, zone
        self.bytes_read = self.blank_lines = 0
        self._continuity: Literal["trade_id", "none"] | None = None
        self._openings: dict[tuple[Wrapper, str], Opening] = {}
        try:
            with path.open("rb") as file:
                self.size = os.fstat(file.fileno()).st_size
                self.sha256 = file_digest(file, "sha256").hexdigest()
        except OSError as error:
            why = error.strerror or str(error)
            raise BadInputError(str(path), why, "Name a readable file") from None
        if self.size == 0:
            raise BadInputError(str(path), "it is empty", "Record or fetch it again")

    @property
    def connection(self) -> str:
        """What the names of this recording's connections begin with."""
        return f"{REPLAY}{self.sha256[:12]}/"

    def __iter__(self) -> Iterator[Recorded | DeadLetter]:
        """All lines from the first on."""
        return self.after(0)

    def after(self, line: int) -> Iterator[Recorded | DeadLetter]:
        """What comes after that many lines."""
        for number, read in self._unwrapped(line):
            yield read if isinstance(read, DeadLetter) else self._recorded(number, read)

    def blocks(self) -> Iterator[bytes]:
        """The same lines as they stand, many at once, for a reader that takes plain ones itself.

        A block is whole lines with their newlines; only the last line of all may lack its own. An
        empty block ends them where only `after` can go on: a torn line or one that is too long.
        """
        rest, some = b"", False
        with self.path.open("rb") as file:
            try:
                for chunk in _chunks(file, _BLOCK_BYTES):
                    rest += chunk
                    end = rest.rfind(b"\n") + 1
                    # Only the first line can be longer than a chunk.
                    if (rest.find(b"\n") if end else len(rest)) > MAX_LINE_BYTES:
                        yield b""
                        return
                    if end:
                        self.bytes_read, some = file.tell(), True
                        yield rest[:end]
                        rest = rest[end:]
            except _TornError:
                yield b""
                return
        self.bytes_read = self.size
        if rest or not some:
            yield rest

    def read(self, number: int, line: bytes) -> Recorded | DeadLetter | None:
        """What a line of a block, without its newline, says; None where it is blank."""
        if not line or line.isspace():
            self.blank_lines += 1
            return None
        read = self._unwrap(number, line)
        return read if isinstance(read, DeadLetter) else self._recorded(number, read)

    def _recorded(self, number: int, unwrapped: Unwrapped) -> Recorded:
        form = unwrapped.wrapper, unwrapped.event_clock
        opening = self._openings.get(form)
        if opening is None:
            if self._continuity is None:
                self._continuity = self._survey()
            opening = self._openings[form] = Opening(
                connection=self.connection + unwrapped.wrapper,
                dialect=unwrapped.dialect,
                continuity=self._continuity,
                event_clock=unwrapped.event_clock,
            )
        frame = Frame(
            data=unwrapped.frame,
            connection=opening.connection,
            receive_time_ns=unwrapped.receive_time_ns,
        )
        return Recorded(number, frame, opening)

    def _survey(self) -> Literal["trade_id", "none"]:
        # A look ahead at the same lines whatever line is asked for: a resumed reading must agree.
        read, blank = self.bytes_read, self.blank_lines
        first = islice(self._unwrapped(0), _SURVEYED_LINES)
        found = continuity_of(
            Frame(data=unwrapped.frame, connection="")
            for _, unwrapped in first
            if isinstance(unwrapped, Unwrapped)
        )
        self.bytes_read, self.blank_lines = read, blank
        return found

    def _unwrapped(self, after: int) -> Iterator[tuple[int, Unwrapped | DeadLetter]]:
        number, source = 0, self.path.name
        with self.path.open("rb") as file:
            for number, line in _lines(file, MAX_LINE_BYTES):
                if not number % 256:
                    self.bytes_read = file.tell()
                if number <= after:
                    continue
                if isinstance(line, _BadLine):
                    yield number, line.letter(source, number)
                elif not line or line.isspace():
                    self.blank_lines += 1
                else:
                    yield number, self._unwrap(number, line)
        self.bytes_read = self.size
        if number == 0:
            raise BadInputError(str(self.path), "it holds no line", "Record or fetch it again")

    def _unwrap(self, number: int, line: bytes) -> Unwrapped | DeadLetter:
        try:
            return unwrap(line, self._zone)
        except RefusedError as refused:
            bad = _BadLine(refused.fault, refused.detail, line)
            return bad.letter(self.path.name, number)


class _BadLine(NamedTuple):
    fault: Fault
    detail: str
    original: bytes

    def letter(self, source: str, line: int) -> DeadLetter:
        return DeadLetter(
            fault=self.fault,
            detail=self.detail,
            source=source,
            position=str(line),
            key="",
            original=self.original,
        )


class _TornError(Exception):
    """The compressed stream cannot be read further."""


def _lines(file: BinaryIO, max_bytes: int) -> Iterator[tuple[int, bytes | _BadLine]]:
    """Each line with its number, never holding more than `max_bytes` and a chunk."""
    number, rest, skipped = 0, b"", 0
    torn = ""
    try:
        for chunk in _chunks(file):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                number += 1
                if skipped or len(line) > max_bytes:
                    yield number, _too_long(line, len(line) + skipped)
                    skipped = 0
                else:
                    yield number, line.removesuffix(b"\r")
            if len(rest) > max_bytes:
                # Its head stays for the letter, its length is counted, the rest goes.
                skipped += len(rest) - _KEPT_OF_BAD_LINE
                rest = rest[:_KEPT_OF_BAD_LINE]
    except _TornError as error:
        torn = str(error)
    if torn:
        yield number + 1, _BadLine(Fault.TRUNCATED, torn, rest[:_KEPT_OF_BAD_LINE])
    elif skipped:
        yield number + 1, _too_long(rest, len(rest) + skipped)
    elif rest:
        yield number + 1, rest


def _too_long(line: bytes, length: int) -> _BadLine:
    detail = f"a line of {length} bytes; its first {_KEPT_OF_BAD_LINE} are kept"
    return _BadLine(Fault.TOO_LONG, detail, line[:_KEPT_OF_BAD_LINE])


def _chunks(file: BinaryIO, chunk_bytes: int = _CHUNK_BYTES) -> Iterator[bytes]:
    start = file.tell()
    magic = file.read(2)
    file.seek(start)
    if magic and b"\x1f\x8b".startswith(magic):
        yield from _inflated(file, chunk_bytes)
    else:
        while chunk := file.read(chunk_bytes):
            yield chunk


def _inflated(file: BinaryIO, chunk_bytes: int) -> Iterator[bytes]:
    compressed = file.read(_CHUNK_BYTES)
    while compressed:
        member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        while not member.eof:
            if member.needs_input and not compressed:
                raise _TornError("the gzip stream ends early")
            try:
                inflated = member.decompress(compressed, chunk_bytes)
            except igzip_lib.IsalError as error:  # type: ignore[misc]  # the stub has an instance
                raise _TornError(f"the gzip stream is damaged: {error}") from None
            yield inflated
            if not member.eof:
                compressed = file.read(_CHUNK_BYTES) if member.needs_input else b""
        # Further members may follow, and zeros that some tools pad with.
        compressed = (member.unused_data or file.read(_CHUNK_BYTES)).lstrip(b"\0")
