"""The hours of an invented market before it opens, and those that its trades make afterwards.

Volatility comes in clusters and has seasons of the day and the week, as that of real markets:

    ln σ of an hour = ln 0.0045 + x + 0.25·cos(2π·(hour of day − 15)/24)
                                    + 0.4·cos(2π·(hour of week − 60)/168)

x is a first-order autoregression of coefficient 0.98 with shocks of deviation 0.08. Days are of
UTC, weeks begin on Monday. An hour is twelve returns of a normal law.

The season of the week and the size of the shocks are such that a model that knows the hour of the
week forecasts the next 24 hours better than HAR, by more than a gate's interval.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec
import numpy as np

from barograph.arrays import Float64
from barograph.candle_records import HOUR_S
from barograph.simulated.tape import MarketEvent, Print
from barograph.types import NS_PER_S

HISTORY_HOURS = 50_000
"""More than five years."""

QUIET_HOUR = 997
"""Each hour before the opening whose number since 1970 this divides had no trade."""

_STEPS = 12
_PERSISTENCE, _SHOCK, _CALM = 0.98, 0.08, 0.0045
_WEEK = 0.4
_THURSDAY = 72
"""Hour of the week at which 1970 began."""
_CENT = Decimal("0.01")


class Bar(msgspec.Struct, kw_only=True):
    """One hour from `start_s`; prices and volumes are decimals as a service writes them."""

    start_s: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal

    def take(self, price: Decimal, size: Decimal) -> None:
        """Add a trade of this hour."""
        self.high, self.low, self.close = max(self.high, price), min(self.low, price), price
        self.volume += size
        self.quote_volume += price * size


class CandleHistory:
    """The hours of each product of a market that opens at `start_ns`; `take` what it trades.

    prices: of each product, about where its history ends. Hours without a trade are left out;
    without `quiet_hours` each hour before the opening has trades.
    """

    def __init__(
        self,
        prices: Mapping[str, float],
        start_ns: int,
        seed: int,
        *,
        quiet_hours: bool = True,
    ) -> None:
        self.products = tuple(prices)
        self._end_s = start_ns // NS_PER_S // HOUR_S * HOUR_S
        self._prices, self._seed = dict(prices), seed
        self._quiet_hours = quiet_hours
        self._before: dict[str, Float64] = {}
        self._since: dict[str, dict[int, Bar]] = {product: {} for product in prices}

    def take(self, events: Iterable[MarketEvent]) -> None:
        """Add the trades among the events of the market."""
        for event in events:
            if type(event) is not Print or event.size is None:
                continue
            start_s = event.time_ns // NS_PER_S // HOUR_S * HOUR_S
            price, size = Decimal(event.price), Decimal(event.size)
            hours = self._since.setdefault(event.product, {})
            if start_s not in hours:
                hours[start_s] = Bar(
                    start_s=start_s, open=price, high=price, low=price, close=price,
                    volume=Decimal(0), quote_volume=Decimal(0),
                )  # fmt: skip
            hours[start_s].take(price, size)

    def bars(self, product: str, from_s: int, to_s: int) -> list[Bar]:
        """The hours that open from `from_s` to before `to_s`, ascending; the running one too."""
        if product not in self._prices:
            return []
        before = self._before.get(product)
        if before is None:
            before = self._before[product] = self._invented(product)
        first_s = self._end_s - HISTORY_HOURS * HOUR_S
        low, high = ((each - first_s) // HOUR_S for each in (from_s, to_s))
        low, high = max(low, 0), min(max(high, 0), HISTORY_HOURS)
        old = [_bar(first_s + i * HOUR_S, *before[i].tolist()) for i in range(low, high)]
        new = (bar for start_s, bar in sorted(self._since[product].items()) if start_s < to_s)
        if self._quiet_hours:
            old = [bar for bar in old if bar.start_s // HOUR_S % QUIET_HOUR]
        return [*old, *(bar for bar in new if bar.start_s >= from_s)]

    def _invented(self, product: str) -> Float64:
        """(HISTORY_HOURS, 5): open, high, low, close and volume of each hour."""
        rng = np.random.default_rng([self._seed, *product.encode()])
        n = HISTORY_HOURS
        shocks, hours = rng.normal(0, _SHOCK, n), np.arange(n) + self._end_s // HOUR_S - n
        clustered = np.empty(n)
        level = 0.0
        for i in range(n):
            level = _PERSISTENCE * level + shocks[i]
            clustered[i] = level
        season = 0.25 * np.cos(2 * np.pi * (hours % 24 - 15) / 24)
        season += _WEEK * np.cos(2 * np.pi * (hours % 168 + _THURSDAY - 60) / 168)
        sigma = _CALM * np.exp(np.minimum(clustered, 1.5) + season)
        steps = rng.normal(size=(n, _STEPS)) * (sigma / np.sqrt(_STEPS))[:, None]
        path = np.cumsum(steps.ravel())
        # A slow pull to the start keeps five years of an invented price within a factor of ten.
        path = np.log(self._prices[product]) + (path - path[-1]) / (1 + np.ptp(path) / 2)
        scale = np.round(np.exp(path), 2).reshape(n, _STEPS)
        opens = np.concatenate(([scale[0, 0]], scale[:-1, -1]))
        high = np.maximum(scale.max(axis=1), opens)
        low = np.minimum(scale.min(axis=1), opens)
        volume = 100 * sigma / _CALM * rng.lognormal(0, 0.3, n)
        return np.column_stack((opens, high, low, scale[:, -1], volume))


def _bar(  # noqa: PLR0913 - the numbers of an hour
    start_s: int, open_: float, high: float, low: float, close: float, volume: float
) -> Bar:
    prices = [Decimal(each).quantize(_CENT) for each in (open_, high, low, close)]
    size = Decimal(volume).quantize(Decimal("0.0001"))
    quote = (size * sum(prices) / 4).quantize(_CENT)
    return Bar(
        start_s=start_s, open=prices[0], high=prices[1], low=prices[2], close=prices[3],
        volume=size, quote_volume=quote,
    )  # fmt: skip
