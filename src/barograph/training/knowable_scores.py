"""How much of the tested outcomes could be known at best, and the choices' share of it."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol, runtime_checkable

import msgspec
import numpy as np

from barograph.arrays import Float64, Int64
from barograph.cases.case import Table
from barograph.evaluation import bootstrap, knowable, scores
from barograph.evaluation.bootstrap import Resampled
from barograph.evaluation.gate import at_best
from barograph.evaluation.knowable import Seconds
from barograph.evaluation.scores import Score
from barograph.evaluation.splits import Rows
from barograph.learning.relative import VOL_FLOOR
from barograph.training.skill import PooledForecasts, Resampling
from barograph.types import Interval

_CERTAIN = 1e-6  # distance of a probability from 0 and 1, as for log loss


class Knowable(msgspec.Struct, frozen=True, kw_only=True):
    """What could be known of the tested outcomes, by `evaluation.knowable`.

    `log_r2` and `pr_auc` are the scores of a smoother that sees both sides of each label's minute
    and every model's forecast: what no forecast from the past beats by much. `own_log_r2` and
    `own_pr_auc` are those of one who knows the minute's own volatility: what none beats at all. The
    shares are those of the choices: of `log_r2`, and of `pr_auc` above the base rate; None where
    the interval of what can be known does not lie above 0 or the base rate, and without a forecast
    of the choices. `label_noise` is the variance of ln label by chance alone, `still` the share of
    labels at the lowest volatility that counts: minutes without a move.
    """

    label_noise: float
    still: float
    log_r2: Interval
    pr_auc: Interval
    own_log_r2: Interval
    own_pr_auc: Interval
    log_r2_share: Interval | None
    pr_auc_share: Interval | None


@runtime_checkable
class TableOfReturns(Protocol):
    """A table with the grid of one-second log returns that its outcomes are made of.

    `returns_1s` (g,) is NaN at each hole, `place` (n,) the index of each row in it.
    """

    returns_1s: Float64
    place: Int64


class _Best(NamedTuple):
    """Forecasts (n,) of those who know more than the past: log volatility, and a ranking."""

    both_sides: Float64
    ranking: Float64
    itself: Float64
    noise: float


def knowable_scores(of: PooledForecasts, tau: Float64 | None, how: Resampling) -> Knowable | None:
    """Score what could be known; None where outcomes are few or not made of returns of seconds.

    Seconds after the last tested row tell nothing here, as they would not have come yet, and labels
    that reach beyond it are left out.

    tau: (n,) of the tested rows, None where no model forecasts a volatility.
    """
    table = of.table
    if tau is None or not isinstance(table, TableOfReturns):
        return None
    whole = np.zeros(len(of.rows), np.bool_)
    order = of.table.order[of.rows]
    for seconds, where in _by_key(of.table, table, of.rows, int(order.max())):
        whole[where] = knowable.has_returns(seconds, order[where], of.case.horizon_s)
    if len(np.unique(order[whole])) < knowable.STRETCHES * of.case.horizon_s:
        return None
    of, tau = of.some(whole), tau[whole]
    best = _best(of, table, tau, int(order.max()))
    drawn = how.drawn(of, of.rows)

    def resampled(score: Score, truth: Float64, *forecasts: Float64) -> list[Resampled]:
        return bootstrap.resampled_together([(score, each) for each in forecasts], truth, drawn)

    smooth = np.exp(best.both_sides)
    ours = [of.volatility[of.chosen]] if of.chosen in of.volatility else []
    log_r2, own_log_r2, *chosen_log_r2 = resampled(
        scores.log_r2, of.outcome, smooth, best.itself, *ours
    )
    by_ratio, by_odds, own_pr_auc, chosen_pr_auc = resampled(
        scores.pr_auc, of.y, smooth / tau, best.ranking, best.itself / tau, of.ranking[of.chosen]
    )
    [base_rate] = resampled(scores.base_rate, of.y, of.y)
    pr_auc = at_best(by_ratio, by_odds)
    above = pr_auc - base_rate
    return Knowable(
        label_noise=best.noise,
        still=float(np.mean(of.outcome <= VOL_FLOOR)),
        log_r2=log_r2.interval(how.level),
        pr_auc=pr_auc.interval(how.level),
        own_log_r2=own_log_r2.interval(how.level),
        own_pr_auc=own_pr_auc.interval(how.level),
        log_r2_share=_share(chosen_log_r2[0], log_r2, how.level) if chosen_log_r2 else None,
        pr_auc_share=_share(chosen_pr_auc - base_rate, above, how.level),
    )


def figures_of(of: Knowable | None) -> dict[str, float]:
    """What can be known, and the shares of it that are defined, by name; empty without one."""
    if of is None:
        return {}
    named = {
        "knowable_pr_auc": of.pr_auc,
        "knowable_log_r2": of.log_r2,
        "pr_auc_share": of.pr_auc_share,
        "log_r2_share": of.log_r2_share,
    }
    return {name: each.estimate for name, each in named.items() if each is not None}


def _share(ours: Resampled, whole: Resampled, level: float) -> Interval | None:
    return (ours / whole).interval(level) if whole.interval(level).low > 0 else None


def _best(of: PooledForecasts, table: TableOfReturns, tau: Float64, last: int) -> _Best:
    horizon_s, order = of.case.horizon_s, of.table.order[of.rows]
    imbalance = np.empty(len(of.rows))
    columns = np.empty((len(of.rows), 4 * len(knowable.WINDOWS)))
    for seconds, where in _by_key(of.table, table, of.rows, last):
        imbalance[where] = knowable.imbalance(seconds, order[where], horizon_s)
        columns[where] = knowable.sides(seconds, order[where], horizon_s)
    stretch, log_tau = knowable.stretches(order), np.log(tau)
    logs = {name: np.log(forecast) for name, forecast in of.volatility.items()}
    base = logs.get(of.chosen, knowable.past_mean(columns))

    def less(logarithm: Float64) -> list[Float64]:
        return [
            knowable.relative(columns, logarithm),
            *((log - logarithm)[:, None] for log in logs.values()),
        ]

    probability = np.clip(of.probability[of.chosen], _CERTAIN, 1 - _CERTAIN)
    odds = np.log(probability / (1 - probability))[:, None]
    return _Best(
        both_sides=knowable.smoothed(
            np.hstack(less(base)), base, np.log(of.outcome), stretch, horizon_s
        ),
        ranking=knowable.ranked(np.hstack([*less(log_tau), odds]), of.y, stretch, horizon_s),
        itself=knowable.itself(of.outcome, imbalance, horizon_s),
        noise=knowable.noise(imbalance, horizon_s),
    )


def _by_key(
    table: Table, grid: TableOfReturns, rows: Rows, last: int
) -> Iterator[tuple[Seconds, Rows]]:
    """Yield the known returns of each key up to second `last`, and the places of its rows (m,).

    A run of the grid is timed by its rows; one without a row is left out.
    """
    known = ~np.isnan(grid.returns_1s)
    run = np.cumsum(~known)
    start, key = np.zeros(run[-1] + 1, np.int64), np.full(run[-1] + 1, -1)
    start[run[grid.place]], key[run[grid.place]] = table.order - grid.place, table.key
    second, square = np.arange(len(run)) + start[run], grid.returns_1s**2
    for each in np.unique(table.key[rows]):
        of_key = known & (key[run] == each) & (second <= last)
        yield Seconds(second[of_key], square[of_key]), np.flatnonzero(table.key[rows] == each)
