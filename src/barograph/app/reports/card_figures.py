"""Figures of a model card, drawn by Matplotlib in the style of the pages."""

import math
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, DateFormatter
from matplotlib.figure import Figure

from barograph.app.reports.figures_svg import (
    BLUE,
    GREEN,
    INCH,
    INK,
    NARROW,
    ORANGE,
    SOFT,
    STYLE,
    VERMILION,
    WIDE,
    CellFigure,
    axes_of,
)
from barograph.arrays import Float64
from barograph.cases.case import Axis
from barograph.figures import estimate
from barograph.training.card import Card
from barograph.training.timeline import Strip
from barograph.training.walkforward import CHOSEN
from barograph.types import DAY_S, NS_PER_S

_DAY_NS = DAY_S * NS_PER_S  # Matplotlib's unit of time
_BASELINES = ((VERMILION, (0, (4, 2))), (GREEN, (0, (6, 2, 1, 2))), (ORANGE, (0, (1, 1.5))))
_LEAST_STORM = 1 / 500  # of a strip's length, so that a short storm is seen


def precision_recall(card: Card) -> Figure:
    """Precision-recall curves of the chosen model and the baselines, with the base rate."""
    with mpl.rc_context(STYLE):
        figure, axes = axes_of(NARROW, 320)
        scored = {row.name: row.pr_auc for row in card.training.tested.scores}
        rate = card.training.tested.base_rate
        baselines = [name for name in card.curves if name != CHOSEN]
        looks = [*_BASELINES, *[(SOFT, "solid")] * len(baselines)]
        for name, (colour, dashes) in zip(baselines, looks, strict=False):
            curve, label = card.curves[name], f"{name}, {estimate(scored[name])}"
            axes.plot(curve.recall, curve.precision, color=colour, ls=dashes, lw=1.6, label=label)
        curve, label = card.curves[CHOSEN], f"chosen, {estimate(scored[CHOSEN])}"
        axes.plot(curve.recall, curve.precision, color=BLUE, lw=2.4, label=label)
        label = f"base rate, {estimate(rate)}"
        axes.axhline(rate.estimate, color=SOFT, lw=1, ls=(0, (2, 2)), label=label)
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
        figure.legend(loc="outside upper center", ncols=2, fontsize=10, handlelength=2.6)
        return figure


def reliability(card: Card) -> Figure:
    """Observed frequency with intervals against predicted probability; calibrated is diagonal."""
    with mpl.rc_context(STYLE):
        figure, axes = axes_of(NARROW, 320)
        highest = max(
            (value for one in card.bins for value in (one.mean_probability, one.came_true.high)),
            default=1.0,
        )
        top = min(1.0, math.ceil(highest * 10) / 10)
        axes.plot([0, top], [0, top], color=SOFT, lw=1, ls=(0, (2, 2)))
        predicted = [one.mean_probability for one in card.bins]
        true = [one.came_true.estimate for one in card.bins]
        axes.vlines(
            predicted,
            [one.came_true.low for one in card.bins],
            [one.came_true.high for one in card.bins],
            color=BLUE, lw=3, alpha=0.35,
        )  # fmt: skip
        axes.plot(predicted, true, color=BLUE, lw=1.4, marker="o", ms=5)
        axes.set(xlim=(0, top), ylim=(0, top), xlabel="predicted probability", ylabel="observed")
        return figure


def strip(data: Strip, axes: tuple[Axis, Axis], width: float) -> Figure:
    """The forecast over time, above outcome and level; `axes` say how to show these two."""
    heights = [120.0] + [78.0] * bool(data.outcome_low) + [62.0] * bool(data.level)
    with mpl.rc_context(STYLE):
        figure = CellFigure(figsize=(width / INCH, sum(heights) / INCH), layout="constrained")
        panels = figure.subplots(
            len(heights), sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}
        )[:, 0].tolist()
        days = (data.start_ns + data.step_ns * np.arange(len(data.low) + 1)) / _DAY_NS
        for panel in panels:
            _shade(panel, data)
        _draw_probability(panels[0], data, days)
        if data.outcome_low:
            _draw_outcome(panels[1], data, days, axes[0])
        if data.level:
            _draw_level(panels[-1], data, days, axes[1])
        figure.align_ylabels(panels)
        last = panels[-1]
        last.set(xlim=(days[0], days[-1]))
        last.xaxis_date("UTC")
        most = 6 if width < WIDE else 12
        last.xaxis.set_major_locator(AutoDateLocator(minticks=3, maxticks=most))  # type: ignore[no-untyped-call]
        last.xaxis.set_major_formatter(DateFormatter("%H:%M"))  # type: ignore[no-untyped-call]
        return figure


def _shade(axes: Axes, data: Strip) -> None:
    """Shade the true episodes over the whole height."""
    least_ns = (data.end_ns - data.start_ns) * _LEAST_STORM
    storms = [
        (opens_ns / _DAY_NS, max(closes_ns - opens_ns, least_ns) / _DAY_NS)
        for opens_ns, closes_ns in data.storms
    ]
    whole = axes.get_xaxis_transform()
    axes.broken_barh(storms, (0, 1), facecolors=ORANGE, alpha=0.4, lw=0, transform=whole)


def _draw_probability(axes: Axes, data: Strip, days: Float64) -> None:
    low, high = (_closed(side) for side in (data.low, data.high))
    axes.fill_between(days, low, high, step="post", color=BLUE, alpha=0.55, lw=0)
    axes.plot(days, high, drawstyle="steps-post", color=BLUE, lw=1)
    for level in data.thresholds:
        _limit(axes, level.start_ns, level.end_ns, min(level.probability, 1.04))
    axes.set(ylim=(0, 1.04), yticks=(0, 0.5, 1), ylabel="probability")


def _draw_outcome(axes: Axes, data: Strip, days: Float64, axis: Axis) -> None:
    low, high = (_closed(side) * axis.scale for side in (data.outcome_low, data.outcome_high))
    axes.fill_between(days, low, high, step="post", color=GREEN, alpha=0.5, lw=0)
    axes.plot(days, high, drawstyle="steps-post", color=GREEN, lw=1)
    for level in data.taus:
        _limit(axes, level.start_ns, level.end_ns, level.tau * axis.scale)
    axes.set(ylim=(0, None), ylabel=axis.title.replace(", ", ",\n"))
    axes.locator_params(axis="y", nbins=3)


def _draw_level(axes: Axes, data: Strip, days: Float64, axis: Axis) -> None:
    values = _closed(data.level) * axis.scale
    axes.plot(days, values, drawstyle="steps-post", color=INK, lw=1)
    low, high = np.nanmin(values), np.nanmax(values)
    margin = (high - low) * 0.08 or abs(high) * 1e-4 or 1.0
    axes.set(ylim=(low - margin, high + margin), ylabel=axis.name)
    axes.locator_params(axis="y", nbins=3)
    axes.yaxis.set_major_formatter(lambda value, _place: f"{value:,.8g}")


def _limit(axes: Axes, start_ns: int, end_ns: int, value: float) -> None:
    span = [start_ns / _DAY_NS, end_ns / _DAY_NS]
    axes.plot(span, [value] * 2, color=INK, lw=1, ls=(0, (3, 2)))


def _closed(side: Sequence[float | None]) -> Float64:
    """The values of all steps, with the last repeated to close the last step; None becomes NaN."""
    values = np.array([math.nan if value is None else value for value in side])
    return np.append(values, values[-1])
