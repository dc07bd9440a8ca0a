"""One tail of the log for all boards: fills them from what it keeps, then follows it.

The thread waits for the log, which wakes it as soon as another connection commits, and hands the
records to the event loop, where boards and readers live. What a board needs promptly has a reader
of its own; the many records of sources are read a few times a second beside it.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

from barograph.app.web.boards import Board, in_order
from barograph.app.web.fill import from_offset, gaps_before, parts_of, rows_from
from barograph.app.web.series_rows import WINDOW_S
from barograph.errors import BarographError, OffsetGapError
from barograph.log import Extent, Log, LogReader, browse, open_log
from barograph.types import Record, TopicPartition

FILL_RECORDS = 400_000
"""Records of a prompt topic that a board is filled from at most, of all partitions together."""

FILL_SOURCE = 20_000
"""Records of a source that it is filled from at most; older gaps come a little later."""

_AT_ONCE = 500
_WAIT_S = 0.25
_SLOW_S = 0.25
_SLOW_RECORDS = 10_000
_NEW_TOPICS_S = 2.0
_AGAIN_S = 1.0
_PAUSE_S = 0.005
"""Between pages that are searched for gaps: others of this process want to work meanwhile."""

_ON_THE_WAY = 4
"""Batches that the event loop has still to take at most."""


class Tail:
    """The thread that follows the log at `address` for some boards, from `start` to `stop`.

    filled: called on `loop` once, when the boards have what the log keeps; until then they are the
    thread's own. deliver: called there with what came since. warn: called with a line when the
    log cannot be read.
    """

    def __init__(  # noqa: PLR0913 - what is followed, and who is to know of it
        self,
        address: str | Path,
        boards: Sequence[Board],
        loop: asyncio.AbstractEventLoop,
        *,
        filled: Callable[[], None],
        deliver: Callable[[Sequence[Record]], None],
        warn: Callable[[str], None],
    ) -> None:
        self._address, self._boards, self._loop = address, boards, loop
        self._filled, self._deliver, self._warn = filled, deliver, warn
        self._stop = threading.Event()
        self._is_filled = False
        self.problem = ""
        """Why the log cannot be read now; empty where it can."""
        self._positions: dict[TopicPartition, int] = {}
        self._filled_to: dict[str, list[Extent]] = {}
        self._prompt = {topic for board in boards for topic in board.prompt}
        self._slow = {topic for board in boards for topic in board.slow} - self._prompt
        self._room = threading.Semaphore(_ON_THE_WAY)
        self._thread = threading.Thread(target=self._run, name="web-tail", daemon=True)
        self._gaps = threading.Thread(target=self._find_gaps, name="web-gaps", daemon=True)
        self.gaps_known = threading.Event()
        """Set when the gaps of the last day have been looked for."""

    def start(self) -> None:
        """Start to fill the boards."""
        self._thread.start()

    def stop(self, limit_s: float = 2.0) -> None:
        """End, and wait for that, for a while at most."""
        self._stop.set()
        self._thread.join(limit_s)
        if self._gaps.ident is not None:
            self._gaps.join(limit_s)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            problem = ""
            try:
                with closing(open_log(self._address)) as log:
                    if not self._is_filled:
                        self._fill(log)
                    self._follow(log)
            except OffsetGapError as gone:
                self._positions[TopicPartition(gone.topic, gone.partition)] = gone.oldest
            except (BarographError, OSError, MemoryError) as error:
                problem = " ".join(str(error).split()) or repr(error)
            if problem:
                if problem != self.problem:
                    self._warn(f"the web server cannot read the log: {problem}")
                self.problem = problem
                self._stop.wait(_AGAIN_S)

    # What the log keeps.

    def _fill(self, log: Log) -> None:
        """Give the boards the newest records of their topics, without events."""
        for topic in self._known(log, self._slow) + self._known(log, self._prompt):
            extents = log.extents(topic)
            for extent, start in self._starts(log, topic, extents):
                self._positions[TopicPartition(topic, extent.partition)] = extent.next
                records = browse.upwards(log, topic, from_offset(extent, start))
                while page := list(islice(records, _AT_ONCE)):
                    if self._stop.is_set():
                        return
                    for board in self._boards:
                        if topic in board.prompt or topic in board.slow:
                            board.receive(page, quiet=True)
            self._filled_to[topic] = extents
            for board in self._boards:
                board.places.know(topic, [extent.next for extent in extents])
        self._is_filled = True
        self._call(self._filled)
        self._gaps.start()

    def _starts(self, log: Log, topic: str, extents: list[Extent]) -> list[tuple[Extent, int]]:
        """Where each partition is read from."""
        if topic in self._slow:
            return parts_of(extents, FILL_SOURCE)
        starts = parts_of(extents, FILL_RECORDS)
        if any(topic == board.rows_topic for board in self._boards):
            most = FILL_RECORDS // len(extents)
            return [(extent, rows_from(log, topic, extent, most)) for extent, _ in starts]
        return starts

    def _find_gaps(self) -> None:
        """Hand the boards the gaps of the last day, whose records may be too old for the fill."""
        try:
            with closing(open_log(self._address)) as log:
                for board in self._boards:
                    for extent in self._filled_to.get(board.gap_topic, ()):
                        self._hand_gaps(log, board, extent)
        except (BarographError, OSError, MemoryError) as error:
            self._warn(f"older gaps have no cause: {' '.join(str(error).split())}")
        self.gaps_known.set()

    def _hand_gaps(self, log: Log, board: Board, extent: Extent) -> None:
        def going_on() -> bool:
            return not self._stop.wait(_PAUSE_S)

        for records in gaps_before(log, board.gap_topic, extent, WINDOW_S, going_on):
            if records:
                self._call(board.take_gaps, records)

    def _known(self, log: Log, topics: Iterable[str]) -> list[str]:
        return sorted({topic.name for topic in log.topics()} & set(topics))

    # What comes.

    def _follow(self, log: Log) -> None:
        """Hand on what comes, until the end or until a topic is new."""
        self._learn(log)
        with (
            closing(self._reader(log, self._prompt)) as prompt,
            closing(self._reader(log, self._slow)) as slow,
        ):
            self.problem = ""
            slow_s = topics_s = time.monotonic()
            while not self._stop.is_set():
                self._hand(prompt, prompt.take(_AT_ONCE, _WAIT_S))
                now_s = time.monotonic()
                if now_s >= slow_s:
                    self._hand(slow, slow.take(_SLOW_RECORDS, 0))
                    slow_s = now_s + _SLOW_S
                if now_s >= topics_s + _NEW_TOPICS_S:
                    if self._learn(log):
                        return
                    topics_s = now_s

    def _reader(self, log: Log, topics: set[str]) -> LogReader:
        return log.follow({p: o for p, o in self._positions.items() if p.topic in topics})

    def _learn(self, log: Log) -> bool:
        """Take up the topics that were made since; return whether there are any."""
        known = {place.topic for place in self._positions}
        new = [topic for topic in self._known(log, self._prompt | self._slow) if topic not in known]
        for topic in new:
            extents = log.extents(topic)
            for extent in extents:
                self._positions[TopicPartition(topic, extent.partition)] = extent.oldest
            offsets = [extent.oldest for extent in extents]
            for board in self._boards:
                self._call(board.places.know, topic, list(offsets))
        return bool(new)

    def _hand(self, reader: LogReader, records: Sequence[Record]) -> None:
        if not records:
            return
        while not self._room.acquire(timeout=_WAIT_S):
            if self._stop.is_set():
                return
        self._call(self._deliver_one, in_order(records))
        self._positions.update(reader.positions)

    def _deliver_one(self, records: Sequence[Record]) -> None:
        try:
            self._deliver(records)
        finally:
            self._room.release()

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop has ended
            self._stop.set()


def by_board(boards: Iterable[Board], records: Sequence[Record]) -> Mapping[str, list[Record]]:
    """The records of each board's topics, by its name."""
    topics = {board.name: {*board.prompt, *board.slow} for board in boards}
    return {
        name: own
        for name, of_board in topics.items()
        if (own := [each for each in records if each.topic in of_board])
    }
