"""Charts of a model card: drawn by Matplotlib, as SVG elements of the page.

Labels stay text in the page's font. Charts are as wide as a phone and scale up; strips come in two
widths, of which the page shows one. The palette is safe for colour-blind readers (Okabe, Ito 2008),
and lines differ in their dashes too. Colours become CSS variables, for light and dark themes.
"""

import io
import math
import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, DateFormatter
from matplotlib.figure import Figure

from barograph.app.reports.markup import Element, el
from barograph.arrays import Float64
from barograph.cases.case import Axis
from barograph.figures import estimate
from barograph.training.card import Card
from barograph.training.importance import Importance
from barograph.training.timeline import Strip
from barograph.training.walkforward import CHOSEN
from barograph.types import DAY_S, NS_PER_S

_INCH = 72.0  # SVG units
_DAY_NS = DAY_S * NS_PER_S  # Matplotlib's unit of time
_NARROW, _WIDE = 430.0, 1000.0
_INK, _SOFT, _RULE = "#1d2327", "#5c676e", "#e3e1da"
_BLUE, _ORANGE, _VERMILION, _GREEN = "#0072b2", "#e69f00", "#d55e00", "#009e73"
_OF_THE_PAGE = {
    _INK: "var(--ink)", _SOFT: "var(--soft)", _RULE: "var(--rule)", _BLUE: "var(--blue)",
    _ORANGE: "var(--orange)", _VERMILION: "var(--vermilion)", _GREEN: "var(--green)",
}  # fmt: skip
_COLOUR = re.compile("|".join(_OF_THE_PAGE))
_BASELINES = ((_VERMILION, (0, (4, 2))), (_GREEN, (0, (6, 2, 1, 2))), (_ORANGE, (0, (1, 1.5))))
_SHOWN_FEATURES = 15
_LEAST_STORM = 1 / 500  # of a strip's length, so that a short storm is seen

_STYLE = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10.5,
    "axes.edgecolor": _SOFT,
    "axes.labelcolor": _SOFT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": False,
    "axes.grid": True,
    "grid.color": _RULE,
    "grid.linewidth": 0.8,
    "xtick.color": _SOFT,
    "ytick.color": _SOFT,
    "text.color": _INK,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


def precision_recall(card: Card) -> Element:
    """Precision-recall curves of the chosen model and the baselines, with the base rate."""
    with mpl.rc_context(_STYLE):
        figure, axes = _axes(_NARROW, 320)
        scored = {row.name: row.pr_auc for row in card.training.tested.scores}
        rate = card.training.tested.base_rate
        baselines = [name for name in card.curves if name != CHOSEN]
        looks = [*_BASELINES, *[(_SOFT, "solid")] * len(baselines)]
        for name, (colour, dashes) in zip(baselines, looks, strict=False):
            curve, label = card.curves[name], f"{name}, {estimate(scored[name])}"
            axes.plot(curve.recall, curve.precision, color=colour, ls=dashes, lw=1.6, label=label)
        curve, label = card.curves[CHOSEN], f"chosen, {estimate(scored[CHOSEN])}"
        axes.plot(curve.recall, curve.precision, color=_BLUE, lw=2.4, label=label)
        label = f"base rate, {estimate(rate)}"
        axes.axhline(rate.estimate, color=_SOFT, lw=1, ls=(0, (2, 2)), label=label)
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
        figure.legend(loc="outside upper center", ncols=2, fontsize=10, handlelength=2.6)
        return _svg(figure, "precision-recall", "Precision at each recall, beside the baselines")


def reliability(card: Card) -> Element:
    """Observed frequency with intervals against predicted probability; calibrated is diagonal."""
    with mpl.rc_context(_STYLE):
        figure, axes = _axes(_NARROW, 320)
        highest = max(
            (value for one in card.bins for value in (one.mean_probability, one.came_true.high)),
            default=1.0,
        )
        top = min(1.0, math.ceil(highest * 10) / 10)
        axes.plot([0, top], [0, top], color=_SOFT, lw=1, ls=(0, (2, 2)))
        predicted = [one.mean_probability for one in card.bins]
        true = [one.came_true.estimate for one in card.bins]
        axes.vlines(
            predicted,
            [one.came_true.low for one in card.bins],
            [one.came_true.high for one in card.bins],
            color=_BLUE, lw=3, alpha=0.35,
        )  # fmt: skip
        axes.plot(predicted, true, color=_BLUE, lw=1.4, marker="o", ms=5)
        axes.set(xlim=(0, top), ylim=(0, top), xlabel="predicted probability", ylabel="observed")
        return _svg(
            figure, "reliability", "Reliability: observed frequency against predicted probability"
        )


def importance(rows: Sequence[Importance]) -> Element:
    """Rise of log loss without each feature: the 15 most important, with the range of repeats."""
    shown = rows[:_SHOWN_FEATURES]
    with mpl.rc_context(_STYLE):
        figure, axes = _axes(_NARROW, 20.0 * len(shown) + 60)
        places = range(len(shown))
        axes.barh(places, [one.rise for one in shown], height=0.62, color=_BLUE, alpha=0.8)
        axes.hlines(
            places, [one.low for one in shown], [one.high for one in shown], color=_INK, lw=1.4
        )
        axes.axvline(0, color=_SOFT, lw=0.8)
        axes.set_yticks(list(places), [one.feature for one in shown], color=_INK)
        axes.set(ylim=(len(shown) - 0.4, -0.6), xlabel="rise of log loss, nats")
        axes.locator_params(axis="x", nbins=5)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        return _svg(figure, "importance", "How much log loss rises without each feature")


def strip(data: Strip, outcome: Axis, level: Axis) -> tuple[Element, Element]:
    """The forecast over time, above outcome and level; drawn for a wide page and for a narrow one.

    `outcome` and `level` say how to show what the strip holds of them.
    """
    alike = f"Probability over time for {data.key}, with true episodes shaded"
    beside = [
        axis.name for axis, shown in ((outcome, data.outcome_low), (level, data.level)) if shown
    ]
    if beside:
        alike += f", above {' and '.join(beside)}"
    name = f"{data.key} {data.start_ns}"
    wide, narrow = (
        _strip(data, (outcome, level), width, f"{name} {width}", alike)
        for width in (_WIDE, _NARROW)
    )
    wide.set("class", "plot wide")
    narrow.set("class", "plot narrow")
    return wide, narrow


def _strip(data: Strip, axes: tuple[Axis, Axis], width: float, name: str, alike: str) -> Element:
    heights = [120.0] + [78.0] * bool(data.outcome_low) + [62.0] * bool(data.level)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width / _INCH, sum(heights) / _INCH), layout="constrained")
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
        most = 6 if width < _WIDE else 12
        last.xaxis.set_major_locator(AutoDateLocator(minticks=3, maxticks=most))  # type: ignore[no-untyped-call]
        last.xaxis.set_major_formatter(DateFormatter("%H:%M"))  # type: ignore[no-untyped-call]
        return _svg(figure, name, alike)


def _shade(axes: Axes, data: Strip) -> None:
    """Shade the true episodes over the whole height."""
    least_ns = (data.end_ns - data.start_ns) * _LEAST_STORM
    storms = [
        (opens_ns / _DAY_NS, max(closes_ns - opens_ns, least_ns) / _DAY_NS)
        for opens_ns, closes_ns in data.storms
    ]
    whole = axes.get_xaxis_transform()
    axes.broken_barh(storms, (0, 1), facecolors=_ORANGE, alpha=0.4, lw=0, transform=whole)


def _draw_probability(axes: Axes, data: Strip, days: Float64) -> None:
    low, high = (_closed(side) for side in (data.low, data.high))
    axes.fill_between(days, low, high, step="post", color=_BLUE, alpha=0.55, lw=0)
    axes.plot(days, high, drawstyle="steps-post", color=_BLUE, lw=1)
    for level in data.thresholds:
        _limit(axes, level.start_ns, level.end_ns, min(level.probability, 1.04))
    axes.set(ylim=(0, 1.04), yticks=(0, 0.5, 1), ylabel="probability")


def _draw_outcome(axes: Axes, data: Strip, days: Float64, axis: Axis) -> None:
    low, high = (_closed(side) * axis.scale for side in (data.outcome_low, data.outcome_high))
    axes.fill_between(days, low, high, step="post", color=_GREEN, alpha=0.5, lw=0)
    axes.plot(days, high, drawstyle="steps-post", color=_GREEN, lw=1)
    for level in data.taus:
        _limit(axes, level.start_ns, level.end_ns, level.tau * axis.scale)
    axes.set(ylim=(0, None), ylabel=axis.title.replace(", ", ",\n"))
    axes.locator_params(axis="y", nbins=3)


def _draw_level(axes: Axes, data: Strip, days: Float64, axis: Axis) -> None:
    values = _closed(data.level) * axis.scale
    axes.plot(days, values, drawstyle="steps-post", color=_INK, lw=1)
    low, high = np.nanmin(values), np.nanmax(values)
    margin = (high - low) * 0.08 or abs(high) * 1e-4 or 1.0
    axes.set(ylim=(low - margin, high + margin), ylabel=axis.name)
    axes.locator_params(axis="y", nbins=3)
    axes.yaxis.set_major_formatter(lambda value, _place: f"{value:,.8g}")


def _limit(axes: Axes, start_ns: int, end_ns: int, value: float) -> None:
    span = [start_ns / _DAY_NS, end_ns / _DAY_NS]
    axes.plot(span, [value] * 2, color=_INK, lw=1, ls=(0, (3, 2)))


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width / _INCH, height / _INCH), layout="constrained")
    return figure, figure.add_subplot()


def _svg(figure: Figure, name: str, alike: str) -> Element:
    """The figure as an SVG element; `name` makes its inner ids unique in the page.

    `alike` is the text alternative for screen readers.
    """
    drawn = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(drawn, format="svg", metadata=dict.fromkeys(("Date", "Creator")))
    root = ET.fromstring(drawn.getvalue())  # noqa: S314 - Matplotlib's
    for element in root.iter():
        for child in [one for one in element if _tag(one) in ("metadata", "style")]:
            element.remove(child)
    view = root.attrib["viewBox"]
    return el("svg", *_plain(root), viewBox=view, role="img", aria_label=alike, class_="plot")


def _plain(parent: Element) -> list[Element]:
    """The children without namespaces and unused ids, with the page's CSS colours."""
    children = []
    for child in parent:
        attributes = {
            name.rsplit("}", 1)[-1]: _COLOUR.sub(lambda colour: _OF_THE_PAGE[colour[0]], text)
            for name, text in child.attrib.items()
        }
        if _tag(child) == "g":
            attributes.pop("id", None)
        element = Element(_tag(child), attributes)
        element.text = child.text
        element.extend(_plain(child))
        children.append(element)
    return children


def _tag(element: Element) -> str:
    return element.tag.rsplit("}", 1)[-1]


def _closed(side: Sequence[float | None]) -> Float64:
    """The values of all steps, with the last repeated to close the last step; None becomes NaN."""
    values = np.array([math.nan if value is None else value for value in side])
    return np.append(values, values[-1])
