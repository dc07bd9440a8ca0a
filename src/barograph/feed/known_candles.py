"""What a log holds of a product's hours, and what is new against it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from barograph.candle_records import HOUR_S, Candle, CandleCheck, compared
from barograph.codec import decode_candle
from barograph.feed.extracted import RevisedHour
from barograph.log import Log, partition_of
from barograph.log.topics import CANDLES

_READ = 4096
_PRICES = ("open", "high", "low", "close", "volume", "quote_volume")


class News(NamedTuple):
    """What candles are against those that are known: those to write, ascending, and how many.

    `late` of the `new` hours lie before the newest one that is known. `revised` candles are new
    versions; `kept` ones differ from another source's, which stay and are not written over. Those
    of hours that our own ticks made too are written beside them: `checks` compares both.
    """

    candles: list[Candle]
    new: int
    late: int
    revised: list[RevisedHour]
    kept: int
    checks: list[CandleCheck]


class KnownCandles:
    """The hours of a product that a log holds, each in its newest version.

    `by_hour` are those of services and files; `own` those of our own ticks.
    """

    def __init__(self, log: Log, product: str) -> None:
        topic = next(each for each in log.topics() if each.name == CANDLES)
        partition = partition_of(product, topic.partitions)
        self.by_hour: dict[int, Candle] = {}
        self.own: dict[int, Candle] = {}
        self.newest_s = -1
        offset = log.extents(CANDLES)[partition].oldest
        while records := log.read(CANDLES, partition, offset, _READ):
            offset = records[-1].offset + 1
            _, candles, _ = decode_candle.all_of([each for each in records if each.key == product])
            self.take([candle for candle in candles if candle.step_s == HOUR_S])

    def take(self, candles: Sequence[Candle]) -> None:
        """Add candles that are written."""
        for candle in candles:
            if candle.source == "ticks":
                self.own[candle.start_s] = candle
                continue
            self.by_hour[candle.start_s] = candle
            self.newest_s = max(candle.start_s, self.newest_s)

    def news(self, candles: Sequence[Candle]) -> News:
        """Compare first versions, ascending, with what is known."""
        written: list[Candle] = []
        revised: list[RevisedHour] = []
        new = late = kept = 0
        for candle in candles:
            known = self.by_hour.get(candle.start_s)
            if known is None:
                new += 1
                late += candle.start_s < self.newest_s
                written.append(candle)
            elif changed := _changed(known, candle):
                if known.source != candle.source:
                    kept += 1
                    continue
                version = known.version + 1
                written.append(replace(candle, version=version))
                revised.append(
                    RevisedHour(start_s=candle.start_s, version=version, changed=changed)
                )
        own = [(self.own.get(candle.start_s), candle) for candle in written]
        checks = [compared(before, candle) for before, candle in own if before is not None]
        return News(written, new, late, revised, kept, checks)


def _changed(known: Candle, candle: Candle) -> str:
    """What differs between two candles of one hour, in numbers; empty for nothing."""
    parts = [
        f"{name} {getattr(known, name) or '–'} → {getattr(candle, name) or '–'}"
        for name in _PRICES
        if _number(getattr(known, name)) != _number(getattr(candle, name))
    ]
    if known.realized_vol != candle.realized_vol and candle.realized_vol is not None:
        parts.append(f"realized_vol {known.realized_vol or '–'} → {candle.realized_vol}")
    return ", ".join(parts)


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
