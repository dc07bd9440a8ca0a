"""The spikes cases: will the next minute, or another horizon, be a volatility spike?

The outcome of a second is the realised volatility of the next 10, 60, 300 or 900; a spike is an
outcome at or above tau, the product's 0.90 quantile in the training rows.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from barograph.arrays import Bool, Float64, Int64
from barograph.cases import baselines, series
from barograph.cases.affordable import SHORT_S
from barograph.cases.case import Axis, Case, SplitKind, Table, Target
from barograph.cases.live_series import LiveSeries
from barograph.cases.market import MARKET, case_name, market_series
from barograph.cases.sampled import HISTORY
from barograph.cases.series import series_case, usable_rows
from barograph.errors import BadInputError
from barograph.evaluation import labels
from barograph.evaluation.splits import Fold, Rows
from barograph.feature_set.catalogue import COLUMN, EWMA_S, FEATURES, OBSERVED_S, TYPICAL_S
from barograph.learning import candidates
from barograph.learning.candidates import Candidate
from barograph.learning.relative import Ratio, Relative
from barograph.registry.model import TAU, ModelFacts
from barograph.types import NS_PER_S

LONGEST_WINDOW_S = max(OBSERVED_S)
"""Longest feature window. Those beyond 300 s carry on over holes, which recordings have every few
minutes; of the others a window as long would cost nearly all rows.
"""

STRIDE_S = 5
"""Spacing of training rows in seconds; of 60 returns neighbours still share 55. Of a longer horizon
it is a twelfth.
"""

CLOCKS = ("hour_sin", "hour_cos")
"""Known in every row. With few days of history the time of day identifies the period, so that only
a baseline uses it.
"""

_SPREAD_FLOOR = 1e-4  # bps, below any venue's smallest increment
_RATE_FLOOR = 0.05  # ticks/s, practically silent

_TICKS = (
    *(Ratio(f"tick_vol_{window_s}s", TAU) for window_s in (10, 30, 60, 300)),
    *(
        Ratio(f"tick_intensity_{window_s}s", "tick_intensity_300s", _RATE_FLOOR, _RATE_FLOOR)
        for window_s in (10, 60)
    ),
    *(
        Ratio(name, "spread_bps_mean_300s", _SPREAD_FLOOR, _SPREAD_FLOOR)
        for name in ("tick_spread_bps_mean_10s", "spread_bps_mean_30s")
    ),
)
"""Tick volatility relative to tau, and tick rate and spread relative to their longer means."""

_ACTIVITY = (
    *_TICKS,
    *(Ratio(f"tick_intensity_{window_s}s", floor=_RATE_FLOOR) for window_s in (10, 60, 300)),
    *(
        Ratio(name, floor=_SPREAD_FLOOR)
        for name in ("tick_spread_bps_mean_10s", "spread_bps_mean_30s", "spread_bps_mean_300s")
    ),
)
"""With absolute rate and spread, which tell within one market and mislead in another regime."""

_BESIDE = (
    Ratio("observed_share_60s", floor=0.0),
    Ratio("quiet_share_60s", floor=0.0),
    Ratio("spread_bps_mean_30s", "spread_bps_mean_300s", _SPREAD_FLOOR, _SPREAD_FLOOR),
    Ratio("tick_intensity_10s", "tick_intensity_60s", _RATE_FLOOR, _RATE_FLOOR),
    Ratio("tick_intensity_60s", "tick_intensity_300s", _RATE_FLOOR, _RATE_FLOOR),
)
"""Scale-free features beside the volatilities."""

_WINDOWS = (
    *(f"observed_vol_{window_s}s" for window_s in OBSERVED_S if window_s < min(TYPICAL_S)),
    *(f"typical_vol_{window_s}s" for window_s in TYPICAL_S),
)
"""Volatilities from the shortest to the longest window. The typical minute tells what an hour was
like; the root mean square of so long a window is that of its wildest minutes.
"""

SHORTEST, *BASE = _WINDOWS
"""Forecasts start from the mean of the log volatilities of all windows but the shortest."""

WANTED = tuple(
    dict.fromkeys(
        [
            f"ewma_vol_{EWMA_S}s",
            *_WINDOWS,
            *(name for ratio in (*_TICKS, *_BESIDE) for name in ratio[:2] if name not in {"", TAU}),
        ]
    )
)
"""What models use where it is offered and costs few rows. All is relative: amounts of a currency
would identify the product.
"""

FIRST = tuple(name for name in WANTED if FEATURES[COLUMN[name]].reach_s <= SHORT_S)
"""What a first training uses, whose history is short."""

EWMA, LONG_EWMA, GARCH = f"ewma_vol_{EWMA_S}s", "ewma_vol", "garch_vol"
"""A feature, and the two forecasts that only the experiment computes. LONG_EWMA, of horizons beyond
the feature's time constant, has the horizon as its own.
"""

_HAR_S = {10: (10, 60, 300), 60: (10, 60, 300), 300: (60, 300, 1800), 900: (120, 900, 3600)}
"""Windows of the HAR by horizon: about a sixth of it, itself, and five times it."""


def wanted(horizon_s: int) -> tuple[str, ...]:
    """What models and baselines of a horizon use."""
    of_baselines = (f"observed_vol_{window_s}s" for window_s in _HAR_S[horizon_s])
    return tuple(dict.fromkeys([*WANTED, *of_baselines]))


# With a dozen episodes per hour, deeper trees overfit: over six simulated markets of 12 hours these
# settings raised PR-AUC from 0.375 to 0.403, against 0.402 for persistence. A second thread saves
# half a second on an idle machine and costs ten on a busy one.
BOOSTING = candidates.Boosting(
    leaves=4, least_rows_in_leaf=600 // STRIDE_S, l2=100.0, feature_share=0.5, threads=1
)

RIDGE_ROWS = 1000.0
"""Worth of the ridge's prior in independent rows; the real sessions have 33,000 rows, one in five
seconds.
"""

FALSE_ALARMS_PER_HOUR = 2.0
"""Budget of the alert threshold on held-out rows, per product; one in 30 horizons where these are
longer than a minute.
"""


@dataclass(frozen=True, eq=False, kw_only=True)
class MarketTable(Table):
    """A table with the full grid of returns, which the experimental baselines need.

    `returns_1s`: (g,) one-second log returns of all rows of the dataset by product and second, NaN
    if unknown, with one more NaN before each row that does not follow its predecessor; `restarts`:
    (g,) where nothing of the longest window before is known; `place`: (n,) indices of the table's
    rows in both. Those of a sampled history are NaN.
    """

    returns_1s: Float64
    restarts: Bool
    place: Int64

    def _of_rows(self, rows: Rows) -> dict[str, Any]:
        return super()._of_rows(rows) | {"place": self.place[rows]}


def table(live: LiveSeries, frame: pl.DataFrame, asked: tuple[str, ...] = ()) -> Table:
    """The usable rows, sorted by product and second, with their grid of returns.

    asked: features that are kept whatever they cost, besides those that models use.
    """
    names = tuple(dict.fromkeys([*wanted(live.horizon_s), *asked]))
    windows = [FEATURES[COLUMN[name]] for name in names]
    usable = usable_rows(frame, live, names, CLOCKS, windows, asked)
    returns = usable.frame["return_e9"].cast(pl.Float64).fill_null(np.nan).to_numpy() * 1e-9
    if HISTORY in usable.frame.columns:  # what is between its rows is not known
        returns[usable.frame[HISTORY].to_numpy()] = np.nan
    second = usable.frame["second"].to_numpy()
    returns, place = baselines.grid(returns, second, live.step_s)
    restarts = np.zeros(len(returns), np.bool_)
    since_s = np.diff(second, prepend=second[0])
    restarts[place] = (since_s > LONGEST_WINDOW_S) | (since_s < 0)
    shared = {field.name: getattr(usable.table, field.name) for field in fields(Table)}
    log_mid = usable.frame["log_mid_e9"].cast(pl.Float64).fill_null(np.nan).to_numpy() * 1e-9
    shared["level"] = np.exp(log_mid[usable.rows])
    return MarketTable(**shared, returns_1s=returns, restarts=restarts, place=place[usable.rows])


def table_with(live: LiveSeries, features: tuple[str, ...]) -> Callable[[pl.DataFrame], Table]:
    """The `table` with these features, whatever they cost. Raises BadInputError for others."""
    beside = {GARCH, LONG_EWMA} if live.horizon_s > EWMA_S else {GARCH}
    if unknown := [name for name in features if name not in {*COLUMN, *beside}]:
        near = get_close_matches(unknown[0], COLUMN, 3)
        raise BadInputError(
            f"feature {unknown[0]}",
            "the catalogue has no such feature",
            f"Name some of docs/features.md{', such as ' if near else ''}{', '.join(near)}",
        )
    asked = tuple(name for name in features if name not in {*CLOCKS, *beside})
    return partial(table, live, asked=asked)


def split(
    table: Table, folds: int, protocol: SplitKind, *, horizon_s: int
) -> tuple[SplitKind, list[Fold]]:
    """Cut folds as `series.split`, with the longest window of the used features as embargo."""
    embargo_s = max(FEATURES[COLUMN[name]].reach_s for name in table.features)
    return series.split(table, folds, protocol, horizon_s=horizon_s, embargo_s=embargo_s)


def target(
    table: Table, train: Rows, quantile: float = labels.QUANTILE, *, horizon_s: int
) -> Target:
    """Spikes by each product's tau, with the experimental baselines as `beside` columns."""
    least = labels.least_labels(horizon_s)
    question = series.target(table, train, quantile, min_labels=least)
    if not isinstance(table, MarketTable):
        return question
    beside, returns = dict(question.beside), table.returns_1s
    if horizon_s > EWMA_S:
        decay = float(np.exp(-1 / horizon_s))
        variance = baselines.mean_variance(
            returns, 0.0, 1 - decay, decay, horizon_s, table.restarts
        )
        beside[LONG_EWMA] = np.sqrt(variance)[table.place]
    if baselines.has_garch():
        learned_from = np.zeros(len(returns), np.bool_)
        learned_from[table.place[train]] = True
        garch = baselines.garch_vol(returns, learned_from, horizon_s, table.restarts)
        beside[GARCH] = garch[table.place]
    return replace(question, beside=beside)


def unseen(table: Table, rows: Rows, facts: ModelFacts) -> Bool:
    """Mask of rows at least the longest window of the model after the last outcome of its fit."""
    windows_s = [FEATURES[COLUMN[name]].reach_s for name in facts.features if name in COLUMN]
    first_ns = facts.train_end_ns + max(windows_s, default=LONGEST_WINDOW_S) * NS_PER_S
    return table.order[rows] * NS_PER_S >= first_ns


def contenders(features: tuple[str, ...], *, horizon_s: int) -> tuple[Candidate, ...]:
    """From simple to complex: baselines, the mean of the windows, regressions, trees, a mean.

    Persistence is of the horizon itself, or of the longest window below it that is in `features`.
    """
    offered = [w for w in OBSERVED_S if f"observed_vol_{w}s" in features]
    now_s = max(w for w in offered if w <= horizon_s)
    har = tuple(f"observed_vol_{w}s" for w in _HAR_S[horizon_s] if w in offered)
    ewma = LONG_EWMA if horizon_s > EWMA_S else EWMA
    base = tuple(name for name in BASE if name in features)
    steps = tuple(Ratio(short, long) for short, long in pairwise((SHORTEST, *base)))
    every = (*steps, *_within(features, _BESIDE))
    ticks, activity = _within(features, _TICKS), _within(features, _ACTIVITY)
    view = Relative.of((*every, *activity), *base, TAU)
    ridge = candidates.least_squares(every, base, name="ridge", prior_rows=RIDGE_ROWS)
    trees = candidates.lightgbm_regression(view, base, BOOSTING, varies=False)
    known = {*features, TAU, GARCH, LONG_EWMA}
    made = (
        candidates.persistence(f"observed_vol_{now_s}s"),
        candidates.persistence(ewma, name="ewma"),
        candidates.persistence(base, name="mean"),
        candidates.har(har),
        *([candidates.persistence(GARCH, name="garch")] if baselines.has_garch() else []),
        candidates.climatology(CLOCKS),
        ridge,
        *([candidates.relative(ticks, (TAU,), name="ticks")] if ticks else []),
        *([candidates.relative(activity, (TAU,), name="activity")] if activity else []),
        trees,
        *(
            [candidates.xgboost_regression(view, base, BOOSTING, varies=False)]
            if candidates.has_xgboost()
            else []
        ),
        candidates.combination((ridge, trees)),
    )
    return tuple(each for each in made if known.issuperset(each.features))


def varied(candidate: Candidate, rng: np.random.Generator) -> Candidate:
    """The candidate with random tree hyperparameters around the defaults of the case."""
    how = candidates.Boosting(
        rounds=int(rng.choice([60, 120, 240])),
        learning_rate=float(rng.choice([0.02, 0.04, 0.08])),
        leaves=int(rng.choice([3, 4, 6, 10])),
        least_rows_in_leaf=int(rng.choice([60, 120, 240])),
        l2=float(rng.choice([10.0, 100.0, 300.0])),
        feature_share=float(rng.choice([0.3, 0.5, 0.8])),
        threads=BOOSTING.threads,
    )
    return candidate.varied(how)


def _within(features: tuple[str, ...], ratios: tuple[Ratio, ...]) -> tuple[Ratio, ...]:
    """The ratios that can be computed from `features` and tau."""
    known = {*features, TAU, ""}
    return tuple(ratio for ratio in ratios if {ratio.above, ratio.below} <= known)


def _case(live: LiveSeries) -> Case:
    horizon_s = live.horizon_s
    asked = partial(target, horizon_s=horizon_s)
    case = series_case(
        case_name(horizon_s),
        live,
        candidates=partial(contenders, horizon_s=horizon_s),
        baselines=("persistence", "har", "ewma", "garch", "climatology"),
        longest_window_s=LONGEST_WINDOW_S,
        false_alarms_per_hour=min(FALSE_ALARMS_PER_HOUR, 3600 / (30 * horizon_s)),
    )
    return replace(
        case,
        to_beat=("persistence", "har", "ewma"),
        stride=max(STRIDE_S, horizon_s // 12),
        prefers_simple=True,
        refit=True,
        table=partial(table, live),
        table_with=partial(table_with, live),
        split=partial(split, horizon_s=horizon_s),
        target=asked,
        unseen=unseen,
        at_quantile=lambda quantile: partial(asked, quantile=quantile),
        varied=varied,
        goals={"pr_auc": 0.9, "log_r2": 0.25},
        outcome_axis=Axis("volatility", "bps/√s", 1e4),
        level_axis=Axis("mid price", "quote currency"),
    )


SPIKES = _case(MARKET)

SPIKES_10S, SPIKES_5M, SPIKES_15M = HORIZONS = tuple(
    _case(market_series(horizon_s)) for horizon_s in (10, 300, 900)
)
"""Other horizons, on the rows of `SPIKES`."""
