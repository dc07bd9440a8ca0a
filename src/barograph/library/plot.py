"""`barograph.plot`: the figures of a model card, as Matplotlib figures.

Each needs what `barograph.evaluate` returned, and raises BadInputError for anything else. A
notebook with inline figures shows what a cell ends with; elsewhere use `figure.savefig(path)`.
"""

from typing import TYPE_CHECKING

from barograph.errors import BadInputError
from barograph.library import arguments
from barograph.library.evaluation import Evaluation
from barograph.training.card import Card

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["calibration", "precision_recall", "timeline"]


def calibration(r: Evaluation) -> "Figure":
    """Observed share of spikes, with block bootstrap intervals, against predicted probability.

    Of what the folds chose, on all tested rows; on the diagonal it is calibrated.

    >>> r = bg.evaluate(X, y, candidates=bg.candidates.default()[:1], folds=2, resamples=100)
    >>> bg.plot.calibration(r).savefig("calibration.png")
    """
    from barograph.app.reports import card_figures  # noqa: PLC0415 - draws with matplotlib

    return _on_white(card_figures.reliability(_card(r)))


def precision_recall(r: Evaluation) -> "Figure":
    """Precision at each recall, of what the folds chose and of the baselines to beat.

    With the base rate, which a forecast without skill has everywhere.

    >>> r = bg.evaluate(X, y, candidates=bg.candidates.default()[:1], folds=2, resamples=100)
    >>> bg.plot.precision_recall(r).savefig("precision_recall.png")
    """
    from barograph.app.reports import card_figures  # noqa: PLC0415 - draws with matplotlib

    return _on_white(card_figures.precision_recall(_card(r)))


def timeline(r: Evaluation, product: str | None = None, part: int = 0) -> "Figure":
    """The tested forecasts over time, in UTC: probability, outcome and price, spikes shaded.

    product: None for the first. part: which of its stretches without a long hole, from 0 in time
    order; of all products the longest dozens are kept. Raises BadInputError where there is none.

    >>> r = bg.evaluate(X, y, candidates=bg.candidates.default()[:1], folds=2, resamples=100)
    >>> bg.plot.timeline(r, "BTC-USD").savefig("timeline.png")
    """
    from barograph.app.reports import card_figures  # noqa: PLC0415 - draws with matplotlib
    from barograph.app.reports.figures_svg import WIDE  # noqa: PLC0415 - likewise

    over_time = _card(r).timeline
    part = arguments.whole_number("part", part, least=0)
    strips = [] if over_time is None else over_time.strips
    products = list(dict.fromkeys(one.key for one in strips))
    wanted = product if product is not None else next(iter(products), "")
    of_product = [one for one in strips if one.key == wanted]
    if over_time is None or part >= len(of_product):
        raise BadInputError(
            f"timeline of {wanted or 'rows without time'}, part {part}",
            f"{len(of_product)} parts of it were tested",
            f"Name one of {', '.join(products) or 'no product'}, and a part from 0 on",
        )
    axes = over_time.outcome_axis, over_time.level_axis
    return _on_white(card_figures.strip(of_product[part], axes, WIDE))


def _card(r: object) -> Card:
    if not isinstance(r, Evaluation):
        raise BadInputError(
            "r", f"it is {arguments.kind(r)}, not what barograph.evaluate returns",
            "Give that whole (r = barograph.evaluate(X, y))",
        )  # fmt: skip
    return r.card


def _on_white(figure: "Figure") -> "Figure":
    figure.set_facecolor("white")  # the pages bring a ground of their own
    return figure
