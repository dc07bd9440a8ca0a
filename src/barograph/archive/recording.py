"""Recordings by other programs: each line as the venue's own frame, whatever its form."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, tzinfo
from itertools import chain, islice
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from barograph.archive.entry_lines import LONGEST_LINE_BYTES, entry_of, is_entry_line, renamed
from barograph.archive.taken import OF_ARCHIVES, REPLAY, Passed, Taken, connection_named
from barograph.codec import UNREADABLE
from barograph.errors import BadInputError
from barograph.files.containers import contained
from barograph.files.input_file import InputFile, seen
from barograph.files.lines import BadLine, Lines, Unended, chunks_of, lines_in, runs_in
from barograph.files.packed import TornError
from barograph.foreign import one_line
from barograph.types import DeadLetter, Fault, Frame
from barograph.venues.coinbase.recorded_lines import continuity_of, time_of
from barograph.venues.coinbase.surveys import numbers_of
from barograph.venues.entries import Dialect, Entry, Heard, Opening, connection_of
from barograph.venues.forms.envelope import Wrapper
from barograph.venues.forms.own import OwnForm
from barograph.venues.forms.own_rows import prepared
from barograph.venues.forms.reader import FormReader, Unwrapped, line_of
from barograph.venues.forms.times_seen import SURVEYED, sampled
from barograph.venues.refusals import FrameRefusedError

MAX_LINE_BYTES = 1 << 20
"""A longer line of a recording is a dead letter. An archive's line may hold such a frame coded."""

_STANDARD_INPUT = Path("/dev/stdin")
_NO_FORM = OwnForm(fields={})
_BLOCK_BYTES = 1 << 19
_SURVEYED_BYTES = 8 << 20


class Recorded(NamedTuple):
    """One line of a recording: its number from 1, the venue's frame, and the frame's connection."""

    line: int
    frame: Frame
    opening: Opening


class Archived(NamedTuple):
    """One line of an archive's file: its number from 1, its entry, and how its connection opened.

    The opening is a default where the file does not tell it.
    """

    line: int
    entry: Entry
    opening: Opening


Line = Recorded | Archived | DeadLetter
"""What a line of a recording is."""


class Recording:
    """A file of what someone recorded: lines, a JSON array or a table, packed or not.

    Both are told by content, and which form its lines have (`venues.forms`) by the first of them.
    `form` is one of the user's own instead. `Path("-")` is standard input.

    Iterating gives a Recorded or a DeadLetter for every line that is not blank, in bounded memory
    whatever the lines are; after the last whole line of a torn file one dead letter (TRUNCATED)
    stands for the rest. `bytes_read` of `size` tell how far. The connection of a frame follows from
    how the file begins, up to its first line with a time in it, and from the line's form.

    One reading at a time. With `pipes`, a pipe can be read, once, and has no size. A file that is
    changed meanwhile ends in FileChangedError, at the latest behind its last line. Raises
    BadInputError when there is nothing to read.
    """

    def __init__(
        self,
        path: Path,
        zone: tzinfo = UTC,
        *,
        pipes: bool = False,
        waiting: Callable[[str], object] = lambda _line: None,
        form: OwnForm | None = None,
    ) -> None:
        path = _STANDARD_INPUT if str(path) == "-" else path
        self.path, self._zone, self._form = path, zone, form
        self.name = one_line(path.name)
        """The file's name as dead letters have it."""
        self.blank_lines = 0
        self._pipes, self._waiting = pipes, waiting
        status = seen(path, pipes=pipes)
        if status.st_size == 0 and path.is_file():
            raise BadInputError(str(path), "it is empty", "Record or fetch it again")
        self.size = status.st_size
        self.connection = REPLAY
        """What the names of this recording's connections begin with; known once it is open."""
        self._file: InputFile | None = None
        self._chunks: Iterator[bytes] = iter(())
        self._begun = False
        self._continuity: Literal["trade_id", "none"] = "none"
        self._numbers: Literal["all", "some"] = "all"
        self._openings: dict[tuple[str, str], Opening] = {}
        self._archived: dict[str, Opening] = {}
        self._max_line_bytes = MAX_LINE_BYTES
        self.first_time_ns: int | None = None
        """The first time that its lines tell; known once it is open."""
        self._first: list[tuple[int, bytes | BadLine]] = []
        self.reader = FormReader(zone, form)
        """What reads its lines: settled once the recording is open."""
        self.container = "lines"
        """What holds its records, in words; known once it is open."""

    @property
    def bytes_read(self) -> int:
        """Bytes read of the file, before unpacking."""
        return 0 if self._file is None else self._file.position

    @property
    def form_line(self) -> str:
        """What the reader settled on, in a line: `1 form: flat, venue's clock …`."""
        return line_of(self.reader, self.container)

    @property
    def plain_opening(self) -> Opening | None:
        """How the connection of bare Exchange frames opened; None where none was read yet."""
        if not self.reader.exchange_is_plain:
            return None
        return self._openings.get((Wrapper.EXCHANGE, "venue"))

    @property
    def can_begin_again(self) -> bool:
        """Whether it can be read more than once."""
        return self._file is None or self._file.size is not None

    def __iter__(self) -> Iterator[Line]:
        """Iterate over all lines from the first on."""
        return self.after(0)

    def after(self, line: int) -> Iterator[Line]:
        """Yield what follows line `line`, and check that the file has not changed."""
        for number, each in self.lines():
            if number > line and (entry := self.read(number, each)) is not None:
                yield entry
        self.refuse_if_changed()

    def open(self) -> list["Passed"]:
        """Begin a reading; returns what was passed behind each line by which it is known.

        Those are the lines up to the first one that tells a time, or all of the first ones. `lines`
        or `blocks` then give everything from the first line on.
        """
        self.close()
        self._file = InputFile(self.path, pipes=self._pipes, waiting=self._waiting)
        self.size = self._file.size or 0
        form = self._form or _NO_FORM
        chunks = chunks_of(self._file, _BLOCK_BYTES, any_packing=True)
        container = contained(chunks, form.columns, form.delimiter)
        self.container = container.name
        self._chunks = container.chunks if self._form is None else prepared(container.chunks, form)
        self._begun = False
        self._openings, self._archived = {}, {}
        self._max_line_bytes, self.first_time_ns = LONGEST_LINE_BYTES, None
        first = self._first = self._look_ahead()
        is_archive = any(type(line) is bytes and is_entry_line(line) for _, line in first[:1])
        self._max_line_bytes = LONGEST_LINE_BYTES if is_archive else MAX_LINE_BYTES
        self.reader = FormReader(self._zone, self._form)
        self.reader.settle(line for _, line in sampled(first) if not isinstance(line, BadLine))
        frames = [self.frame_of(line) for _, line in first]
        self.reader.restart()
        known = [frame for frame in frames if frame is not None]
        self._continuity, self._numbers = continuity_of(known), numbers_of(known)
        taken, heads = Taken(), []
        for (number, line), frame in zip(first, frames, strict=True):
            taken.add(number, line)
            heads.append(taken.passed())
            self.first_time_ns = None if frame is None else time_of(frame)
            if self.first_time_ns is not None:
                break
        self.connection = OF_ARCHIVES if is_archive else connection_named(taken.passed().sha256)
        return heads

    def first_lines(self) -> list[bytes | BadLine]:
        """Open the recording and return its first lines, which are what settles its form."""
        self.open()
        return [line for _, line in self._first or islice(self.lines(), 1)]

    def close(self) -> None:
        """End a reading. Idempotent."""
        if self._file is not None:
            self._file.close()

    def remarks(self) -> list[str]:
        """What a person should know of the open recording, in lines."""
        if self._numbers == "all":
            return []
        remark = (
            f"{self.name}: not every frame that sequence_num counts was recorded (heartbeats, or "
            "another channel), so its jumps are no gaps, and short losses are not seen"
        )
        return [remark]

    def lines(self) -> Lines:
        """Every line as it stands, blank ones too, with its number; the rest of a torn file."""
        self._begin()
        return Lines(self._runs())

    def _runs(self) -> Iterator[tuple[int, Sequence[bytes | BadLine]]]:
        number, is_local = 0, self.reader.is_local
        for number, lines in runs_in(self._chunks, self._max_line_bytes):
            if is_local:
                # Which of two hours a local time means follows from the lines before it, also
                # from those that whoever reads on in the middle skips.
                yield from self._told(number, lines)
            else:
                yield number, lines
        if number == 0:
            raise self._without_records()

    def _told(
        self, first: int, lines: Sequence[bytes | BadLine]
    ) -> Iterator[tuple[int, Sequence[bytes | BadLine]]]:
        """Yield each line alone once its time was read."""
        for number, line in enumerate(lines, first):
            self.frame_of(line)
            yield number, (line,)

    def blocks(self) -> Iterator[bytes]:
        """Yield the lines in blocks, for a reader that parses plain ones itself.

        A block is whole lines with their newlines; only the last line of all may lack its own. An
        empty block ends them where only `rest` can go on: a torn line or one that is too long.
        """
        self._begin()
        rest, some = b"", False
        try:
            for chunk in self._chunks:
                rest += chunk
                end = rest.rfind(b"\n") + 1
                # Only the first line can be longer than a chunk.
                if (rest.find(b"\n") if end else len(rest)) > self._max_line_bytes:
                    self._chunks = chain((rest,), self._chunks)
                    yield b""
                    return
                if end:
                    some = True
                    yield rest[:end]
                    rest = rest[end:]
        except TornError as error:
            self._chunks = chain((rest,), _torn(error))
            yield b""
            return
        if rest or not some:
            yield rest

    def rest(self, after: int) -> Iterator[Line]:
        """Yield what the blocks left out, after the number of lines that they gave."""
        number = after
        for number, line in lines_in(self._chunks, self._max_line_bytes, after):
            if (entry := self.read(number, line)) is not None:
                yield entry
        if number == 0:
            raise self._without_records()

    def read(self, number: int, line: bytes | BadLine) -> Line | None:
        """Return the frame, archived entry or dead letter of a line; None where it is blank.

        One without its newline is cut off, unless it is the whole of a JSON object: nothing could
        follow that.
        """
        if type(line) is bytes and (wrapper := self.reader.bare(line)) is not None:
            opening = self._openings.get((wrapper, "venue"))
            if opening is not None:
                return Recorded(number, Frame(data=line, connection=opening.connection), opening)
        return self._read(number, line)

    def _read(self, number: int, line: bytes | BadLine) -> Line | None:
        if isinstance(line, BadLine):
            return line.letter(self.name, number)
        if not line or line.isspace():
            self.blank_lines += 1
            return None
        if type(line) is Unended and not _is_whole(line):
            half = BadLine(Fault.TRUNCATED, "the file ends within this line", bytes(line))
            return half.letter(self.name, number)
        if is_entry_line(line):
            return self._of_archive(number, bytes(line))
        try:
            unwrapped = self.reader.read(bytes(line))
        except FrameRefusedError as refused:
            return BadLine(refused.fault, refused.detail, bytes(line)).letter(self.name, number)
        return self._recorded(number, unwrapped)

    def refuse_if_changed(self, *, wholly: bool = True) -> bool:
        """Call `InputFile.refuse_if_changed` for the latest reading."""
        return self._file is None or self._file.refuse_if_changed(wholly=wholly)

    def _without_records(self) -> BadInputError:
        return BadInputError(str(self.path), "it holds no record", "Record or fetch it again")

    def _begin(self) -> None:
        if self._file is None or self._file.closed or self._begun:
            self.open()
        self._begun = True

    def _look_ahead(self) -> list[tuple[int, bytes | BadLine]]:
        """Return the first lines, which stay to be read. Raises BadInputError for blank ones."""
        ahead: list[bytes] = []
        lines = size = 0
        try:
            while lines < SURVEYED and size < _SURVEYED_BYTES:
                if (chunk := next(self._chunks, None)) is None:
                    if not any(map(bytes.strip, ahead)):
                        raise self._without_records()
                    break
                ahead.append(chunk)
                lines += chunk.count(b"\n")
                size += len(chunk)
        except TornError as error:
            self._chunks = _torn(error)
        self._chunks = chain(ahead, self._chunks)
        first = list(islice(lines_in(ahead, self._max_line_bytes), SURVEYED))
        if first and type(first[-1][1]) is Unended and not _is_whole(first[-1][1]):
            first.pop()
        return first

    def frame_of(self, line: bytes | BadLine) -> Frame | None:
        """Return the frame in a line, without a connection; None where there is none."""
        if isinstance(line, BadLine):
            return None
        if is_entry_line(line):
            entry = entry_of(self.name, 0, bytes(line))
            return entry.frame if type(entry) is Heard else None
        try:
            unwrapped = self.reader.read(bytes(line))
        except FrameRefusedError:
            return None
        received_ns = unwrapped.receive_time_ns
        return Frame(data=unwrapped.frame, connection="", receive_time_ns=received_ns)

    def _of_archive(self, number: int, line: bytes) -> Archived | DeadLetter:
        entry = entry_of(self.name, number, line)
        if isinstance(entry, DeadLetter):
            return entry
        entry = renamed(entry, OF_ARCHIVES)
        connection = connection_of(entry)
        if isinstance(entry, Opening):
            entry = msgspec.structs.replace(entry, rules=None, recorded=True)
            self._archived[connection] = entry
            return Archived(number, entry, entry)
        opening = self._archived.get(connection)
        if opening is None:
            opening = self._archived[connection] = Opening(
                connection=connection,
                dialect=entry.dialect if type(entry) is Heard else Dialect.EXCHANGE,
                continuity=self._continuity,
                recorded=True,
            )
        return Archived(number, entry, opening)

    def _recorded(self, number: int, unwrapped: Unwrapped) -> Recorded:
        form = unwrapped.wrapper, unwrapped.event_clock
        opening = self._openings.get(form)
        if opening is None:
            opening = self._openings[form] = Opening(
                connection=self.connection + unwrapped.wrapper,
                dialect=unwrapped.dialect,
                continuity=self._continuity,
                event_clock=unwrapped.event_clock,
                recorded=True,
                numbers=self._numbers,
            )
        frame = Frame(
            data=unwrapped.frame,
            connection=opening.connection,
            receive_time_ns=unwrapped.receive_time_ns,
        )
        return Recorded(number, frame, opening)


def _is_whole(line: bytes) -> bool:
    """Whether the bytes are exactly one JSON object."""
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except UNREADABLE:
        return False
    return line.lstrip().startswith(b"{")


def _torn(error: TornError) -> Iterator[bytes]:
    """Return a stream that ends with the same error."""
    yield from ()
    raise error
