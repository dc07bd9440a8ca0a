"""Waiting for records of an embedded log without asking the file for them.

All handles of one file in one process share its `Arrivals`, which knows how far each partition
reaches. Who wrote records says so after the commit (`grew`) and wakes those that wait for these
partitions, and nobody else. What other processes write is seen by one thread that looks at the
file for all who wait: every 5 ms while others write, every 20 ms where none did for ten seconds.
It ends when nobody has waited for a second.

A wait is about places, not events: it ends as soon as one of the partitions reaches further than
the offset that it is given. So a record that comes between a look and the wait is not missed.
"""

import threading
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from barograph.errors import BarographError
from barograph.log.by_file import ByFile
from barograph.log.database import Database

_LOOK_S = 0.005
_ALONE_LOOK_S = 0.02
_ALONE_AFTER_S = 10.0
_JUDGE_S = 0.5
"""After so long what is in the file and not announced was written by another process."""

_UNUSED_S = 1.0
"""After so long without anybody waiting, nothing is looked at."""


class _Waiter:
    """One who waits: for what, and its bell."""

    __slots__ = ("bell", "positions")

    def __init__(self, positions: Mapping[int, int]) -> None:
        self.positions = positions
        self.bell = threading.Event()

    def is_served(self, ends: Mapping[int, int]) -> bool:
        return any(ends.get(place, 0) > offset for place, offset in self.positions.items())


class Arrivals:
    """How far the partitions of one file reach, and who waits for more. Thread-safe.

    Get it with `arrivals_of`, and give it back with `release`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._ends: dict[int, int] = {}
        self._growths = 0
        """How often an end was noted that the thread did not read."""
        self._written: dict[int, int] = {}
        """The ends that this process wrote."""
        self._unannounced: dict[int, int] = {}
        """Ends that were read in the file before anybody in this process said to have written them:
        its own commits are in the file a moment before that."""
        self.group_changes = 0
        """How often a member of this process changed who is in a group and what is whose."""
        self._waiting: set[_Waiter] = set()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def grew(self, ends: Mapping[int, int]) -> None:
        """Note the next offsets of partitions that a commit of this process made longer."""
        with self._guard:
            self._growths += 1
            for place, end in ends.items():
                self._ends[place] = max(end, self._ends.get(place, 0))
            self._written |= ends
            self._ring(ends)

    def group_changed(self) -> None:
        """Count a change of a group, so that its members in this process look at it."""
        with self._guard:
            self.group_changes += 1

    def know(self, ends: Mapping[int, int]) -> None:
        """Note the next offsets of partitions as somebody read them in the file."""
        with self._guard:
            news = {place: end for place, end in ends.items() if end > self._ends.get(place, 0)}
            if news:
                self._growths += 1
                self._ends |= news
                self._unannounced |= news

    def beyond(self, positions: Mapping[int, int]) -> dict[int, int]:
        """Return the known ends of those partitions that reach beyond their offset in `positions`.

        Others may do so too, by what another process wrote since the last look.
        """
        ends = self._ends
        return {
            place: ends[place] for place, offset in positions.items() if ends.get(place, 0) > offset
        }

    def wait(self, positions: Mapping[int, int], limit_s: float) -> None:
        """Sleep until a partition reaches beyond its offset in `positions`, or the limit is over.

        positions: by the id of the partition.
        """
        waiter = _Waiter(positions)
        with self._guard:
            if waiter.is_served(self._ends):
                return
            self._waiting.add(waiter)
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._watch, name="log-watch", daemon=True)
                self._thread.start()
        try:
            waiter.bell.wait(limit_s)
        finally:
            with self._guard:
                self._waiting.discard(waiter)

    def stop(self) -> None:
        """End the thread; nobody is woken for other processes' records any more."""
        self._stop.set()
        thread = self._thread
        if thread is not None:
            thread.join()

    def _ring(self, ends: Mapping[int, int]) -> None:
        for waiter in self._waiting:
            if waiter.is_served(ends):
                waiter.bell.set()

    def _watch(self) -> None:
        """Look at the file for all who wait, until the end or until nobody does."""
        try:
            with closing(Database(self._path, 0.0)) as database:
                self._look_on(database)
        except (BarographError, OSError, MemoryError):
            # Those who wait look themselves, later, and say what is wrong. The next one that
            # waits starts this again.
            self._pause(_UNUSED_S)
            with self._guard:
                self._thread = None

    def _look_on(self, database: Database) -> None:
        pause_s, seen, suspects = 0.0, -1, dict[int, int]()
        used_s = foreign_s = judged_s = time.monotonic()
        while not self._pause(pause_s):
            now_s = time.monotonic()
            with self._guard:
                if self._waiting:
                    used_s = now_s
                elif now_s - used_s > _UNUSED_S:
                    self._thread = None
                    return
                if now_s - judged_s > _JUDGE_S:
                    judged_s = now_s
                    if any(end > self._written.get(place, 0) for place, end in suspects.items()):
                        foreign_s = now_s
                    suspects, self._unannounced = self._unannounced, {}
            pause_s = _ALONE_LOOK_S if now_s - foreign_s > _ALONE_AFTER_S else _LOOK_S
            version = database.data_version()
            if version != seen:
                seen, growths = version, self._growths
                self._saw(dict(database.rows("ends")), growths)

    def _pause(self, pause_s: float) -> bool:
        return self._stop.wait(pause_s)

    def _saw(self, ends: dict[int, int], growths: int) -> None:
        """Take what the file says.

        growths: how often ends had been noted before the file was read.
        """
        with self._guard:
            news = {place: end for place, end in ends.items() if end > self._ends.get(place, 0)}
            if growths == self._growths:
                self._ends = ends
            else:
                self._ends |= news
            self._unannounced |= news
            self._ring(news)


_shared = ByFile(Arrivals, Arrivals.stop)


def arrivals_of(path: Path) -> Arrivals:
    """Return this process's arrivals of a log file, which is there; to be given to `release`."""
    return _shared.take(path)


def release(arrivals: Arrivals) -> None:
    """Give back what `arrivals_of` returned; with the last user its thread ends."""
    _shared.release(arrivals)
