"""The promotion gate: compare a candidate with champion and baselines, and decide with reasons.

All are compared on the same rows and the same block resamples, and every rule must hold with its
whole interval. Rows that a gate has already used are excluded (`unjudged`): repeated looks at the
same rows would promote by chance.
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
"""First and last order of a run of consecutive rows."""


class PromotionGate(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of `decide`.

    `min_episodes` is the fewest independent positives, `min_blocks` the fewest bootstrap blocks:
    with fewer, intervals are too narrow (on markets without a signal, 2 of 8 candidates were
    promoted with 14 blocks, 0 of 20 with 43). `margin` is the PR-AUC deficit that still counts as
    "not worse". `max_calibration_error` and `max_row_us` (microseconds per row) are upper limits.
    `level` and `resamples` define the intervals; `max_undefined` is the largest share of undefined
    resamples.
    """

    min_episodes: int = 20
    min_blocks: int = 20
    margin: float = 0.02
    max_calibration_error: float = 0.1
    max_row_us: float = 1000.0
    level: float = 0.95
    resamples: int = 1000
    max_undefined: float = 0.05


class LevelForecast(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A forecast of values: `value` (n,), QLIKE's functional, and whether intervals held them."""

    value: Float64
    covered: Bool


class Forecast(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A forecast for a window's rows: `probability` (n,) and, for volatility, `ranking` (n,).

    `ranking` is the forecast over tau: in pooled folds, differing calibrations disturb the order of
    the probabilities but not this order. `level` is there where the window has one.
    """

    probability: Float64
    ranking: Float64 | None = None
    level: LevelForecast | None = None


class LevelWindow(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The values (n,) that were to be forecast, above zero, and how often intervals may hold them.

    `narrowest` and `widest` are the lowest and highest share.
    """

    outcome: Float64
    narrowest: float
    widest: float


class Window(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The rows on which a gate decides; no contender was fitted on any of them.

    y, order, session: (n,) as in `case.Table`, pooled over keys; block: bootstrap block length in
    orders; events: number of independent positives; baselines: forecasts of those to beat, by name.
    level: of a window in which values are forecast, not only whether they reach tau.
    """

    y: Float64
    order: Int64
    session: Int64
    block: int
    events: int
    feature_set: str
    baselines: Mapping[str, Forecast]
    level: LevelWindow | None = None
    seed: int = 0

    def drawn(self, count: int) -> Resamples:
        """Draw `count` block resamples of the rows."""
        return bootstrap.resamples(
            self.order, self.session, block_s=self.block, count=count, seed=self.seed
        )


class Contender(Forecast, frozen=True, kw_only=True, eq=False):
    """A model before the gate: its forecast for the window's rows, and its properties.

    An `expired` champion need not be beaten, only matched. `row_us` is the median time for one row
    in microseconds.
    """

    label: str
    feature_set: str
    row_us: float | None = None
    expired: bool = False


class Decision(msgspec.Struct, frozen=True):
    """Whether to promote, with the sentences of the rules that decided it.

    These are the broken rules, or all rules if none is broken. `counted` is whether it was a look
    at its rows: without the fewest episodes and blocks nothing they show can promote, so a later
    gate may use them with more.
    """

    promote: bool
    reasons: tuple[str, ...]
    counted: bool = True

    @property
    def word(self) -> str:
        """The decision in a word: "Promote" or "Keep"."""
        return "Promote" if self.promote else "Keep"


def decide(
    champion: Contender | None,
    candidate: Contender,
    window: Window,
    rule: PromotionGate | None = None,
) -> Decision:
    """Promote a candidate only if every rule holds with its whole interval.

    The rules: enough independent positives and blocks; PR-AUC significantly above the base rate;
    against each baseline significantly better by log loss or by PR-AUC, and by neither
    significantly worse (PR-AUC by more than the margin); against a champion significantly better by
    log loss, or, if it has expired, not significantly worse; calibration, time per row and feature
    set within limits. Models are compared by their PR-AUC `at_best`; only the probabilities are
    compared with the base rate, as alarms depend on them. A NaN bound fails its rule.

    In a window with a level, values are compared instead: QLIKE significantly better than that of
    each baseline and of a champion (not significantly worse than an expired one's), and the share
    of values within their intervals not significantly outside the limits; blocks, time per row and
    feature set as above.
    Raises BadInputError for forecasts of other lengths and for duplicate names.
    """
    rule = rule or PromotionGate()
    counted = True
    rules = [
        (
            candidate.feature_set == window.feature_set,
            f"feature set must be this program's {window.feature_set}: {candidate.feature_set}",
        ),
    ]
    if window.level is None:
        positives = f"independent positives must be at least {rule.min_episodes}: {window.events}"
        counted = window.events >= rule.min_episodes
        rules.insert(0, (counted, positives))
    if candidate.row_us is not None:
        rules.append(
            (
                candidate.row_us <= rule.max_row_us,
                f"time per row must be at most {rule.max_row_us:.0f} µs: {candidate.row_us:.0f}",
            )
        )
    if len(window.y):
        forecasts = {candidate.label: candidate, **_others(champion, window)}
        duplicates = len(forecasts) != len(window.baselines) + 1 + (champion is not None)
        if duplicates or any(not _of(window, one) for one in forecasts.values()):
            raise BadInputError(
                "promotion",
                "a forecast does not match the window's rows, or two have the same name",
                "Score every row of the window with each",
            )
        drawn = window.drawn(rule.resamples)
        blocks = f"blocks must be at least {rule.min_blocks}: {drawn.blocks}"
        rules.append((drawn.blocks >= rule.min_blocks, blocks))
        counted = counted and drawn.blocks >= rule.min_blocks
        if window.level is None:
            rules += _measured(champion, candidate, window, rule, drawn)
        else:
            rules += _measured_levels(champion, candidate, window, rule, drawn)
    broken = tuple(sentence for holds, sentence in rules if not holds)
    return Decision(not broken, broken or tuple(sentence for _, sentence in rules), counted)


def unjudged(order: Int64, judged: list[Run], distance: int) -> Bool:
    """(n,) mask of rows further than `distance` from every run that a gate has used."""
    opens, closes = np.sort(np.array(judged, np.int64).reshape(-1, 2), axis=0).T
    begun = np.searchsorted(opens - distance, order, side="right")
    fresh: Bool = begun == np.searchsorted(closes + distance, order, side="left")
    return fresh


def runs(order: Int64, distance: int) -> list[Run]:
    """Group orders into runs whose neighbours are at most `distance` apart."""
    if not len(order):
        return []
    orders = np.unique(order)
    opens = np.concatenate([[0], np.flatnonzero(np.diff(orders) > distance) + 1])
    closes = np.append(opens[1:] - 1, len(orders) - 1)
    return [(int(orders[a]), int(orders[b])) for a, b in zip(opens, closes, strict=True)]


def wide(difference: Resampled, level: float) -> Interval:
    """On each side the wider of the percentile interval and its mirror image about the estimate.

    Average precision is skewed when there is little signal: percentile intervals promoted 1 of 20
    models on markets without a signal, these none, and equally many on markets with one.
    """
    percentile = difference.interval(level)
    centre = 2 * percentile.estimate
    return msgspec.structs.replace(
        percentile,
        low=min(percentile.low, centre - percentile.high),
        high=max(percentile.high, centre - percentile.low),
    )


def at_best(by_probability: Resampled, by_ranking: Resampled | None) -> Resampled:
    """The higher of the two PR-AUCs, so that each model is compared at its best."""
    if by_ranking is None or by_ranking.estimate <= by_probability.estimate:
        return by_probability
    return by_ranking


class _Figures(NamedTuple):
    """Scores on the same resamples, log loss and PR-AUC by model name.

    over: the candidate's PR-AUC minus the base rate; off: its calibration error.
    """

    loss: dict[str, Resampled]
    pr_auc: dict[str, Resampled]
    over: Resampled
    off: Resampled


def _figures(
    ours: str, forecasts: Mapping[str, Forecast], y: Float64, drawn: Resamples
) -> _Figures:
    candidate = forecasts[ours].probability
    measured: dict[tuple[str, str], tuple[scores.Score, Float64]] = {
        (ours, "rate"): (scores.base_rate, candidate),
        (ours, "off"): (scores.calibration_error, candidate),
    }
    for name, forecast in forecasts.items():
        measured[name, "loss"] = (scores.log_loss, forecast.probability)
        measured[name, "probability"] = (scores.pr_auc, forecast.probability)
        if forecast.ranking is not None:
            measured[name, "ranking"] = (scores.pr_auc, forecast.ranking)
    together = bootstrap.resampled_together(list(measured.values()), y, drawn)
    resampled = dict(zip(measured, together, strict=True))
    return _Figures(
        loss={name: resampled[name, "loss"] for name in forecasts},
        pr_auc={
            name: at_best(resampled[name, "probability"], resampled.get((name, "ranking")))
            for name in forecasts
        },
        over=resampled[ours, "probability"] - resampled[ours, "rate"],
        off=resampled[ours, "off"],
    )


def _measured(
    champion: Contender | None,
    candidate: Contender,
    window: Window,
    rule: PromotionGate,
    drawn: Resamples,
) -> list[tuple[bool, str]]:
    """Evaluate the rules that compare scores: (holds, sentence) each."""
    ours, others = candidate.label, _others(champion, window)
    figures = _figures(ours, {ours: candidate, **others}, window.y, drawn)
    over, off = wide(figures.over, rule.level), figures.off.interval(rule.level)
    rules = [
        (
            _sound(over, rule) and over.low > 0,
            f"PR-AUC must be above the base rate: {_words(over)}",
        ),
        (
            _sound(off, rule) and off.low <= rule.max_calibration_error,
            (
                f"calibration error must be at most {rule.max_calibration_error:g}: "
                f"{_words(off, signed=False)}"
            ),
        ),
    ]
    for other in others:
        loss = wide(figures.loss[ours] - figures.loss[other], rule.level)
        precision = wide(figures.pr_auc[ours] - figures.pr_auc[other], rule.level)
        less, more = _words(loss), _words(precision)  # differences: ours minus the other's
        better = _sound(loss, rule) and loss.high < 0
        rules += [
            (
                _sound(loss, rule) and loss.low <= 0,
                f"log loss must not be worse than {other}'s: {less}",
            ),
            (
                _sound(precision, rule) and precision.high >= -rule.margin,
                f"PR-AUC must be at most {rule.margin:g} worse than {other}'s: {more}",
            ),
        ]
        if champion is None or other != champion.label:
            better |= _sound(precision, rule) and precision.low > 0
            sentence = f"log loss or PR-AUC must be better than {other}'s: {less}; {more}"
            rules.append((better, sentence))
        elif not champion.expired:
            rules.append((better, f"log loss must be better than {other}'s: {less}"))
    return rules


def _measured_levels(
    champion: Contender | None,
    candidate: Contender,
    window: Window,
    rule: PromotionGate,
    drawn: Resamples,
) -> list[tuple[bool, str]]:
    """Evaluate the rules that compare forecasts of values: (holds, sentence) each."""
    ours, level = candidate.label, window.level
    forecasts = {ours: candidate, **_others(champion, window)}
    levels = {name: one.level for name, one in forecasts.items() if one.level is not None}
    if level is None or len(levels) != len(forecasts):
        raise BadInputError(
            "promotion", "one of the models forecasts no value", "Compare those that do"
        )
    of = [(scores.qlike, each.value) for each in levels.values()]
    of.append((scores.coverage, levels[ours].covered.astype(np.float64)))
    *losses, covered = bootstrap.resampled_together(of, level.outcome, drawn)
    loss = dict(zip(levels, losses, strict=True))
    held = covered.interval(rule.level)
    rules = [
        (
            held.high >= level.narrowest and held.low <= level.widest,
            (
                f"coverage must not be surely outside {level.narrowest:.0%} to {level.widest:.0%}: "
                f"{interval(held, 1, share=True)}"
            ),
        )
    ]
    for other in levels:
        if other == ours:
            continue
        less = wide(loss[ours] - loss[other], rule.level)
        if champion is not None and other == champion.label and champion.expired:
            sentence = f"QLIKE must not be worse than {other}'s: {_words(less)}"
            rules.append((_sound(less, rule) and less.low <= 0, sentence))
        else:
            sentence = f"QLIKE must be better than {other}'s: {_words(less)}"
            rules.append((_sound(less, rule) and less.high < 0, sentence))
    return rules


def _others(champion: Contender | None, window: Window) -> dict[str, Forecast]:
    """The forecasts with which the candidate is compared, by name."""
    others: dict[str, Forecast] = dict(window.baselines)
    if champion is not None:
        others[champion.label] = champion
    return others


def _of(window: Window, forecast: Forecast) -> bool:
    """Whether the forecast has the length of the window."""
    series = (forecast.probability, forecast.ranking)
    lengths = [len(each) for each in series if each is not None]
    if forecast.level is not None:
        lengths += [len(forecast.level.value), len(forecast.level.covered)]
    return all(length == len(window.y) for length in lengths)


def _sound(interval: Interval, rule: PromotionGate) -> bool:
    return interval.undefined <= rule.max_undefined * interval.resamples


def _words(of: Interval, *, signed: bool = True) -> str:
    text = interval(of, 4, signed=signed)
    if text == NOT_DEFINED:
        return f"{text} (the test rows are all of one kind)"
    if of.undefined:
        text += f" ({of.undefined} of {of.resamples} resamples undefined)"
    return text
