"""The producer: the records of a file into the topic of their case, each once, whatever is killed.

1.  The file is read through: a file that cannot be read to its end is refused before anything of it
    is sent.
2.  Records are appended in the file's order and, in the same step, how many of them were sent; the
    file is known by the hash of its content. So a producer that died goes on after the last record
    that the log took.
"""

import math
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from barograph.errors import BadInputError
from barograph.lines import file_sha256
from barograph.log import Log
from barograph.record_file import Line, lines
from barograph.types import NS_PER_S, Message

if TYPE_CHECKING:  # whoever has a case has loaded it
    from barograph.case import Case, Stream

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
    wait: sleeps for so many seconds, or less. stop: asked before each append. progress: called with
    the records sent, by earlier runs too, and those in the file.
    Raises BadInputError as `record_file.lines`, and when the file is changed meanwhile;
    ReplacedProducerError when another producer of the case starts.
    """
    started_ns = timer_ns()
    source = _Source(file, case)
    producer = f"produce.{case.name}"
    skipped = int(log.producer_checkpoints(producer).get(source.sha256, b"0"))
    if again and skipped == source.rows:
        skipped = 0
    position, size = skipped, 0
    progress(position, source.rows)
    for batch in _batches(source.after(skipped), source.rows - skipped, how, timer_ns, wait, stop):
        source.refuse_if_changed()
        position += len(batch)
        headers = {PRODUCED_TIME: str(clock_ns())}
        log.append(
            [source.message(line, headers) for line in batch],
            producer=producer,
            checkpoints={source.sha256: b"%d" % position},
        )
        size += sum(len(line.value) for line in batch)
        progress(position, source.rows)
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
    """What `produce` would send of a file, without a log. Raises BadInputError likewise."""
    source = _Source(file, case)
    return (source.message(line, {}) for line in source.after(0))


def stream_of(case: "Case") -> "Stream":
    """The stream of a case. Raises BadInputError for a case without one."""
    if case.stream is None:
        raise BadInputError(
            f"case {case.name}", "it has no topic of records", "Name a case that has one"
        )
    return case.stream


class _Source:
    """A file of records that can be read to its end, and the topic for which it is meant."""

    def __init__(self, file: Path, case: "Case") -> None:
        self._file, self._stream = file, stream_of(case)
        self._version = self._look()
        self.rows = sum(1 for _ in self.after(0))
        if not self.rows:
            raise BadInputError(str(file), "there is no record in it", "Fetch or export it again")
        self.sha256 = file_sha256(file)

    def after(self, rows: int) -> Iterator[Line]:
        return islice(lines(self._file, self._stream.contract), rows, None)

    def message(self, line: Line, headers: dict[str, str]) -> Message:
        return Message(self._stream.source, line.key, line.value, headers)

    def refuse_if_changed(self) -> None:
        if self._look() != self._version:
            raise BadInputError(
                str(self._file), "it changed while it was sent", "Send a file that stays as it is"
            )

    def _look(self) -> tuple[int, int, int]:
        try:
            seen = self._file.stat()
        except OSError as error:
            raise BadInputError(
                str(self._file), error.strerror or str(error), "Name a readable file"
            ) from None
        return seen.st_ino, seen.st_size, seen.st_mtime_ns


def _batches(  # noqa: PLR0913 - how many are sent when, and until when
    records: Iterator[Line],
    rows: int,
    how: Sending,
    timer_ns: Callable[[], int],
    wait: Callable[[float], object],
    stop: Callable[[], bool],
) -> Iterator[list[Line]]:
    """What is to be sent next, once it is time; nothing more after `rows` or a stop."""
    began_ns, taken = timer_ns(), 0
    while taken < rows and not stop():
        due = how.batch_size
        if how.mode == "stream":
            # By the time since the beginning, so that no delay adds up.
            passed_ns, next_ns = timer_ns() - began_ns, math.ceil(taken * NS_PER_S / how.rate)
            if passed_ns < next_ns:
                wait((next_ns - passed_ns) / NS_PER_S)
                continue
            due = min(max(int(passed_ns * how.rate / NS_PER_S) + 1 - taken, 1), _MOST_AT_ONCE)
        if not (batch := list(islice(records, due))):
            return
        taken += len(batch)
        yield batch
