"""Figures as people read them on a terminal and on a page: numbers, intervals, durations."""

import math

from barograph.types import Interval

NOT_DEFINED = "n/d"
"""Stands in the place of every figure that there is not."""

MS, US, NS = 1e-3, 1e-6, 1e-9
"""Seconds."""

_UNITS = (  # up to which many seconds, how many of the unit are one second, its sign
    (1e-3, (1e6, "µs")),
    (1.0, (1e3, "ms")),
    (120.0, (1.0, "s")),
    (7_200.0, (1 / 60, "min")),
    (86_400.0, (1 / 3_600, "h")),
    (math.inf, (1 / 86_400, "d")),
)


def figure(
    value: float | None, places: int = 3, *, signed: bool = False, share: bool = False
) -> str:
    """A number with so many decimals, as a percentage where it is a share; NaN is not defined."""
    if value is None or math.isnan(value):
        return NOT_DEFINED
    return f"{value:{'+' if signed else ''}.{places}{'%' if share else 'f'}}"


def estimate(of: Interval | None, places: int = 3) -> str:
    """The estimate alone, where a column has no room for its bounds or a line shows them."""
    return figure(None if of is None else of.estimate, places)


def bounds(of: Interval, places: int = 3, *, signed: bool = False, share: bool = False) -> str:
    """The bounds alone, where the estimate stands elsewhere: `[0.638, 0.682]`."""
    low, high = (figure(end, places, signed=signed, share=share) for end in (of.low, of.high))
    return f"[{low}, {high}]"


def interval(
    of: Interval | None, places: int = 3, *, signed: bool = False, share: bool = False
) -> str:
    """An estimate with its bounds: `0.661 [0.638, 0.682]`."""
    if of is None or math.isnan(of.estimate):
        return NOT_DEFINED
    middle = figure(of.estimate, places, signed=signed, share=share)
    return f"{middle} {bounds(of, places, signed=signed, share=share)}"


def three_digits(value: float) -> str:
    """A number to three digits; from a hundred on all digits in front of the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def price(value: float | None) -> str:
    """A price with two decimals from 100 up, to five significant digits below, four below 1.

    No exponent down to 1e-9: `100,000.00`, `12.345`, `0.000006440`.
    """
    if value is None or not math.isfinite(value):
        return NOT_DEFINED
    size = abs(value)
    if size >= 100 or not size:
        return f"{value:,.2f}"
    if size < 1e-9:
        return f"{value:.3e}"
    return f"{value:.{(4 if size >= 1 else 3) - math.floor(math.log10(size))}f}"


def duration(taken: float | None, unit_s: float = 1.0) -> str:
    """What took so many units of `unit_s` seconds, to three digits in the unit one would say."""
    if taken is None or math.isnan(taken):
        return NOT_DEFINED
    seconds = taken * unit_s
    if not seconds:
        return "0 s"
    factor, sign = next(unit for most_s, unit in _UNITS if abs(seconds) < most_s)
    return f"{three_digits(seconds * factor)} {sign}"
