"""Block-bootstrap intervals of scores, and paired differences.

Labels of neighbouring rows overlap, so intervals that assume independent rows are far too narrow.
Whole blocks of time are resampled instead: with the rows of all products, because volatility is
common to them, and never across a hole.
"""

from collections.abc import Sequence
from math import ceil, nan

import msgspec
import numpy as np

from barograph.arrays import Float64, Int32, Int64
from barograph.compiled import compiled
from barograph.errors import BadInputError
from barograph.evaluation.scores import Means, Score
from barograph.types import Interval


class Resamples(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Seeded block resamples of pooled rows; created by `resamples`.

    `place` (n,) is the index of each row's second among the observed seconds; `opens` and `length`
    (m,) are the sessions in these indices; `block` (m,) their block lengths: `block_s`, or the
    whole session.
    """

    place: Int64
    opens: Int64
    length: Int64
    block: Int64
    count: int
    seed: int

    @property
    def blocks(self) -> int:
        """Number of whole blocks per resample."""
        return int(np.sum(self.length / self.block) + 1e-9)

    def steps(self, number: int) -> Int32:
        """Differences of the counts between successive places in resample `number`, from 0."""
        # Sessions are drawn by length / block, so that every row has the same expected count.
        share = np.cumsum(self.length / self.block)
        draw = np.random.default_rng((self.seed, number)).random(ceil(share[-1] - 1e-9)) * share[-1]
        session = np.minimum(np.searchsorted(share, draw, side="right"), len(share) - 1)
        left = draw - np.concatenate(([0.0], share))[session]
        offset = np.minimum((left * self.block[session]).astype(np.int64), self.length[session] - 1)
        steps: Int32 = _steps(session, offset, self.opens, self.length, self.block)
        return steps

    def weight(self, number: int) -> Int32:
        """(n,) number of times that each row occurs in resample `number`."""
        return self.counts(self.steps(number))

    def counts(self, steps: Int32) -> Int32:
        """(n,) number of times that each row occurs, from the result of `steps`."""
        counts: Int32 = np.cumsum(steps[:-1], dtype=np.int32)[self.place]
        return counts

    def before(self, columns: Float64) -> Float64:
        """(places + 1, m) sums of `columns` (n, m) over rows before each place, and in total."""
        places = int(self.place.max()) + 1
        sums = [np.bincount(self.place, column, places) for column in columns.T]
        out = np.zeros((places + 1, len(sums)))
        np.cumsum(np.stack(sums, axis=1), axis=0, out=out[1:])
        return out


@compiled
def _steps(session: Int64, offset: Int64, opens: Int64, length: Int64, block: Int64) -> Int32:
    """Starts (+1) and ends (-1) of drawn blocks, which wrap around at the end of a session."""
    steps = np.zeros(opens[-1] + length[-1] + 1, dtype=np.int32)
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
    return steps


@compiled
def _drawn_sums(steps: Int32, at: Int64, before: Float64) -> Float64:
    """(m,) column sums over the drawn blocks, as differences of the cumulative sums `before`."""
    sums = np.zeros(before.shape[1])
    for place in at:
        for column in range(before.shape[1]):
            sums[column] -= steps[place] * before[place, column]
    return sums


def resamples(
    second: Int64, session: Int64, *, block_s: int = 600, count: int = 1000, seed: int = 0
) -> Resamples:
    """Circular block resamples in time, for intervals of any `Score`.

    second, session: (n,) int64 of the rows to score, pooled over products, in any order; rows of
    one second must be of one session (`splits.sessions`). A block is `block_s` consecutive observed
    seconds of one session with all their rows. It should be several horizons long (default: ten),
    with at least about 20 blocks, or intervals are too narrow. A session shorter than a block is
    one block. `block_s=1` treats seconds as independent.
    Raises BadInputError without rows, for unequal lengths, and for `block_s` or `count` below 1.
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
    """A score on all rows and on each resample (NaN if undefined).

    `a - b` is the paired difference of two forecasts or scores, `a / b` their ratio. Both must come
    from one `Resamples`; otherwise BadInputError is raised.
    """

    estimate: float
    values: Float64
    resamples: Resamples

    def _paired(self, other: "Resampled") -> "Resampled":
        if other.resamples is not self.resamples:
            raise BadInputError(
                "paired difference",
                "the two scores were not resampled together",
                "Use one Resamples for both",
            )
        return other

    def __sub__(self, other: "Resampled") -> "Resampled":
        return Resampled(
            estimate=self.estimate - self._paired(other).estimate,
            values=self.values - other.values,
            resamples=self.resamples,
        )

    def __truediv__(self, other: "Resampled") -> "Resampled":
        with np.errstate(invalid="ignore"):  # 0/0 is NaN: undefined
            return Resampled(
                estimate=float(np.divide(self.estimate, self._paired(other).estimate)),
                values=self.values / other.values,
                resamples=self.resamples,
            )

    def interval(self, level: float = 0.95) -> Interval:
        """The percentile interval at `level` over the resamples where the score is defined."""
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


def resampled(score: Score, truth: Float64, forecast: Float64, resamples: Resamples) -> Resampled:
    """A score on all rows and on every resample; `resamples` must be of the same rows in order."""
    return resampled_together([(score, forecast)], truth, resamples)[0]


def resampled_together(
    forecasts: Sequence[tuple[Score, Float64]], truth: Float64, resamples: Resamples
) -> list[Resampled]:
    """`resampled` for each (score, forecast), drawing each resample once.

    Raises BadInputError if `truth` and `resamples` differ in length.
    """
    if len(truth) != len(resamples.place):
        raise BadInputError(
            "rows to score",
            f"{len(truth)} for resamples of {len(resamples.place)}",
            "Draw the resamples of these rows",
        )
    measures = [score.prepare(truth, forecast) for score, forecast in forecasts]
    of_rows = {place: m for place, m in enumerate(measures) if not isinstance(m, Means)}
    # Cumulative sums give the sum of any block in constant time.
    of_sums = {
        place: (m, resamples.before(m.columns))
        for place, m in enumerate(measures)
        if isinstance(m, Means)
    }
    counted = resamples.before(np.ones((len(truth), 1)))
    values = np.empty((len(measures), resamples.count))
    for number in range(resamples.count):
        steps = resamples.steps(number)
        at = np.flatnonzero(steps)
        rows = _drawn_sums(steps, at, counted)[0]
        for place, (means, before) in of_sums.items():
            values[place, number] = means.value(_drawn_sums(steps, at, before) / rows)
        if of_rows:
            weight = resamples.counts(steps)
            for place, value in of_rows.items():
                values[place, number] = value(weight)
    once = np.ones(len(truth), np.int32)
    return [
        Resampled(estimate=value(once), values=of_score, resamples=resamples)
        for value, of_score in zip(measures, values, strict=True)
    ]
