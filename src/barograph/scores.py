"""Scores of forecasts, with block-bootstrap intervals and paired differences.

Neighbouring rows share almost all of their label, so an interval that takes rows for independent
is far too narrow. Here whole blocks of time are resampled: all products' rows of a block come
together, because volatility is common to them, and no block spans a hole.
"""

from collections.abc import Callable, Sequence
from math import ceil, nan

import msgspec
import numpy as np
from numba import njit
from numpy.typing import NDArray

from barograph.errors import BadInputError
from barograph.types import Interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LOG_LOSS_CLIP = 1e-6
"""Probabilities are kept this far from 0 and 1: a wrong certainty costs 13.8, not infinity."""


class Score(msgspec.Struct, frozen=True):
    """A score of a forecast: call it with (truth, forecast), both (n,), for its value on all rows.

    `prepare(truth, forecast)` does once what does not depend on the resample (sorting) and gives
    the function from (n,) int64 row weights to the value; NaN where the score is not defined.
    Both raise BadInputError for lengths that differ, NaN, or values that the score cannot take.
    """

    name: str
    higher_is_better: bool
    prepare: Callable[[Floats, Floats], Callable[[Ints], float]]

    def __call__(self, truth: Floats, forecast: Floats) -> float:
        """The score with every row counted once."""
        return self.prepare(truth, forecast)(np.ones(len(truth), dtype=np.int64))


def _refuse(why: str) -> BadInputError:
    return BadInputError("rows to score", why, "Leave out rows without label or forecast first")


def _refuse_unscorable(truth: Floats, forecast: Floats, *, spikes: bool) -> None:
    if truth.shape != forecast.shape or truth.ndim != 1 or len(truth) == 0:
        raise _refuse(f"truth {truth.shape} and forecast {forecast.shape} are not (n,), n > 0")
    if np.isnan(truth).any() or np.isnan(forecast).any():
        raise _refuse("some are NaN")
    if spikes and not np.isin(truth, (0.0, 1.0)).all():
        raise _refuse("a truth is neither 0 nor 1")


@njit(cache=True)
def _average_precision(order: Ints, truth: Floats, ends_tie: Floats, weight: Ints) -> float:
    hits, rows, hits_before, area = 0, 0, 0, 0.0
    for k in range(len(order)):
        w = weight[order[k]]
        rows += w
        if truth[k] == 1.0:
            hits += w
        if ends_tie[k] and hits > hits_before:
            area += (hits - hits_before) * (hits / rows)
            hits_before = hits
    return area / hits if hits > 0 else np.nan


@njit(cache=True)
def _roc_area(order: Ints, truth: Floats, ends_tie: Floats, weight: Ints) -> float:
    hits, misses, hits_before, misses_before, area = 0, 0, 0, 0, 0.0
    for k in range(len(order)):
        w = weight[order[k]]
        if truth[k] == 1.0:
            hits += w
        else:
            misses += w
        if ends_tie[k]:
            area += (misses - misses_before) * 0.5 * (hits + hits_before)
            hits_before, misses_before = hits, misses
    return area / hits / misses if hits > 0 and misses > 0 else np.nan


def _ranked(
    area: Callable[[Ints, Floats, Floats, Ints], float],
) -> Callable[[Floats, Floats], Callable[[Ints], float]]:
    """A score of the order only; the rows are sorted once, equal forecasts count as one step."""

    def prepare(truth: Floats, forecast: Floats) -> Callable[[Ints], float]:
        _refuse_unscorable(truth, forecast, spikes=True)
        order = np.argsort(-forecast, kind="stable")
        ranked = forecast[order]
        ends_tie = np.append(ranked[1:] != ranked[:-1], True)
        spike = np.ascontiguousarray(truth[order], dtype=np.float64)
        return lambda weight: float(area(order, spike, ends_tie, weight))

    return prepare


@njit(cache=True)
def _weighted_mean(values: Floats, weight: Ints) -> float:
    # A plain loop: what BLAS adds up depends on the machine's threads.
    total, rows = 0.0, 0
    for k in range(len(values)):
        total += weight[k] * values[k]
        rows += weight[k]
    return total / rows


def _mean(values: Floats) -> Callable[[Ints], float]:
    values = np.ascontiguousarray(values, dtype=np.float64)
    return lambda weight: float(_weighted_mean(values, weight))


def _base_rate(truth: Floats, forecast: Floats) -> Callable[[Ints], float]:
    _refuse_unscorable(truth, forecast, spikes=True)
    return _mean(truth)


def _lift(truth: Floats, forecast: Floats) -> Callable[[Ints], float]:
    precision, rate = pr_auc.prepare(truth, forecast), base_rate.prepare(truth, forecast)

    def value(weight: Ints) -> float:
        spikes = rate(weight)
        return precision(weight) / spikes if spikes > 0 else nan

    return value


def _refuse_improbable(truth: Floats, forecast: Floats) -> None:
    _refuse_unscorable(truth, forecast, spikes=True)
    if forecast.min() < 0 or forecast.max() > 1:
        raise _refuse("a forecast is no probability")


def _brier(truth: Floats, forecast: Floats) -> Callable[[Ints], float]:
    _refuse_improbable(truth, forecast)
    return _mean((forecast - truth) ** 2)


def _log_loss(truth: Floats, forecast: Floats) -> Callable[[Ints], float]:
    _refuse_improbable(truth, forecast)
    clipped = np.clip(forecast, LOG_LOSS_CLIP, 1 - LOG_LOSS_CLIP)
    return _mean(-np.log(np.where(truth == 1.0, clipped, 1 - clipped)))


def _refuse_unvolatile(truth: Floats, forecast: Floats) -> None:
    _refuse_unscorable(truth, forecast, spikes=False)
    if truth.min() <= 0 or forecast.min() <= 0:
        raise _refuse("a volatility is not positive")


def _qlike(truth: Floats, forecast: Floats) -> Callable[[Ints], float]:
    _refuse_unvolatile(truth, forecast)
    ratio = (truth / forecast) ** 2
    return _mean(ratio - np.log(ratio) - 1)


def _log_r2(truth: Floats, forecast: Floats) -> Callable[[Ints], float]:
    _refuse_unvolatile(truth, forecast)
    log_vol = np.log(truth)
    error = _mean((log_vol - np.log(forecast)) ** 2)
    centred = log_vol - log_vol.mean()
    mean, square = _mean(centred), _mean(centred**2)

    def value(weight: Ints) -> float:
        variance = square(weight) - mean(weight) ** 2
        # Where all are alike, what is left of it is rounding.
        return 1 - error(weight) / variance if variance > 1e-12 * log_vol[0] ** 2 else nan

    return value


pr_auc = Score("pr_auc", True, _ranked(_average_precision))  # noqa: FBT003 - named by the class
"""Average precision: Σ (recall step · precision), no interpolation. Needs a spike to be defined."""

roc_auc = Score("roc_auc", True, _ranked(_roc_area))  # noqa: FBT003
"""Share of (spike, calm) pairs that the forecast orders rightly, ties half."""

base_rate = Score("base_rate", True, _base_rate)  # noqa: FBT003
"""Share of spikes: what a forecast that knows nothing reaches in PR-AUC. Ignores the forecast."""

lift = Score("lift", True, _lift)  # noqa: FBT003
"""PR-AUC over the base rate of the same rows."""

brier = Score("brier", False, _brier)  # noqa: FBT003
"""Mean squared error of probabilities. Brier (1950), Monthly Weather Review 78(1)."""

log_loss = Score("log_loss", False, _log_loss)  # noqa: FBT003
"""Mean -ln of the probability given to what happened, in nats, clipped at `LOG_LOSS_CLIP`."""

qlike = Score("qlike", False, _qlike)  # noqa: FBT003
"""Mean of v²/f² - ln(v²/f²) - 1, volatilities v, f > 0. Patton (2011), J. Econometrics 160(1)."""

log_r2 = Score("log_r2", True, _log_r2)  # noqa: FBT003
"""1 - Σ(ln v - ln f)² / Σ(ln v - mean ln v)² for volatilities v, f > 0."""


class ReliabilityBin(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of like probability: what was said on average, and how often it came true."""

    rows: int
    mean_probability: float
    frequency: float


def reliability(truth: Floats, probability: Floats, *, bins: int = 10) -> list[ReliabilityBin]:
    """The reliability table of at most `bins` bins of equal numbers of rows, by rising probability.

    Rows of equal probability stay together (in the bin of their middle rank), so bins may be
    uneven or fewer. Raises BadInputError as the scores do.
    """
    chosen = _bins(truth, probability, bins)
    table = []
    for number in np.unique(chosen):
        inside = chosen == number
        table.append(
            ReliabilityBin(
                rows=int(inside.sum()),
                mean_probability=float(probability[inside].mean()),
                frequency=float(truth[inside].mean()),
            )
        )
    return table


def _bins(truth: Floats, probability: Floats, bins: int) -> Ints:
    """(n,): which bin of the reliability table each row is in."""
    _refuse_improbable(truth, probability)
    _, place, count = np.unique(probability, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - (count + 1) / 2
    chosen: Ints = (bins * middle / len(truth)).astype(np.int64)[place]
    return chosen


@njit(cache=True)
def _binned_error(bins: Ints, off: Floats, weight: Ints) -> float:
    # In each bin |said − came true|, weighed by its rows.
    together, rows = np.zeros(bins.max() + 1), 0
    for k in range(len(bins)):
        together[bins[k]] += weight[k] * off[k]
        rows += weight[k]
    return np.abs(together).sum() / rows


def _calibration_error(truth: Floats, forecast: Floats) -> Callable[[Ints], float]:
    bins, off = _bins(truth, forecast, 10), forecast - truth
    return lambda weight: float(_binned_error(bins, off, weight))


calibration_error = Score("calibration_error", False, _calibration_error)  # noqa: FBT003
"""Expected calibration error: row-weighted |said − came true| over ten bins of equal rows."""


def weighted_log_loss(truth: Floats, forecast: Floats, weight: Floats) -> float:
    """Log loss of rows that count as `weight` (n,) says."""
    clipped = np.clip(forecast, LOG_LOSS_CLIP, 1 - LOG_LOSS_CLIP)
    loss = -np.log(np.where(truth == 1.0, clipped, 1 - clipped))
    return float(np.sum(weight * loss) / np.sum(weight))


class Resamples(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Seeded block resamples of pooled rows; make it with `resamples`.

    `place` (n,) is each row's observed second, counted from 0; `opens` and `length` (m,) are the
    sessions in these places; `block` (m,) their block lengths: `block_s`, or the whole session.
    """

    place: Ints
    opens: Ints
    length: Ints
    block: Ints
    count: int
    seed: int

    @property
    def blocks(self) -> int:
        """How many whole blocks are drawn."""
        return int(np.sum(self.length / self.block) + 1e-9)

    def weight(self, number: int) -> Ints:
        """How often each row occurs in resample `number`: (n,) int64."""
        # A session weighs length / block, so that every row is expected equally often.
        share = np.cumsum(self.length / self.block)
        draw = np.random.default_rng((self.seed, number)).random(ceil(share[-1] - 1e-9)) * share[-1]
        session = np.minimum(np.searchsorted(share, draw, side="right"), len(share) - 1)
        left = draw - np.concatenate(([0.0], share))[session]
        offset = np.minimum((left * self.block[session]).astype(np.int64), self.length[session] - 1)
        weight: Ints = _cover(session, offset, self.opens, self.length, self.block)[self.place]
        return weight


@njit(cache=True)
def _cover(session: Ints, offset: Ints, opens: Ints, length: Ints, block: Ints) -> Ints:
    """How often the drawn blocks cover each place; at a session's end they go on at its start."""
    steps = np.zeros(opens[-1] + length[-1] + 1, dtype=np.int64)
    for k in range(len(session)):
        s = session[k]
        start, stop = opens[s] + offset[k], opens[s] + offset[k] + block[s]
        over = stop - opens[s] - length[s]
        steps[start] += 1
        if over <= 0:
            steps[stop] -= 1
        else:
            steps[opens[s] + length[s]] -= 1
            steps[opens[s]] += 1
            steps[opens[s] + over] -= 1
    return np.cumsum(steps)[:-1]


def resamples(
    second: Ints, session: Ints, *, block_s: int = 600, count: int = 1000, seed: int = 0
) -> Resamples:
    """Circular block resamples in time, for intervals of any `Score`.

    second, session: (n,) int64 of the rows to score, pooled over products, in any order; rows of
    one second are of one session (`splits.sessions`). A block is `block_s` following observed
    seconds of one session with all their rows; it should be several horizons long (default: ten)
    and there should be some 20 of them, or intervals come out too narrow. A session shorter than a
    block is one block. `block_s=1` takes seconds for independent.
    Raises BadInputError when there are no rows or a number is below 1.
    Source: Politis, Romano (1992), in Exploring the Limits of Bootstrap; Künsch (1989), Annals of
    Statistics 17(3).
    """
    if len(second) == 0 or len(second) != len(session) or block_s < 1 or count < 1:
        raise BadInputError(
            "resamples", "no rows, unequal lengths or a size below 1", "Correct the arguments"
        )
    clock, first, place = np.unique(second, return_index=True, return_inverse=True)
    opens = np.concatenate(([0], np.flatnonzero(np.diff(session[first])) + 1)).astype(np.int64)
    length = np.diff(np.append(opens, len(clock)))
    return Resamples(
        place=place.astype(np.int64),
        opens=opens,
        length=length,
        block=np.minimum(length, block_s),
        count=count,
        seed=seed,
    )


class Resampled(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A score on all rows and on each resample (NaN where not defined).

    `a - b` is the paired difference of two predictors or scores; both must come of one `Resamples`.
    """

    estimate: float
    values: Floats
    resamples: Resamples

    def __sub__(self, other: "Resampled") -> "Resampled":
        if other.resamples is not self.resamples:
            raise BadInputError(
                "paired difference",
                "the two scores were not resampled together",
                "Use one Resamples for both",
            )
        return Resampled(
            estimate=self.estimate - other.estimate,
            values=self.values - other.values,
            resamples=self.resamples,
        )

    def interval(self, level: float = 0.95) -> Interval:
        """The percentile interval of the defined resamples at `level`."""
        defined = self.values[~np.isnan(self.values)]
        low, high = nan, nan
        if len(defined) > 0:
            low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2]).tolist()
        return Interval(
            estimate=self.estimate,
            low=low,
            high=high,
            level=level,
            resamples=len(self.values),
            undefined=len(self.values) - len(defined),
        )


def resampled(score: Score, truth: Floats, forecast: Floats, resamples: Resamples) -> Resampled:
    """A score with its value on every resample; `resamples` is of these rows in this order."""
    return resampled_together([(score, forecast)], truth, resamples)[0]


def resampled_together(
    asked: Sequence[tuple[Score, Floats]], truth: Floats, resamples: Resamples
) -> list[Resampled]:
    """As `resampled` for each (score, forecast), in one pass: drawing is half of the work."""
    if len(truth) != len(resamples.place):
        raise _refuse(f"{len(truth)} rows for resamples of {len(resamples.place)}")
    measures = [score.prepare(truth, forecast) for score, forecast in asked]
    once = np.ones(len(truth), dtype=np.int64)
    values = np.empty((len(measures), resamples.count))
    for number in range(resamples.count):
        weight = resamples.weight(number)
        for place, value in enumerate(measures):
            values[place, number] = value(weight)
    return [
        Resampled(estimate=value(once), values=of_score, resamples=resamples)
        for value, of_score in zip(measures, values, strict=True)
    ]
