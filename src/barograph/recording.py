"""A recording of somebody's: each line as the venue's own frame, whatever its form."""

from collections.abc import Iterator
from datetime import UTC, tzinfo
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

from barograph.errors import BadInputError
from barograph.lines import BadLine, TornError, chunks_of, file_sha256, lines_of
from barograph.types import DeadLetter, Frame
from barograph.venues.entries import Opening
from barograph.venues.refusals import RefusedError
from barograph.venues.wrappers import Unwrapped, Wrapper, continuity_of, unwrap

MAX_LINE_BYTES = 1 << 20
"""A longer line of a recording is a dead letter. An archive's line may hold such a frame coded."""

REPLAY = "replay:"
"""What the name of every recording's connection begins with."""

_BLOCK_BYTES = 1 << 19
_SURVEYED_LINES = 2000


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
            self.size, self.sha256 = path.stat().st_size, file_sha256(path)
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
                for chunk in chunks_of(file, _BLOCK_BYTES):
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
            except TornError:
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
            for number, line in lines_of(file, MAX_LINE_BYTES):
                if not number % 256:
                    self.bytes_read = file.tell()
                if number <= after:
                    continue
                if isinstance(line, BadLine):
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
            bad = BadLine(refused.fault, refused.detail, line)
            return bad.letter(self.path.name, number)
