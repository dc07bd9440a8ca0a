"""The producer: the records of a file into the topic of their case, each once, whatever is killed.

1.  The file is read through: a file that cannot be read to its end is refused before anything of it
    is sent.
2.  Records are appended in the file's order and, in the same step, how far they were sent, under
    the hash of the whole file, with a hash of the lines up to there. So a producer that died goes
    on after the last record that the log took, and a file that has grown goes on behind what was
    sent of it.
3.  Before each append the file must still begin with all that was read of it.
"""

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from barograph.cases.case import stream_of
from barograph.cases.record_file import RecordFile, RecordLine
from barograph.errors import BadInputError, FileChangedError
from barograph.log import Log
from barograph.types import NS_PER_S, Message

if TYPE_CHECKING:  # whoever has a case has loaded it
    from barograph.cases.case import Case

PRODUCED_TIME = "produced_time_ns"
"""The header of the time at which a record was sent: wall clock, decimal nanoseconds."""

_MOST_AT_ONCE = 1000


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """How records are sent: a "stream" of `rate` a second, or in batches as fast as it goes.

    A stream appends what is due, which is each record by itself as long as the log keeps up.
    """

    mode: Literal["stream", "batch"] = "batch"
    rate: float = 10.0
    batch_size: int = 100

    def __post_init__(self) -> None:
        if not 0 < self.rate < math.inf:
            raise BadInputError(f"rate {self.rate}", "it is not above 0", "Give records a second")
        if self.batch_size < 1:
            raise BadInputError(
                f"batch size {self.batch_size}", "it is not above 0", "Give records a batch"
            )


class Produced(msgspec.Struct, frozen=True, kw_only=True):
    """What a producer did with a file of `rows` records.

    `skipped` of them were sent by an earlier run, `sent` by this one in `seconds`, as values of so
    many `bytes`; where the two make less than `rows`, it was stopped and the next run goes on.
    `sha256` is the file's.
    """

    rows: int
    sent: int
    skipped: int
    seconds: float
    rate: float
    bytes: int
    sha256: str


def produce(  # noqa: PLR0913 - what is sent where and how, and what a shell has
    log: Log,
    case: "Case",
    file: Path,
    how: Sending,
    *,
    clock_ns: Callable[[], int] = time.time_ns,
    timer_ns: Callable[[], int] = time.monotonic_ns,
    wait: Callable[[float], object] = time.sleep,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] = lambda _sent, _rows: None,
    again: bool = False,
) -> Produced:
    """Send what was not sent yet of a file to the source topic of a case, which must be there.

    A file that was sent to its end is sent once more only if `again`; one that was not, goes on.
    wait: sleeps for so many seconds, or less. stop: called before each append. progress: called
    with the records sent, by earlier runs too, and those in the file.
    Raises BadInputError as `RecordFile`, FileChangedError when the file is changed meanwhile, and
    ReplacedProducerError when another producer of the case starts.
    """
    started_ns = timer_ns()
    producer = f"produce.{case.name}"
    source = _Source(file, case, log.producer_checkpoints(producer))
    skipped = 0 if again and source.sent == source.rows else source.sent
    position, size = skipped, 0
    progress(position, source.rows)
    with closing(source.after(skipped)) as records:
        for batch in _batches(records, source.rows - skipped, how, timer_ns, wait, stop):
            position += len(batch)
            headers = {PRODUCED_TIME: str(clock_ns())}
            source.refuse_if_changed()
            log.append(
                [source.message(line, headers) for line in batch],
                producer=producer,
                checkpoints={source.sha256: source.place.mark()},
            )
            size += sum(len(line.value) for line in batch)
            progress(position, source.rows)
    if skipped == source.rows and not source.is_known:
        # The mark of an older version cannot be compared with a file that has grown.
        log.append([], producer=producer, checkpoints={source.sha256: source.all.mark()})
    seconds = (timer_ns() - started_ns) / NS_PER_S
    sent = position - skipped
    return Produced(
        rows=source.rows,
        sent=sent,
        skipped=skipped,
        seconds=round(seconds, 3),
        rate=round(sent / seconds, 1) if seconds else 0.0,
        bytes=size,
        sha256=source.sha256,
    )


def dry_run(case: "Case", file: Path) -> Iterator[Message]:
    """Yield what `produce` would send of a file, without a log. Raises BadInputError as it does."""
    source = _Source(file, case, {})
    return (source.message(line, {}) for line in source.after(0))


def check_file(case: "Case", file: Path) -> None:
    """Raise BadInputError as `produce` would for a file that cannot be sent, without a log."""
    _Source(file, case, {})


class _Sent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a file was sent: whole records, and the hash of all lines up to the last of them.

    `end` is that hash with one more record whose line had no newline yet: where the file has grown
    it may have been the half of one, which is sent when it is whole.
    """

    records: int
    sha256: str
    end: str = ""


_sent = msgspec.json.Decoder(_Sent | int).decode  # a number alone is an older version's


class _Place:
    """Where a reading of a file of records stands."""

    def __init__(self) -> None:
        self.rows = 0
        self.passed = self._before = ""
        self._ended = True

    def step(self, file: RecordFile) -> None:
        """Count one more record."""
        self.rows += 1
        self._before, self.passed, self._ended = self.passed, file.passed(), file.ended

    def mark(self) -> bytes:
        """Return this place as the mark of what was sent."""
        mark = _Sent(records=self.rows, sha256=self.passed)
        if not self._ended:
            mark = _Sent(records=self.rows - 1, sha256=self._before, end=self.passed)
        return msgspec.json.encode(mark)


class _Source:
    """A file of records that can be read to its end, and the topic for which it is meant.

    `sent` of its `rows` were sent before: by the mark of this very file, or else by that of the
    longest one with which it begins. `is_known` says that its own mark can be compared with others.
    """

    def __init__(self, path: Path, case: "Case", saved: Mapping[str, bytes]) -> None:
        self._path, self._stream = path, stream_of(case)
        marks = {key: _sent(value) for key, value in saved.items()}
        known = set()
        for mark in marks.values():
            if isinstance(mark, _Sent):
                known |= {(mark.records, mark.sha256), (mark.records + 1, mark.end)}
        self.sent = 0
        self.all, self.place = _Place(), _Place()
        with RecordFile(path, self._stream.contract) as file:
            for _ in file:
                self.all.step(file)
                if (self.all.rows, self.all.passed) in known:
                    self.sent = self.all.rows
        self._readings = [file]
        self.rows, self.sha256 = self.all.rows, file.sha256
        if not self.rows:
            raise BadInputError(str(path), "there is no record in it", "Fetch or export it again")
        own = marks.get(self.sha256)
        self.is_known = isinstance(own, _Sent)
        if own is not None:
            self.sent = own if isinstance(own, int) else own.records + bool(own.end)

    def after(self, rows: int) -> Generator[RecordLine]:
        """Yield the records after the first ones, moving `place` along. Callable once."""
        with RecordFile(self._path, self._stream.contract) as file:
            self._readings.append(file)
            try:
                for line in islice(file, self.rows):
                    self.place.step(file)
                    if self.place.rows > rows:
                        yield line
            except BadInputError:
                self.refuse_if_changed()
                raise
        if self.place.rows < self.rows:
            how = f"it has {self.place.rows:,} records, and had {self.rows:,}"
            raise FileChangedError(str(self._path), how)

    def message(self, line: RecordLine, headers: dict[str, str]) -> Message:
        return Message(self._stream.source, line.key, line.value, headers)

    def refuse_if_changed(self) -> None:
        """Raise FileChangedError unless the file still begins with all that was read of it."""
        for file in self._readings:
            file.refuse_if_changed()


def _batches(  # noqa: PLR0913 - how many are sent when, and until when
    records: Iterator[RecordLine],
    rows: int,
    how: Sending,
    timer_ns: Callable[[], int],
    wait: Callable[[float], object],
    stop: Callable[[], bool],
) -> Iterator[list[RecordLine]]:
    """Yield the batches to send, each when it is due, until all rows are sent or a stop."""
    began_ns, taken = timer_ns(), 0
    while taken < rows and not stop():
        due = how.batch_size
        if how.mode == "stream":
            # Due times count from the start, so that delays do not add up.
            passed_ns, next_ns = timer_ns() - began_ns, math.ceil(taken * NS_PER_S / how.rate)
            if passed_ns < next_ns:
                wait((next_ns - passed_ns) / NS_PER_S)
                continue
            due = min(max(int(passed_ns * how.rate / NS_PER_S) + 1 - taken, 1), _MOST_AT_ONCE)
        if not (batch := list(islice(records, due))):
            return
        taken += len(batch)
        yield batch
