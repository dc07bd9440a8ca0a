"""Live entries through a feed, committed as they come, whether the log can be written or not."""

import time
from collections.abc import Callable, Iterable

from barograph.feed.feed import Feed
from barograph.feed.outage import RETRY_S, Commits
from barograph.feed.summary import Summary
from barograph.types import DeadLetter
from barograph.venues.continuity import Received
from barograph.venues.entries import Closing, Entry, Heard

Listen = Callable[[Entry, Received], None]
"""Called with each live entry and what it came to, once that is in the next commit's batch."""


def ingest(  # noqa: PLR0913 - what a live feed and a test of it set
    feed: Feed,
    entries: Iterable[Entry | DeadLetter | None],
    listen: Listen = lambda _entry, _received: None,
    max_delay_s: float = 0.05,
    monotonic: Callable[[], float] = time.monotonic,
    *,
    patient: bool = False,
    retry_s: float = RETRY_S,
) -> Summary:
    """Take live entries until there are no more; connections of an earlier run are lost first.

    They are written when a batch is full, when the first of them waits for `max_delay_s`, or at a
    None, which says that the next one may be long in coming. A dead letter stands for a frame that
    could not be taken in.

    patient: where the log cannot be written the archive alone takes what comes, and the log is
    tried again every `retry_s`. Otherwise LogUnavailableError ends the feed.
    """
    started = monotonic()
    first_s: float | None = None
    commits = Commits(feed, patient=patient, retry_s=retry_s, monotonic=monotonic)
    _lose_all(feed)
    for entry in entries:
        if isinstance(entry, DeadLetter):
            feed.reject(entry)
        elif entry is not None:
            listen(entry, feed.take(entry))
            feed.summary.lines += type(entry) is Heard
        if feed.pending:
            now = monotonic()
            first_s = now if first_s is None else first_s
            if entry is None or feed.full or now - first_s >= max_delay_s:
                commits.commit()
                first_s = None
        elif entry is None:
            commits.look()
    _lose_all(feed)
    commits.end()
    feed.summary.finish(monotonic() - started)
    return feed.summary


def _lose_all(feed: Feed) -> None:
    for connection in feed.connections:
        feed.take(Closing(connection))
