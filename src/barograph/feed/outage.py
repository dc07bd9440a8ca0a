"""A feed's commits, and what becomes of them while the log cannot be written.

Another program may hold the log's write lock, its disk may stall or be full, the broker may be
away. None of that keeps the archive from taking what is heard, and what the log lacks follows from
the archive:

1.  A commit that fails with OutageError begins an outage: one line to the
    user, and the archive alone is written from then on. Where the archive has no room either, its
    error ends the feed.
2.  A thread tries the log now and then. It waits there, and the feed does not.
3.  Once the log can be written, it takes up what it lacks, in steps, between which the archive goes
    on. With the last step the outage is over, and a line says so.

A feed that ends in an outage leaves what a crash leaves: the next start takes it up, by the same
code.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from barograph.errors import SAY_AGAIN_S, OutageError
from barograph.feed.feed import Feed
from barograph.figures import duration

RETRY_S = 2.0

_LAST_S = 3.0
"""How long the end tries to take up what the log lacks; the next start does the rest."""


class Commits:
    """The commits of one feed, from its one thread. `patient` as `Batches` says."""

    def __init__(
        self,
        feed: Feed,
        *,
        patient: bool,
        retry_s: float = RETRY_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._feed, self._patient = feed, patient
        self._retry_s, self._monotonic = retry_s, monotonic
        self._since_s: float | None = None
        self._said_s = self._next_s = 0.0
        self._trial: Future[None] | None = None
        self._steps: Iterator[None] | None = None

    @property
    def away(self) -> bool:
        """Whether an outage is under way, in which the log is not written."""
        return self._since_s is not None

    def commit(self) -> None:
        """Write what was taken: to archive and log, or to the archive alone in an outage."""
        if self.away:
            self._feed.keep()
            self.look()
            return
        try:
            self._feed.commit()
        except OutageError as error:
            if not self._patient:
                raise
            self._feed.keep()
            self._since_s = self._said_s = self._monotonic()
            self._say(error, "")
            self._next_s = self._since_s + self._retry_s

    def look(self) -> None:
        """In an outage, bring the log one step further if it can be written; else do nothing."""
        if not self.away:
            return
        try:
            if self._steps is not None or self._is_back():
                self._step()
        except OutageError as error:
            self._steps = None
            self._failed(error)

    def end(self) -> None:
        """The last commit; in an outage the archive has it, and the next start takes it up."""
        self.commit()
        ends_s = time.monotonic() + _LAST_S
        while self._steps is not None and time.monotonic() < ends_s:
            self.look()
        if self.away:
            self._feed.warn(
                "the log still lacks what was archived in the last "
                f"{self._lasted()}: the next start takes it up"
            )

    def _is_back(self) -> bool:
        """Return whether a trial write reached the log; start a trial when one is due."""
        if self._trial is None:
            if self._monotonic() >= self._next_s:
                self._trial = _tried(self._feed.try_log)
            return False
        if not self._trial.done():
            return False
        trial, self._trial = self._trial, None
        trial.result()
        return True

    def _step(self) -> None:
        if self._steps is None:
            self._steps = self._feed.catch_up()
        for _ in self._steps:
            return
        self._steps = None
        self._feed.warn(
            f"the log can be written again, and has what was archived in the {self._lasted()} "
            "without it"
        )
        self._since_s = None

    def _failed(self, error: OutageError) -> None:
        now_s = self._monotonic()
        self._next_s = now_s + self._retry_s
        if now_s - self._said_s >= SAY_AGAIN_S:
            self._said_s = now_s
            self._say(error, f", for {self._lasted()} now")

    def _say(self, error: OutageError, since: str) -> None:
        self._feed.warn(
            f"the log cannot be written{since} ({error.path}: {error.why}): frames are "
            "archived meanwhile, the log takes them up when it can"
        )

    def _lasted(self) -> str:
        return duration(round(self._monotonic() - (self._since_s or 0.0)))


def _tried(try_log: Callable[[], None]) -> Future[None]:
    """Call a function in a thread of its own; the future has its result."""
    thread = ThreadPoolExecutor(1, "log trial")
    trial = thread.submit(try_log)
    thread.shutdown(wait=False)
    return trial
