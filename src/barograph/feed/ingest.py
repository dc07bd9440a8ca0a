"""Live entries into a feed: taken one by one, committed in batches, whatever the log allows."""

import time
from collections.abc import Callable, Iterable

from barograph.feed.counted import FeedCounts
from barograph.feed.feed import Feed
from barograph.feed.outage import RETRY_S, Commits
from barograph.feed.summary import Summary
from barograph.types import DeadLetter
from barograph.venues.continuity import Received
from barograph.venues.entries import Closing, Entry, Heard


class Batches:
    """The entries of a feed's live connections, in batches. Not thread-safe.

    Call `take` or `reject` for each entry and `commit_if_due` after it; call `pause` before a wait
    of unknown length, and from time to time during one; call `end` last. A
    batch is due when it is full or its first entry has waited for `max_delay_s`. Connections of an
    earlier run are lost with the start, and those that are open with the end.

    patient: where the log cannot be written the archive alone takes what comes, and the log is
    tried again every `retry_s`. Otherwise LogUnavailableError ends the feed.
    """

    def __init__(
        self,
        feed: Feed,
        *,
        patient: bool = False,
        max_delay_s: float = 0.05,
        retry_s: float = RETRY_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._feed, self._max_delay_s, self._monotonic = feed, max_delay_s, monotonic
        self._started_s = monotonic()
        self._first_s: float | None = None
        self._commits = Commits(feed, patient=patient, retry_s=retry_s, monotonic=monotonic)
        self._counts = FeedCounts(feed.summary)
        self._lose_all()

    def take(self, entry: Entry) -> Received:
        """Take an entry into the current batch and return what it came to."""
        received = self._feed.take(entry)
        self._feed.summary.lines += type(entry) is Heard
        self._counts.take(entry, received)
        return received

    def reject(self, letter: DeadLetter) -> None:
        """Add the dead letter of a frame that could not be taken in."""
        self._feed.reject(letter)

    def commit_if_due(self) -> None:
        """Commit the batch if it is full or its first entry has waited for `max_delay_s`."""
        if not self._feed.pending:
            return
        now_s = self._monotonic()
        if self._first_s is None:
            self._first_s = now_s
        if self._feed.full or now_s - self._first_s >= self._max_delay_s:
            self._commit()

    def pause(self) -> None:
        """Commit what waits; where nothing does and the log is away, try it, and catch it up."""
        if self._feed.pending:
            self._commit()
        else:
            self._commits.look()
            self._counts.stands(in_log=not self._commits.away)

    def end(self) -> Summary:
        """Close every connection, commit the last batch and return the totals since the start."""
        self._lose_all()
        self._commits.end()
        self._counts.publish(self._feed.summary)
        self._feed.summary.finish(self._monotonic() - self._started_s)
        return self._feed.summary

    def _commit(self) -> None:
        self._commits.commit()
        in_log = not self._commits.away
        self._counts.committed(self._feed.summary, self._monotonic(), in_log=in_log)
        self._first_s = None

    def _lose_all(self) -> None:
        for connection in self._feed.connections:
            self._feed.take(Closing(connection))


def ingest(feed: Feed, entries: Iterable[Entry]) -> Summary:
    """Take and commit all entries of an iterable that never blocks."""
    batches = Batches(feed)
    for entry in entries:
        batches.take(entry)
        batches.commit_if_due()
    return batches.end()
