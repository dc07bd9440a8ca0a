"""A live feed: a venue's stream into archive and log, its holes filled, its clock watched."""

import time
from collections.abc import Callable
from threading import Event
from typing import Protocol

import msgspec

from barograph.errors import SAY_AGAIN_S, BadInputError
from barograph.feed.clock_offset import ClockOffset, Offset
from barograph.feed.counted import ConnectionCounts
from barograph.feed.feed import Feed
from barograph.feed.hole_asks import Asks
from barograph.feed.hole_pages import Asked, Item, Trouble
from barograph.feed.inbox import Inbox
from barograph.feed.ingest import Batches
from barograph.feed.refused import Refusals
from barograph.feed.seconds import Seconds
from barograph.feed.subscriptions import Subscribed
from barograph.feed.summary import Summary
from barograph.feed.venue_socket import FrameStream, ListenPlan
from barograph.types import DeadLetter, FeedStatus, Gap, Heartbeat, Tick
from barograph.venues.coinbase.dialect_machine import ahead_ns
from barograph.venues.continuity import Notice, Received
from barograph.venues.entries import Closing, Entry, Heard, Opening

COMMIT_AFTER_S = 0.005
"""How long the first entry of a batch waits for others, where no backlog makes it longer."""

_BACKLOG = 100
"""Where so many entries wait, the end of a second is no reason to commit a batch sooner."""

STATUS_EVERY_S = 5.0

_MOST_REASONS = 100
_LOOK_EVERY_S = 0.02
_IDLE_S = 0.05
_ENTRIES_AT_A_TIME = 1024


class Note(Protocol):
    """Takes an event and its facts."""

    def __call__(self, event: str, /, **facts: object) -> None:
        """Take note of what happened."""


class LiveSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a live feed heard, from where, and how its connections were.

    `refused` has the venue's reason for each product that it does not send. `queue_full` counts how
    often the socket was not read because the writer was behind, `overflows` the connections that
    were given up because the venue left too much of ours unread, `troubles` how often a connection
    could not be made again or was given up. `holes_asked` holes were requested from REST;
    `rest_failures` counts the answers that were of no use. `clock` is exchange − receive time over
    the last minute. `first_refusals` are the first reasons by fault.
    """

    venue: str
    address: str
    products: tuple[str, ...]
    refused: dict[str, str]
    connections: int
    queue_full: int
    overflows: int = 0
    troubles: int = 0
    holes_asked: int
    rest_failures: int = 0
    clock: Offset | None
    first_refusals: dict[str, str] = {}
    feed: Summary


def listen(  # noqa: PLR0913 - the feed, its plan, and who is to know what
    feed: Feed,
    plan: ListenPlan,
    stop: Event,
    warn: Callable[[str], None],
    show: Callable[[str], None] = lambda _line: None,
    note: Note = lambda _event, /, **_facts: None,
) -> LiveSummary:
    """Take what a venue sends until `stop` is set, the time is over, or nothing is to be expected.

    What was received by then is committed. `warn` gets what a person should know, `show` a status
    line at intervals; `note` is called with each connection that opens or closes. Raises
    BadInputError when the venue cannot be reached at first, or refuses all products.
    """
    return _Listening(feed, plan, stop, warn, show, note).run()


class _Listening:
    """One run, in the writer's thread; the stream has its own, and nothing else calls in here.

    `run` waits for what the stream put into the inbox, for as long as a batch may; each item is
    taken (`_take`), and what an entry came to is heard (`_heard`): connection, clock, refusals.
    `Batches` commits, at once where a second of a product ended. Every 20 ms `_look_around` does
    what the clock asks for.
    """

    def __init__(  # noqa: PLR0913 - what `listen` was given
        self,
        feed: Feed,
        plan: ListenPlan,
        stop: Event,
        warn: Callable[[str], None],
        show: Callable[[str], None],
        note: Note,
    ) -> None:
        self._note = note
        self._feed, self._plan, self._stop, self._warn, self._show = feed, plan, stop, warn, show
        self._venue = plan.endpoint.venue
        self._inbox = Inbox[Item](plan.queue_entries, plan.queue_bytes)
        self._stream = FrameStream(plan, self._inbox)
        limits = plan.limits
        self._asks = Asks(self._stream.ask, try_for_s=limits.fill_s, hold_for_s=limits.hold_s)
        self._subscribed = Subscribed(plan.endpoint, plan.products, warn)
        self._clock, self._clock_is_off = ClockOffset(), False
        self._refusals, self._counts = Refusals(), ConnectionCounts()
        self._connection, self._since_ns, self._frames, self._opened = "", 0, 0, 0
        self._failure: BadInputError | None = None
        self._rest_problem, self._rest_failures = "", 0
        self._troubles, self._warned_s = 0, dict[str, float]()
        self._seconds, self._second_ended = Seconds(), False
        self._stopped = False
        self._ends_s = None if plan.seconds is None else time.monotonic() + plan.seconds
        self._look_s = 0.0
        self._status_s = time.monotonic() + STATUS_EVERY_S

    def run(self) -> LiveSummary:
        """Wait, take, commit and look around, until the stream has ended and all of it is taken."""
        self._feed.summary.one_book |= self._plan.one_book
        with self._stream:
            batches = Batches(self._feed, patient=True)
            first_s = now_s = time.monotonic()
            while not self._inbox.ended():
                pending = self._feed.pending
                wait_s = first_s + COMMIT_AFTER_S - now_s if pending else _IDLE_S
                items = self._inbox.take(_ENTRIES_AT_A_TIME, max(wait_s, 0.0))
                if not pending:
                    first_s = time.monotonic()
                for item in items:
                    self._take(item, batches)
                    batches.commit_if_due()
                now_s = time.monotonic()
                if not items or self._is_due(now_s - first_s):
                    batches.pause()
                    self._second_ended = False
                if now_s >= self._look_s:
                    self._look_s = now_s + _LOOK_EVERY_S
                    self._look_around(batches, now_s)
            summary = batches.end()
        failure = self._failure or self._stream.failure
        if failure is not None:
            raise failure
        return self._summary_with(summary)

    def _is_due(self, waited_s: float) -> bool:
        """Whether the batch is to be committed whose first entry has waited so long."""
        if self._second_ended and len(self._inbox) < _BACKLOG:
            return True
        # Where more is waiting a larger batch costs less; `Batches` bounds it.
        return not self._inbox and waited_s >= COMMIT_AFTER_S

    def _take(self, item: Item, batches: Batches) -> None:
        """Handle an item of the stream: an entry, or how a request or connection ended."""
        if isinstance(item, Asked):
            self._answered(item)
        elif isinstance(item, Trouble):
            self._troubled(item.why, time.monotonic())
        elif isinstance(item, DeadLetter):
            self._refusals.take(0, [item], time.monotonic())
            batches.reject(item)
        else:
            self._heard(item, batches.take(item))

    def _look_around(self, batches: Batches, now_s: float) -> None:
        """Do what the clock requires: end, request or settle holes, report the status."""
        failure = self._subscribed.look(now_s)
        self._failure = self._failure or failure
        over = self._ends_s is not None and now_s >= self._ends_s
        if not self._stopped and (over or self._failure is not None or self._stop.is_set()):
            self._stopped = True
            self._stream.stop()
        for due in self._asks.look(self._feed.holes(), now_s):
            settlement = msgspec.structs.replace(due, receive_time_ns=time.time_ns())
            self._heard(settlement, batches.take(settlement))
            batches.commit_if_due()
        if now_s >= self._status_s:
            self._status_s = now_s + STATUS_EVERY_S
            self._tell()

    def _summary_with(self, summary: Summary) -> LiveSummary:
        return LiveSummary(
            venue=self._venue,
            address=self._plan.endpoint.socket,
            products=self._plan.products,
            refused=self._subscribed.refused,
            connections=self._stream.connections,
            queue_full=self._inbox.full,
            overflows=self._stream.overflows,
            troubles=self._troubles,
            holes_asked=self._asks.holes_asked,
            rest_failures=self._rest_failures,
            clock=self._clock.offset(),
            first_refusals=self._refusals.first,
            feed=summary,
        )

    def _heard(self, entry: Entry, received: Received) -> None:
        if type(entry) is Heard:
            self._frames += 1
        elif type(entry) is Opening:
            self._connection, self._since_ns = entry.connection, time.time_ns()
            self._frames, self._clock = 0, ClockOffset()
            self._opened += 1
            if self._opened == 1 and self._plan.unchecked:
                self._warn(self._plan.unchecked)
            self._subscribed.opened(time.monotonic())
            self._note("connected", venue=self._venue, connections=self._opened)
        elif type(entry) is Closing:
            self._subscribed.closed()
            self._note("disconnected", venue=self._venue, frames=self._frames)
        for event in received.events:
            if type(event) is Heartbeat or (type(event) is Tick and not event.snapshot):
                received_ns = event.receive_time_ns
                if received_ns is not None:
                    self._clock.add(event.event_time_ns, received_ns)
        self._refused(received)
        self._subscribed.heard(received.events)
        self._second_ended |= self._seconds.end(received.events)
        for notice in received.notices:
            self._noticed(notice)

    def _refused(self, received: Received) -> None:
        """Count what passed and what did not; the clock is measured over both."""
        passed = sum(type(event) is not Gap for event in received.events)
        for letter in received.dead_letters:
            ahead, received_ns = ahead_ns(letter), letter.receive_time_ns
            if ahead is not None and received_ns is not None:
                self._clock.add(received_ns + ahead, received_ns)
        self._refusals.take(passed, received.dead_letters, time.monotonic())

    def _answered(self, answer: Asked) -> None:
        self._asks.answered(answer.hole, time.monotonic())
        self._rest_failures += bool(answer.problem)
        if answer.problem and not self._rest_problem:
            self._warn(
                f"{self._venue} does not give the trades of a hole: {answer.problem}. "
                "What it does not give is recorded as a gap"
            )
        self._rest_problem = answer.problem

    def _troubled(self, why: str, now_s: float) -> None:
        """Report why there is no connection, at most once each SAY_AGAIN_S for each reason."""
        self._troubles += 1
        if now_s - self._warned_s.get(why, -SAY_AGAIN_S) < SAY_AGAIN_S:
            return
        if len(self._warned_s) >= _MOST_REASONS:
            self._warned_s.clear()
        self._warned_s[why] = now_s
        self._warn(f"{self._venue}: {why}. It is tried again")

    def _noticed(self, notice: Notice) -> None:
        if notice.kind == "subscribed":
            self._subscribed.confirmed(notice.products)
        else:
            self._subscribed.error(notice.text, notice.products)

    def _tell(self) -> None:
        """Publish the status of the connection and show it."""
        offset = self._clock.offset()
        status = self._status(offset)
        self._counts.publish(status, self._opened)
        if self._connection:
            self._feed.report(status)
        lately = self._refusals.lately(time.monotonic())
        refused = f", {lately.refused:,} refused in the last minute: {lately.first}"
        line = f"{self._venue}: {self._feed.summary.line()}, {len(self._inbox)} waiting"
        self._show(line + refused if lately.refused else line)
        warning = self._refusals.warning(time.monotonic())
        if warning is not None:
            self._warn(f"{self._venue}: {warning}")
        if offset is not None:
            self._watch_clock(offset.median_ms / 1000)

    def _watch_clock(self, offset_s: float) -> None:
        off = abs(offset_s) > self._plan.clock_limit_s
        if off and not self._clock_is_off:
            self._warn(
                f"{self._venue}'s clock is {offset_s:+.3f} s from this machine's, more than "
                f"{self._plan.clock_limit_s:g} s; no time is corrected. Check this machine's clock"
            )
        elif self._clock_is_off and not off:
            self._warn(f"{self._venue}'s clock agrees with this machine's again")
        self._clock_is_off = off

    def _status(self, offset: Offset | None) -> FeedStatus:
        lately = self._refusals.lately(time.monotonic())
        return FeedStatus(
            venue=self._venue,
            connection=self._connection,
            dialect=self._plan.endpoint.dialect,
            products=self._plan.products,
            time_ns=time.time_ns(),
            since_ns=self._since_ns,
            frames=self._frames,
            reconnects=self._opened - 1,
            queued=len(self._inbox),
            queue_full=self._inbox.full,
            queued_bytes=self._inbox.waiting_bytes,
            overflows=self._stream.overflows,
            troubles=self._troubles,
            rest_failures=self._rest_failures,
            open_holes=len(self._feed.holes()),
            offset_median_ms=None if offset is None else offset.median_ms,
            offset_min_ms=None if offset is None else offset.min_ms,
            offset_max_ms=None if offset is None else offset.max_ms,
            passed=lately.passed,
            refused=lately.refused,
            first_refusal=lately.first,
            one_book=self._plan.one_book,
        )
