"""What is remembered of a connection, of a product, and of one that is held for a hole."""

from collections.abc import Iterable

import msgspec

from barograph.types import Gap, GapCause, Heartbeat, Tick, Trade
from barograph.venues.clocks import Clock
from barograph.venues.entries import Opening
from barograph.venues.numbers import Doubt
from barograph.venues.regimes import Regimes

Span = tuple[int, int]
"""First and last event time of what was heard without a long hole, in ns."""


class Connection(msgspec.Struct):
    """One open connection: its frames so far and its own counters where the dialect has them."""

    opening: Opening
    frames: int = 0
    last_ns: int | None = None
    sequence: int | None = None
    heartbeat_counter: int | None = None
    doubt: Doubt | None = None
    clock: Clock = msgspec.field(default_factory=Clock)
    regimes: Regimes | None = None


class ProductContinuity(msgspec.Struct):
    """One product: the latest event time on its connection, last tick, highest trade id heard of.

    `broken` is the cause of a hole whose end is not known yet. `waiting` are the trades beyond
    `trade_id` by their ids: a ticker that names a later one settles them. Those up to
    `settled_trade_id` are known as Trade or lie in a gap: their own tickers come too late. `doubt`
    is about the trade ids of ticks, `beat_doubt` about those that heartbeats name. `before_ns` is
    the latest event time of connections before, where this one has not come so far yet.
    `contradicted` says that ids were heard since the hole began which tell nothing of it. The line
    was heard from `since_ns` on, and other parts of its product in `spans`. `aside` is the newest
    line of the product while this one is an older session's; `owed` is the session gap that stands
    before its next event. See `sessions`.
    `since_trade_id` is where the ids begin that were all heard up to `trade_id`.
    """

    connection: str
    last_ns: int
    tick: Tick | None = None
    trade_id: int | None = None
    broken: GapCause | None = None
    missing: int | None = None
    settled_trade_id: int | None = msgspec.field(default=None, name="told")
    waiting: dict[int, Trade] = {}
    doubt: Doubt | None = None
    beat_doubt: Doubt | None = None
    before_ns: int | None = None
    contradicted: bool = False
    since_trade_id: int | None = None
    since_ns: int | None = None
    spans: list[Span] = []
    aside: "ProductContinuity | None" = None
    owed: Gap | None = None

    @property
    def newest_ns(self) -> int:
        """The latest event time on any connection."""
        return self.last_ns if self.before_ns is None else max(self.last_ns, self.before_ns)

    def is_plain(self, connection: str) -> bool:
        """Whether nothing is open about the line, which was heard last on this connection."""
        return (
            self.connection == connection
            and not self.waiting
            and self.broken is None
            and self.doubt is None
            and self.beat_doubt is None
            and self.before_ns is None
            and self.aside is None
            and self.owed is None
        )

    def hear(self, connection: str, time_ns: int) -> None:
        """Note the connection and time of an event that passed."""
        if self.connection != connection:
            self.before_ns, self.connection, self.last_ns = self.newest_ns, connection, time_ns
        elif time_ns > self.last_ns:
            self.last_ns = time_ns
        if self.before_ns is not None and self.last_ns >= self.before_ns:
            self.before_ns = None

    def pay(self) -> tuple[Gap, ...]:
        """Return the session gap that is owed, if one is, and owe none."""
        owed, self.owed = self.owed, None
        return () if owed is None else (owed,)

    def break_off(self, cause: GapCause, missing: int | None = None) -> None:
        """Something was lost here: a hole, unless there is one whose end is not known yet."""
        if self.broken is None:
            self.broken, self.missing = cause, missing

    def lose(self, cause: GapCause, missing: int | None) -> None:
        """Something was lost here, whatever was lost before it; a lost connection says the most."""
        if self.broken is not GapCause.DISCONNECT:
            self.broken, self.missing = cause, missing

    def end_of_file(self, opening: Opening) -> None:
        """Note that the file of a recording ends: what was lost in it, ids of another prove not."""
        if self.broken is not None:
            self.contradicted = True
        if opening.continuity != "trade_id":
            self.trade_id = self.since_trade_id = None

    def go_on(self, connection: str) -> None:
        """Go on with a file that ended, on the connection of the next one."""
        if self.broken is GapCause.DISCONNECT and not self.contradicted:
            self.broken = self.missing = None
            self.connection = connection

    def contradict(self) -> None:
        """The ids tell nothing of what was lost here: a hole that they cannot prove whole."""
        self.break_off(GapCause.TRADE_ID)
        self.missing, self.contradicted = None, True

    def provable(self, missing: int | None) -> int | None:
        """Return `missing`, or None where the ids prove nothing about the hole."""
        return None if self.contradicted else missing

    def believe(self, trade_id: int, cause: GapCause) -> None:
        """Count on from here, whatever was counted before: what lies between is a hole."""
        self.trade_id, self.settled_trade_id, self.waiting = trade_id, None, {}
        self.since_trade_id = trade_id
        self.doubt = self.beat_doubt = None
        self.break_off(cause)

    def heard_from(self, trade_id: int, *, whole: bool = False) -> None:
        """Note where the ids begin that were all heard; nothing changes where none is missing."""
        if not whole:
            self.since_trade_id = trade_id

    def prove(self, missing: int | None, opening: Opening, *, whole: bool) -> None:
        """The ids tell what a lost connection missed: nothing where they are `whole`, so no hole.

        Between two recordings it is a hole like any other where `missing` is known; of other
        connections nobody knows what else was left out.
        """
        proves = (whole and opening.fill) or (opening.recorded and (whole or missing))
        if proves and not self.contradicted and self.broken is GapCause.DISCONNECT:
            self.broken = self.missing = None

    def known(self, last: int) -> list[Trade]:
        """Return the trades that wait, up to id `last`, ordered by id."""
        if not self.waiting or self.trade_id is None:
            return []
        if last - self.trade_id <= len(self.waiting):
            ids: Iterable[int] = range(self.trade_id + 1, last + 1)
        else:
            ids = sorted(n for n in self.waiting if n <= last)
        return [self.waiting[n] for n in ids if n in self.waiting]

    def take_waiting(self, last: int) -> list[Trade]:
        """Return the trades that wait, up to id `last`, and remove them from `waiting`."""
        known = self.known(last)
        for trade in known:
            del self.waiting[trade.trade_id]
        return known


class Held(msgspec.Struct, gc=False):
    """An event that waits behind a hole, with its frame for the case that it is refused then."""

    event: Tick | Heartbeat
    original: bytes
    position: str


class Hold(msgspec.Struct):
    """A product that is held for a hole: trades after id `after`, up to `last`.

    `unknown` of them neither wait in the line nor stand in `ticks`, the tickers that came yet.
    `quoted` says that a quote behind all of them is there. `queue` begins with what revealed it.
    `size_bytes` counts the frames of all that came since.
    """

    connection: str
    after: int
    last: int
    unknown: int
    quoted: bool
    ticks: dict[int, Held]
    queue: list[Held]
    size_bytes: int = 0
