"""The record of what a simulated exchange generated, sent and withheld, to verify a feed against.

Per product every trade; per connection what was sent, its subscriptions over time, and the effects
of each fault with the affected trades.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice

import msgspec

from barograph.simulated.fault_script import FaultKind, ScriptedFault
from barograph.simulated.faults import Action, Began, Close, Freeze, Send, Withhold
from barograph.simulated.tape import MarketEvent, Print
from barograph.simulated.voices import OutgoingFrame
from barograph.venues.entries import Dialect


class Deed(msgspec.Struct, kw_only=True):
    """The effect of one fault, from `begin_ns` to `end_ns` of market time.

    `fault` is its index in the script, null for the exchange's own action (disconnecting a slow
    reader). `frames` counts withheld or altered frames; `trades` has the trade ids in them by
    product.
    """

    kind: FaultKind
    fault: int | None
    begin_ns: int
    end_ns: int
    frames: int = 0
    trades: dict[str, list[int]] = {}


class Subscription(msgspec.Struct, kw_only=True):
    """The products of each channel to which a connection is subscribed from `since_ns` on."""

    since_ns: int
    channels: dict[str, list[str]]


class LineAccount(msgspec.Struct, kw_only=True):
    """One connection. Frames that were sent may still be lost in transit."""

    number: int
    dialect: Dialect
    opened_ns: int
    closed_ns: int | None = None
    frames: int = 0
    bytes: int = 0
    subscriptions: list[Subscription] = []
    deeds: list[Deed] = []


class ProductAccount(msgspec.Struct, kw_only=True):
    """Number, first and last of one product's trades."""

    trades: int = 0
    first_trade_id: int | None = None
    last_trade_id: int | None = None
    first_time_ns: int | None = None
    last_time_ns: int | None = None


class LedgerSummary(msgspec.Struct, kw_only=True):
    """Totals of an exchange. `rest` counts responses by status; times are market time."""

    products: dict[str, ProductAccount]
    connections: list[LineAccount]
    deeds: list[Deed]
    rest: dict[str, int]
    start_ns: int
    now_ns: int


class Ledger:
    """Records the trades, connections and faults of one exchange.

    `trades` has all trades of each product, or between `keep_trades` and twice as many of the last.
    With `keep_frames`, `sent` has every frame sent, by connection number.
    """

    def __init__(
        self,
        products: Sequence[str],
        script: Sequence[ScriptedFault] = (),
        *,
        start_ns: int = 0,
        keep_trades: int | None = None,
        keep_frames: bool = False,
    ) -> None:
        self.products = {product: ProductAccount() for product in products}
        self.trades: dict[str, list[Print]] = {product: [] for product in products}
        self.connections: list[LineAccount] = []
        self.deeds: list[Deed] = []
        self.sent: dict[int, list[Send]] = {}
        self.rest: Counter[str] = Counter()
        self.start_ns = self.now_ns = start_ns
        self._script, self._keep_frames, self._keep_trades = script, keep_frames, keep_trades

    def made(self, events: Iterable[MarketEvent], now_ns: int) -> None:
        """Record the events of the market up to `now_ns`."""
        self.now_ns = now_ns
        for event in events:
            if type(event) is Print:
                account = self.products[event.product]
                if account.last_trade_id is not None and event.trade_id <= account.last_trade_id:
                    continue  # a quote update of a recording, without a new trade
                account.trades += 1
                account.last_trade_id, account.last_time_ns = event.trade_id, event.time_ns
                if account.first_trade_id is None:
                    account.first_trade_id, account.first_time_ns = event.trade_id, event.time_ns
                self._keep(self.trades[event.product], event)

    def opened(self, number: int, dialect: Dialect) -> LineAccount:
        """Record a new connection and return its account."""
        account = LineAccount(number=number, dialect=dialect, opened_ns=self.now_ns)
        self.connections.append(account)
        self.sent[number] = []
        return account

    def note(self, account: LineAccount, actions: Iterable[Action]) -> None:
        """Record actions on a connection."""
        for action in actions:
            if type(action) is Send:
                account.frames += 1
                account.bytes += len(action.data)
                if self._keep_frames:
                    self.sent[account.number].append(action)
                if action.fault is not None:
                    self._deed(account.deeds, action.fault, action.frame.time_ns, action.frame)
            elif type(action) is Withhold:
                self._deed(account.deeds, action.fault, action.frame.time_ns, action.frame)
            elif isinstance(action, Close) and action.fault is None:
                time_ns = action.time_ns
                account.deeds.append(
                    Deed(kind=FaultKind.SLOW_READER, fault=None, begin_ns=time_ns, end_ns=time_ns)
                )
            elif isinstance(action, Close | Freeze | Began) and action.fault is not None:
                self._deed(account.deeds, action.fault, action.time_ns)

    def subscribed(self, account: LineAccount, held: dict[str, list[str]]) -> None:
        """Record the subscriptions of a connection if they changed."""
        before = account.subscriptions[-1].channels if account.subscriptions else {}
        if held != before:
            account.subscriptions.append(Subscription(since_ns=self.now_ns, channels=held))

    def closed(self, account: LineAccount) -> None:
        """Record the end of a connection."""
        account.closed_ns = self.now_ns

    def did(self, *faults: int) -> None:
        """Record effects of faults on the exchange itself."""
        for fault in faults:
            self._deed(self.deeds, fault, self.now_ns)

    def page(self, product: str, limit: int, after: int | None) -> list[Print]:
        """Up to `limit` kept trades, newest first, with ids below `after`.

        Recorded trades without a known size or side are left out.
        """
        kept = self.trades[product]
        end = len(kept)
        if after is not None:
            end = bisect_left(kept, after, key=lambda print_: print_.trade_id)
        newest = map(kept.__getitem__, range(end - 1, -1, -1))
        tradable = (print_ for print_ in newest if None not in {print_.size, print_.side})
        return list(islice(tradable, limit))

    def summary(self) -> LedgerSummary:
        """Totals without the trades and frames themselves."""
        return LedgerSummary(
            products=self.products,
            connections=self.connections,
            deeds=self.deeds,
            rest=dict(self.rest),
            start_ns=self.start_ns,
            now_ns=self.now_ns,
        )

    def _keep(self, kept: list[Print], trade: Print) -> None:
        kept.append(trade)
        if self._keep_trades is not None and len(kept) >= 2 * self._keep_trades:
            del kept[: -self._keep_trades]

    def _deed(
        self, deeds: list[Deed], fault: int, time_ns: int, frame: OutgoingFrame | None = None
    ) -> None:
        deed = next((deed for deed in reversed(deeds) if deed.fault == fault), None)
        if deed is None:
            kind = self._script[fault].kind
            deed = Deed(kind=kind, fault=fault, begin_ns=time_ns, end_ns=time_ns)
            deeds.append(deed)
        deed.end_ns = max(deed.end_ns, time_ns)
        if frame is not None:
            deed.frames += 1
        # A clock jump affects all later trades, so they are not listed.
        if frame is not None and deed.kind is not FaultKind.CLOCK_JUMP:
            for print_ in frame.prints:
                deed.trades.setdefault(print_.product, []).append(print_.trade_id)
