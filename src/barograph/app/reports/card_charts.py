"""Charts of a model card: drawn by Matplotlib, as SVG elements of the page.

Charts are as wide as a phone and scale up; strips come in two widths, of which the page shows one.
"""

from collections.abc import Sequence

import matplotlib as mpl

from barograph.app.reports import card_figures
from barograph.app.reports.figures_svg import (
    BLUE,
    INK,
    NARROW,
    SOFT,
    STYLE,
    WIDE,
    as_svg,
    axes_of,
)
from barograph.app.reports.markup import Element
from barograph.cases.case import Axis
from barograph.training.card import Card
from barograph.training.importance import Importance
from barograph.training.timeline import Strip

_SHOWN_FEATURES = 15


def precision_recall(card: Card) -> Element:
    """Precision-recall curves of the chosen model and the baselines, with the base rate."""
    with mpl.rc_context(STYLE):
        figure = card_figures.precision_recall(card)
        return as_svg(figure, "precision-recall", "Precision at each recall, beside the baselines")


def reliability(card: Card) -> Element:
    """Observed frequency with intervals against predicted probability; calibrated is diagonal."""
    with mpl.rc_context(STYLE):
        figure = card_figures.reliability(card)
        return as_svg(
            figure, "reliability", "Reliability: observed frequency against predicted probability"
        )


def importance(rows: Sequence[Importance]) -> Element:
    """Rise of log loss without each feature: the 15 most important, with the range of repeats."""
    shown = rows[:_SHOWN_FEATURES]
    with mpl.rc_context(STYLE):
        figure, axes = axes_of(NARROW, 20.0 * len(shown) + 60)
        places = range(len(shown))
        axes.barh(places, [one.rise for one in shown], height=0.62, color=BLUE, alpha=0.8)
        axes.hlines(
            places, [one.low for one in shown], [one.high for one in shown], color=INK, lw=1.4
        )
        axes.axvline(0, color=SOFT, lw=0.8)
        axes.set_yticks(list(places), [one.feature for one in shown], color=INK)
        axes.set(ylim=(len(shown) - 0.4, -0.6), xlabel="rise of log loss, nats")
        axes.locator_params(axis="x", nbins=5)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        return as_svg(figure, "importance", "How much log loss rises without each feature")


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
        _drawn(data, (outcome, level), width, f"{name} {width}", alike) for width in (WIDE, NARROW)
    )
    wide.set("class", "plot wide")
    narrow.set("class", "plot narrow")
    return wide, narrow


def _drawn(data: Strip, axes: tuple[Axis, Axis], width: float, name: str, alike: str) -> Element:
    with mpl.rc_context(STYLE):
        return as_svg(card_figures.strip(data, axes, width), name, alike)
