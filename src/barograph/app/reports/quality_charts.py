"""Charts of a quality report: closes with the rows that break a rule, and volume."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

from barograph.app.reports.figures_svg import (
    BLUE,
    GREEN,
    NARROW,
    STYLE,
    VERMILION,
    as_svg,
    axes_of,
)
from barograph.app.reports.markup import Element
from barograph.arrays import Float64, Int64
from barograph.types import DAY_S

_POINTS = 1500
_HEIGHT = 230.0


def closes(start_s: Int64, close: Float64, bad_s: Sequence[int]) -> Element:
    """Close by time, NaN where there is none; the opens of bad rows are marked.

    start_s: (n,) Unix seconds, ascending.
    """
    with mpl.rc_context(STYLE):
        figure, axes = axes_of(NARROW, _HEIGHT)
        days, low, high = _thinned(start_s, close)
        axes.fill_between(days, low, high, color=BLUE, alpha=0.45, lw=0)
        axes.plot(days, high, color=BLUE, lw=1)
        for time_s in bad_s:
            axes.axvline(time_s / DAY_S, color=VERMILION, lw=1.2, ls=(0, (4, 2)))
        axes.set(ylabel="close, quote currency")
        _dated(axes)
        return as_svg(figure, "quality closes", "Close over time, with the rows that break a rule")


def volumes(start_s: Int64, volume: Float64) -> Element:
    """Volume of each candle by time, in the base currency. start_s: (n,) seconds, ascending."""
    with mpl.rc_context(STYLE):
        figure, axes = axes_of(NARROW, _HEIGHT)
        days, low, high = _thinned(start_s, volume)
        axes.fill_between(days, low, high, color=GREEN, alpha=0.5, lw=0)
        axes.plot(days, high, color=GREEN, lw=1)
        axes.set(ylim=(0, None), ylabel="volume, base currency")
        _dated(axes)
        return as_svg(figure, "quality volumes", "Volume over time")


def _dated(axes: Axes) -> None:
    axes.xaxis_date("UTC")
    locator = AutoDateLocator(minticks=3, maxticks=6)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _thinned(start_s: Int64, values: Float64) -> tuple[Float64, Float64, Float64]:
    """Days, and the lowest and highest value of each of at most _POINTS stretches."""
    stretch = -(-len(values) // _POINTS) or 1
    rows = -(-len(values) // stretch)
    padded = np.full(rows * stretch, np.nan)
    padded[: len(values)] = values
    parts = padded.reshape(rows, stretch)
    known = ~np.isnan(parts).all(axis=1)
    low, high = (np.full(rows, np.nan) for _ in range(2))
    low[known], high[known] = np.nanmin(parts[known], axis=1), np.nanmax(parts[known], axis=1)
    return start_s[::stretch] / DAY_S, low, high
