"""The gate between a candidate and the champion's place: forecasts in, a decision in words out.

Candidate, champion and baselines are compared on the same rows and the same block resamples, and
every rule must hold with its whole interval. Rows that a gate has looked at once decide nothing any
more (`unjudged`): who may look often enough finds luck.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import numpy as np

from barograph.arrays import Bool, Float64, Int64
from barograph.errors import BadInputError
from barograph.evaluation import bootstrap, scores
from barograph.evaluation.bootstrap import Resampled, Resamples
from barograph.figures import NOT_DEFINED, interval
from barograph.types import Interval

Run = tuple[int, int]
"""The first and the last order of rows that follow each other."""


class PromotionGate(msgspec.Struct, frozen=True, kw_only=True):
    """What a candidate must show: the rule of `decide`.

    `min_episodes` independent positives among the rows, and `min_blocks` that the bootstrap draws
    from: with fewer, intervals are too narrow (of 8 markets with nothing to predict and 14 blocks
    each, 2 were promoted; of 20 with 43 blocks, none). `margin` is how much PR-AUC below another
    is still "not worse". `max_calibration_error` and `max_row_us`, the time that one row takes, are
    limits. `level` and `resamples` make the intervals, `max_undefined` is the largest share of
    resamples without a score.
    """

    min_episodes: int = 20
    min_blocks: int = 20
    margin: float = 0.02
    max_calibration_error: float = 0.1
    max_row_us: float = 1000.0
    level: float = 0.95
    resamples: int = 1000
    max_undefined: float = 0.05


class Forecast(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What was said of a window's rows: `probability` (n,) and, of a volatility, `ranking` (n,).

    That is the forecast over tau: where folds are pooled, their calibrations disturb the order of
    probabilities, but not this one.
    """

    probability: Float64
    ranking: Float64 | None = None


class Window(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The rows on which a gate decides, none of which its contenders were fitted on.

    y, order, session: (n,) as in `case.Table`, of rows pooled over keys; block: how many following
    orders are drawn together; events: independent positives; baselines: what each of those that
    must be beaten said.
    """

    y: Float64
    order: Int64
    session: Int64
    block: int
    events: int
    feature_set: str
    baselines: Mapping[str, Forecast]
    seed: int = 0

    def drawn(self, count: int) -> Resamples:
        """Block resamples of the rows."""
        return bootstrap.resamples(
            self.order, self.session, block_s=self.block, count=count, seed=self.seed
        )


class Contender(Forecast, frozen=True, kw_only=True, eq=False):
    """A model before the gate: what it said of the window's rows, and what it runs on.

    `expired` says of a champion that it may no longer be used: then it need not be beaten, only
    matched. `row_us` is the median time of one row.
    """

    label: str
    feature_set: str
    row_us: float | None = None
    expired: bool = False


class Decision(msgspec.Struct, frozen=True):
    """Promote, or keep what is there, with a sentence for every rule that decided it.

    The sentences are of the rules that were broken, or of all where none was.
    """

    promote: bool
    reasons: tuple[str, ...]

    @property
    def word(self) -> str:
        """What to do with the champion's place."""
        return "Promote" if self.promote else "Keep"


def decide(
    champion: Contender | None,
    candidate: Contender,
    window: Window,
    rule: PromotionGate | None = None,
) -> Decision:
    """Promote a candidate only when every rule holds, each with its whole interval:

    enough independent positives and blocks; PR-AUC surely above the base rate; against each
    baseline surely better by log loss or by PR-AUC, and by neither surely worse (PR-AUC by more
    than the margin); against a champion surely better by log loss, or, where it has expired, not
    surely worse; calibration, time for a row and feature set within limits. Two are compared by
    their PR-AUC `at_best`; over the base rate the probabilities must stand, by which is acted. A
    bound that is NaN holds nothing. Raises BadInputError for lengths that differ.
    """  # noqa: D415 - the list is the sentence
    rule = rule or PromotionGate()
    rules = [
        (
            window.events >= rule.min_episodes,
            f"{window.events} independent positives tested, {rule.min_episodes} are needed",
        ),
        (
            candidate.feature_set == window.feature_set,
            f"feature set {candidate.feature_set}, this program computes {window.feature_set}",
        ),
    ]
    if candidate.row_us is not None:
        rules.append(
            (
                candidate.row_us <= rule.max_row_us,
                f"{candidate.row_us:.0f} µs a row, at most {rule.max_row_us:.0f} are allowed",
            )
        )
    if len(window.y):
        rules += _measured(champion, candidate, window, rule)
    broken = tuple(sentence for holds, sentence in rules if not holds)
    return Decision(not broken, broken or tuple(sentence for _, sentence in rules))


def unjudged(order: Int64, judged: list[Run], distance: int) -> Bool:
    """(n,): which rows lie further than `distance` from every run that a gate has looked at."""
    opens, closes = np.sort(np.array(judged, np.int64).reshape(-1, 2), axis=0).T
    begun = np.searchsorted(opens - distance, order, side="right")
    fresh: Bool = begun == np.searchsorted(closes + distance, order, side="left")
    return fresh


def runs(order: Int64, distance: int) -> list[Run]:
    """Rows as runs in which no two following orders are more than `distance` apart."""
    if not len(order):
        return []
    orders = np.unique(order)
    opens = np.concatenate([[0], np.flatnonzero(np.diff(orders) > distance) + 1])
    closes = np.append(opens[1:] - 1, len(orders) - 1)
    return [(int(orders[a]), int(orders[b])) for a, b in zip(opens, closes, strict=True)]


def wide(difference: Resampled, level: float) -> Interval:
    """The percentile interval or its mirror image in the estimate, on each side the wider one.

    Average precision is skewed where there is little to find: percentiles alone promoted 1 of 20
    models of markets with nothing to predict, this none, and as many of those with something.
    """
    percentile = difference.interval(level)
    centre = 2 * percentile.estimate
    return msgspec.structs.replace(
        percentile,
        low=min(percentile.low, centre - percentile.high),
        high=max(percentile.high, centre - percentile.low),
    )


def at_best(by_probability: Resampled, by_ranking: Resampled | None) -> Resampled:
    """The higher of the two, where there are two: nobody is met at his weakest."""
    if by_ranking is None or by_ranking.estimate <= by_probability.estimate:
        return by_probability
    return by_ranking


class _Figures(NamedTuple):
    """Scores on the same resamples; PR-AUC and log loss by whose they are."""

    loss: dict[str, Resampled]
    pr_auc: dict[str, Resampled]
    over: Resampled
    off: Resampled


def _figures(ours: str, said: Mapping[str, Forecast], y: Float64, drawn: Resamples) -> _Figures:
    candidate = said[ours].probability
    asked: dict[tuple[str, str], tuple[scores.Score, Float64]] = {
        (ours, "rate"): (scores.base_rate, candidate),
        (ours, "off"): (scores.calibration_error, candidate),
    }
    for name, forecast in said.items():
        asked[name, "loss"] = (scores.log_loss, forecast.probability)
        asked[name, "probability"] = (scores.pr_auc, forecast.probability)
        if forecast.ranking is not None:
            asked[name, "ranking"] = (scores.pr_auc, forecast.ranking)
    together = bootstrap.resampled_together(list(asked.values()), y, drawn)
    resampled = dict(zip(asked, together, strict=True))
    return _Figures(
        loss={name: resampled[name, "loss"] for name in said},
        pr_auc={
            name: at_best(resampled[name, "probability"], resampled.get((name, "ranking")))
            for name in said
        },
        over=resampled[ours, "probability"] - resampled[ours, "rate"],
        off=resampled[ours, "off"],
    )


def _measured(
    champion: Contender | None, candidate: Contender, window: Window, rule: PromotionGate
) -> list[tuple[bool, str]]:
    """The rules that need figures."""
    drawn, ours = window.drawn(rule.resamples), candidate.label
    others: list[tuple[str, Forecast]] = [*window.baselines.items()]
    if champion is not None:
        others.append((champion.label, champion))
    said = {ours: candidate, **dict(others)}
    if len(said) != len(others) + 1 or any(not _of(window, one) for one in said.values()):
        raise BadInputError(
            "promotion",
            "a forecast that is not of the window's rows, or two of one name",
            "Score every row of the window with each",
        )
    figures = _figures(ours, said, window.y, drawn)
    over, off = wide(figures.over, rule.level), figures.off.interval(rule.level)
    rules = [
        (
            drawn.blocks >= rule.min_blocks,
            f"{drawn.blocks} blocks tested, {rule.min_blocks} are needed",
        ),
        (
            _sound(over, rule) and over.low > 0,
            f"PR-AUC minus base rate {_words(over)} must lie above 0",
        ),
        (
            _sound(off, rule) and off.low <= rule.max_calibration_error,
            (
                f"calibration error {_words(off, signed=False)} must not lie above "
                f"{rule.max_calibration_error:g}"
            ),
        ),
    ]
    for other, _ in others:
        loss = wide(figures.loss[ours] - figures.loss[other], rule.level)
        precision = wide(figures.pr_auc[ours] - figures.pr_auc[other], rule.level)
        of_loss = f"log loss minus {other}'s {_words(loss)}"
        of_precision = f"PR-AUC minus {other}'s {_words(precision)}"
        better = _sound(loss, rule) and loss.high < 0
        rules += [
            (_sound(loss, rule) and loss.low <= 0, f"{of_loss} must not lie above 0"),
            (
                _sound(precision, rule) and precision.high >= -rule.margin,
                f"{of_precision} must not lie below {-rule.margin:g}",
            ),
        ]
        if champion is None or other != champion.label:
            better |= _sound(precision, rule) and precision.low > 0
            rules.append((better, f"{of_loss} must lie below 0, or {of_precision} above it"))
        elif not champion.expired:
            rules.append((better, f"{of_loss} must lie below 0"))
    return rules


def _of(window: Window, forecast: Forecast) -> bool:
    """Whether it is of the window's rows."""
    series = (forecast.probability, forecast.ranking)
    return all(len(each) == len(window.y) for each in series if each is not None)


def _sound(interval: Interval, rule: PromotionGate) -> bool:
    return interval.undefined <= rule.max_undefined * interval.resamples


def _words(of: Interval, *, signed: bool = True) -> str:
    text = interval(of, 4, signed=signed)
    if text == NOT_DEFINED:
        return f"{text} (the test rows are all of one kind)"
    if of.undefined:
        text += f" ({of.undefined} of {of.resamples} resamples undefined)"
    return text
