"""One tail of the log for all boards: fills them from what it keeps, then follows it.

A thread reads what the page shows first, then waits for the log, which wakes it as soon as another
connection commits, and hands the records to the event loop, where boards and readers live. What a
stream's readers wait for has a reader of its own; all else, as records of sources, is read a few
times a second beside it. A second thread hands the boards what the log has of the time before.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice, repeat
from pathlib import Path

from msgspec.structs import replace

from barograph.app.web.boards import Board, in_order
from barograph.app.web.fill import by_turns, gaps_before, lots_before, newest, starts
from barograph.app.web.series_rows import WINDOW_S
from barograph.errors import BarographError, OffsetGapError
from barograph.log import Extent, Log, LogReader, browse, open_log
from barograph.types import Record, TopicPartition

_AT_ONCE = 500
_WAIT_S = 0.25
_OTHERS_S = 0.25
_MANY = 10_000
_NEW_TOPICS_S = 2.0
_AGAIN_S = 1.0
_PAUSE_S = 0.005
"""Between lots of older records: others of this process want to work meanwhile."""

_ON_THE_WAY = 4
"""Batches that the event loop has still to take at most."""


class Tail:
    """The thread that follows the log at `address` for some boards, from `start` to `stop`.

    filled: called on `loop` once, when the boards have what is shown first; until then they are the
    thread's own. completed: called there once, when they have what lies before that, too, or the
    log cannot be read for it. deliver: called there with what came since. warn: called with a line
    when the log cannot be read.
    """

    def __init__(  # noqa: PLR0913 - what is followed, and who is to know of it
        self,
        address: str | Path,
        boards: Sequence[Board],
        loop: asyncio.AbstractEventLoop,
        *,
        filled: Callable[[], None],
        completed: Callable[[], None],
        deliver: Callable[[Sequence[Record]], None],
        warn: Callable[[str], None],
    ) -> None:
        self._address, self._boards, self._loop = address, boards, loop
        self._filled, self._completed = filled, completed
        self._deliver, self._warn = deliver, warn
        self._stop = threading.Event()
        self._is_filled = False
        self.problem = ""
        """Why the log cannot be read now; empty where it can."""
        self._positions: dict[TopicPartition, int] = {}
        self._read: dict[str, list[tuple[Extent, Extent]]] = {}
        """What each partition of a topic had at the fill, and the part of it that is read."""
        self._filled_to: dict[TopicPartition, int] = {}
        """How far each partition was read, where the fill goes on after a log that was away."""
        self._topics = {topic for board in boards for topic in board.fills}
        self._awaited = {topic for board in boards for topic in board.awaited}
        self._room = threading.Semaphore(_ON_THE_WAY)
        self._room_of_older = threading.Semaphore(1)
        self._thread = threading.Thread(target=self._run, name="web-tail", daemon=True)
        self._older = threading.Thread(target=self._take_older, name="web-older", daemon=True)

    def start(self) -> None:
        """Start to fill the boards."""
        self._thread.start()

    def stop(self, limit_s: float = 2.0) -> None:
        """End, and wait for that, for a while at most."""
        self._stop.set()
        self._thread.join(limit_s)
        if self._older.ident is not None:
            self._older.join(limit_s)

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
        for topic in self._known(log):
            boards = [board for board in self._boards if topic in board.fills]
            if topic not in self._read:
                extents = log.extents(topic)
                fill = max((board.fills[topic] for board in boards), key=lambda each: each.newest)
                parts = starts(log, topic, extents, fill)
                self._read[topic] = list(zip(extents, parts, strict=True))
            for _, part in self._read[topic]:
                place = TopicPartition(topic, part.partition)
                self._positions[place] = part.next
                left = replace(part, oldest=self._filled_to.get(place, part.oldest))
                records = browse.upwards(log, topic, left)
                while page := list(islice(records, _AT_ONCE)):
                    if self._stop.is_set():
                        return
                    for board in boards:
                        board.receive(page, quiet=True)
                    self._filled_to[place] = page[-1].offset + 1
            for board in boards:
                board.places.know(topic, [extent.next for extent, _ in self._read[topic]])
        self._is_filled = True
        self._call(self._filled)
        self._older.start()

    def _take_older(self) -> None:
        """Hand the boards what lies before, of all topics by turns, the newest first."""
        try:
            with closing(open_log(self._address)) as log:
                for board, records in by_turns(list(self._older_lots(log))):
                    if records:
                        self._call_in(self._room_of_older, board.take_older, records)
                    if self._stop.wait(_PAUSE_S):
                        return
        except (BarographError, OSError, MemoryError) as error:
            why = " ".join(str(error).split())
            self._warn(f"the page lacks what is older than an hour: {why}")
        self._call(self._completed)

    def _older_lots(self, log: Log) -> Iterator[Iterator[tuple[Board, list[Record]]]]:
        """For each board, topic and partition what the board wants of it, the newest first."""
        for board in self._boards:
            for topic in board.fills.keys() & self._read.keys():
                for kept, read in self._read[topic]:
                    for each in self._older_of(log, board, topic, kept, read):
                        yield zip(repeat(board), each, strict=False)

    def _older_of(
        self, log: Log, board: Board, topic: str, kept: Extent, read: Extent
    ) -> Iterator[Iterator[list[Record]]]:
        most = board.fills[topic].most // len(self._read[topic])
        if most:
            yield lots_before(log, topic, newest(kept, most), read.oldest)
        if topic == board.gap_topic:
            yield gaps_before(log, topic, kept, WINDOW_S)

    def _known(self, log: Log) -> list[str]:
        return sorted({topic.name for topic in log.topics()} & self._topics)

    # What comes.

    def _follow(self, log: Log) -> None:
        """Hand on what comes, until the end or until a topic is new."""
        self._learn(log)
        with (
            closing(self._reader(log, self._awaited)) as awaited,
            closing(self._reader(log, self._topics - self._awaited)) as others,
        ):
            self.problem = ""
            others_s = topics_s = time.monotonic()
            while not self._stop.is_set():
                self._hand(awaited, awaited.take(_AT_ONCE, _WAIT_S))
                now_s = time.monotonic()
                if now_s >= others_s:
                    self._hand(others, others.take(_MANY, 0))
                    others_s = now_s + _OTHERS_S
                if now_s >= topics_s + _NEW_TOPICS_S:
                    if self._learn(log):
                        return
                    topics_s = now_s

    def _reader(self, log: Log, topics: set[str]) -> LogReader:
        return log.follow({p: o for p, o in self._positions.items() if p.topic in topics})

    def _learn(self, log: Log) -> bool:
        """Take up the topics that were made since; return whether there are any."""
        known = {place.topic for place in self._positions}
        new = [topic for topic in self._known(log) if topic not in known]
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
        if self._call_in(self._room, self._deliver, in_order(records)):
            self._positions.update(reader.positions)

    def _call_in(
        self, room: threading.Semaphore, function: Callable[..., None], *arguments: object
    ) -> bool:
        """Have the loop call a function once there is room; False where it is to stop before."""
        while not room.acquire(timeout=_WAIT_S):
            if self._stop.is_set():
                return False

        def called() -> None:
            try:
                function(*arguments)
            finally:
                room.release()

        self._call(called)
        return True

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop has ended
            self._stop.set()


def by_board(boards: Iterable[Board], records: Sequence[Record]) -> Mapping[str, list[Record]]:
    """The records of each board's topics, by its name."""
    return {
        board.name: own
        for board in boards
        if (own := [each for each in records if each.topic in board.fills])
    }
