"""Candles of our own ticks beside those that a service gives for the same hours."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from barograph import codec
from barograph.candle_records import HOUR_S, Candle, CandleCheck, compared
from barograph.errors import ForeignStateError
from barograph.times import minute_of
from barograph.types import MAX_PRODUCTS, NS_PER_S, Outcome, Record, Second

KEPT_H = 744
"""The newest hours of a product that are remembered: a month, as long as ticks.raw keeps ticks."""


def in_words(check: CandleCheck) -> str:
    """What differs in an hour, on a line; what is the same is not said."""
    parts = ", ".join(
        f"{each.field} {each.own or '–'} here and {each.other or '–'} there"
        for each in check.differences
    )
    hour = f"{minute_of(check.start_s * NS_PER_S)}Z"
    return f"{check.product}, the hour of {hour}, from {check.source}: {parts}"


class _Hour(msgspec.Struct):
    """The newest candle of each side in one hour."""

    own: Candle | None = None
    other: Candle | None = None


class _Hours(msgspec.Struct, tag="candle-checks/1"):
    """All that is remembered of a product: its hours by their first second, up to the newest."""

    newest_s: Second
    by_start: Annotated[dict[Second, _Hour], Meta(max_length=KEPT_H)] = {}

    def reach(self, start_s: int) -> None:
        """Forget what is too old once an hour is there."""
        if start_s <= self.newest_s:
            return
        if start_s - self.newest_s >= KEPT_H * HOUR_S:
            self.by_start.clear()
        oldest_s = self.newest_s - (KEPT_H - 1) * HOUR_S
        for old_s in range(oldest_s, min(oldest_s + start_s - self.newest_s, start_s), HOUR_S):
            self.by_start.pop(old_s, None)
        self.newest_s = start_s


_decode = msgspec.json.Decoder(_Hours).decode


class CandleChecks:
    """A machine: records of candles.raw in, a CandleCheck of each hour that both sides have.

    One side is our own ticks, the other all services and files. An hour is compared when its
    second side comes, and again with each newer version. No clock, no I/O. Unreadable records are
    dead letters of the machine that makes rows of the same topic, and passed over here.
    """

    def __init__(self) -> None:
        self._products: dict[str, _Hours] = {}
        self._changed: set[str] = set()

    def receive(self, records: Sequence[Record]) -> Outcome:
        """Checks as JSON under their product."""
        outcome = Outcome([], [])
        _, candles, _ = codec.decode_candle.all_of(records)
        for candle in candles:
            check = self._take(candle) if candle.step_s == HOUR_S else None
            if check is not None:
                outcome.values.append((check.product, codec.encode(check)))
        return outcome

    def snapshot(self) -> dict[str, bytes]:
        """The hours of the products that changed since the last call."""
        changed, self._changed = self._changed, set()
        return {product: codec.encode(self._products[product]) for product in sorted(changed)}

    def restore(self, checkpoints: Mapping[str, bytes]) -> None:
        """Take up each product where its checkpoint left it.

        Raises ForeignStateError for a checkpoint that is damaged or of another kind.
        """
        for product, checkpoint in checkpoints.items():
            try:
                self._products[product] = _decode(checkpoint)
            except codec.UNREADABLE:
                raise ForeignStateError(product) from None

    def _take(self, candle: Candle) -> CandleCheck | None:
        hours = self._products.get(candle.product)
        if hours is None:
            if len(self._products) == MAX_PRODUCTS:
                return None
            hours = self._products[candle.product] = _Hours(candle.start_s, {})
        hours.reach(candle.start_s)
        if candle.start_s <= hours.newest_s - KEPT_H * HOUR_S:
            return None
        hour = hours.by_start.setdefault(candle.start_s, _Hour())
        side = "own" if candle.source == "ticks" else "other"
        before: Candle | None = getattr(hour, side)
        if before is not None and candle.version <= before.version:
            return None
        setattr(hour, side, candle)
        self._changed.add(candle.product)
        return None if hour.own is None or hour.other is None else compared(hour.own, hour.other)
