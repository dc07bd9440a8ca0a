"""Charts of a comparison: paired differences, precision and recall, reliability."""

import io
import math
from collections.abc import Callable

import matplotlib as mpl
from matplotlib.axes import Axes
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
    as_svg,
    axes_of,
)
from barograph.app.reports.markup import Element
from barograph.training.comparison import CANDIDATE, CHAMPION, Comparison, ScorePair

_HEIGHT = 320.0
_LOOKS = {CHAMPION: (ORANGE, "dashed"), CANDIDATE: (BLUE, "solid")}
_MARGIN = 1.15


def differences(comparison: Comparison) -> Element:
    """Candidate minus champion with intervals; each score in units of its own widest bound."""
    return _svg(_differences, comparison, "Differences of the scores, with intervals")


def precision_recall(comparison: Comparison) -> Element:
    """Precision at each recall of both models."""
    return _svg(_precision_recall, comparison, "Precision at each recall, of both models")


def reliability(comparison: Comparison) -> Element:
    """Observed frequency against predicted probability of both models; calibrated is diagonal."""
    return _svg(_reliability, comparison, "Observed frequency against predicted probability")


def picture(comparison: Comparison) -> bytes:
    """All three charts beside each other as a PNG, for a page that shows no SVG."""
    with mpl.rc_context({**STYLE, "figure.facecolor": "white"}):
        figure = Figure(figsize=(2 * WIDE / INCH / 1.4, _HEIGHT / INCH), layout="constrained")
        drawers = (_differences, _precision_recall, _reliability)
        for draw, axes in zip(drawers, figure.subplots(1, 3), strict=True):
            draw(axes, comparison)
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=120, metadata={"Software": None})
    return drawn.getvalue()


def reach(pair: ScorePair) -> float:
    """The widest bound of a difference, which is drawn as one; 1 where it is not defined or 0."""
    ends = [abs(end) for end in (pair.difference.low, pair.difference.high) if math.isfinite(end)]
    return max(ends, default=1.0) or 1.0


def _svg(draw: Callable[[Axes, Comparison], None], of: Comparison, alike: str) -> Element:
    with mpl.rc_context(STYLE):
        figure, axes = axes_of(NARROW, _HEIGHT)
        draw(axes, of)
        return as_svg(figure, f"comparison {draw.__name__.strip('_')}", alike)


def _differences(axes: Axes, comparison: Comparison) -> None:
    pairs = comparison.scores
    for place, pair in enumerate(pairs):
        whole, of = reach(pair), pair.difference
        if math.isnan(of.low):
            continue
        axes.hlines(place, of.low / whole, of.high / whole, color=_colour(pair), lw=3)
        axes.plot([of.estimate / whole], [place], color=_colour(pair), marker="o", ms=6)
    axes.axvline(0.0, color=INK, lw=1)
    names = [f"{pair.name} {'↑' if pair.higher_is_better else '↓'}" for pair in pairs]
    axes.set(xlim=(-_MARGIN, _MARGIN), ylim=(len(pairs) - 0.5, -0.5), xticks=[0.0])
    axes.set_yticks(range(len(pairs)), names)
    axes.set_xlabel("candidate − champion, each score to its own scale")


def _colour(pair: ScorePair) -> str:
    of = pair.difference
    if of.low <= 0.0 <= of.high:
        return SOFT
    return GREEN if (of.low > 0.0) == pair.higher_is_better else VERMILION


def _precision_recall(axes: Axes, comparison: Comparison) -> None:
    for name, looks in comparison.looks.items():
        colour, dashes = _LOOKS[name]
        axes.plot(
            looks.curve.recall, looks.curve.precision, color=colour, ls=dashes, lw=2, label=name
        )
    axes.axhline(comparison.base_rate, color=SOFT, lw=1, ls=(0, (2, 2)), label="base rate")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
    axes.legend(loc="upper right", fontsize=9)


def _reliability(axes: Axes, comparison: Comparison) -> None:
    top = _top(comparison)
    axes.plot([0, top], [0, top], color=SOFT, lw=1, ls=(0, (2, 2)))
    for name, looks in comparison.looks.items():
        colour, dashes = _LOOKS[name]
        axes.plot(
            [one.mean_probability for one in looks.bins],
            [one.frequency for one in looks.bins],
            color=colour, ls=dashes, lw=1.6, marker="o", ms=4, label=name,
        )  # fmt: skip
    axes.set(xlim=(0, top), ylim=(0, top), xlabel="predicted probability", ylabel="observed")
    axes.legend(loc="upper left", fontsize=9)


def _top(comparison: Comparison) -> float:
    bins = [one for looks in comparison.looks.values() for one in looks.bins]
    highest = max(max(one.mean_probability, one.frequency) for one in bins)
    return min(1.0, math.ceil(highest * 10) / 10) or 1.0
