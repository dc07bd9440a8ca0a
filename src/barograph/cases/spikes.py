"""The spikes case: will the next minute be a volatility spike?

The outcome of a second is the realised volatility of the next 60; a spike is an outcome at or above
tau, the product's 0.90 quantile in the training rows.
"""

from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np
import polars as pl

from barograph.arrays import Float64, Int64
from barograph.cases import baselines, series
from barograph.cases.case import Axis, SplitKind, Table, Target
from barograph.cases.market import MARKET
from barograph.cases.series import series_case, usable_rows
from barograph.evaluation import labels
from barograph.evaluation.splits import Fold, Rows
from barograph.features.catalogue import COLUMN, FEATURES
from barograph.learning import candidates
from barograph.learning.candidates import Candidate
from barograph.learning.relative import Ratio, Relative
from barograph.registry.model import TAU

LONGEST_WINDOW_S = 300
"""Longest feature window. Recordings have a hole every few minutes, and each hole costs one window:
of 16,536 labelled seconds in 5 hours, 300-second windows keep 9,450 and 900-second ones 2,111.
"""

STRIDE_S = 5
"""Spacing of training rows in seconds; neighbours still share 55 of 60 returns."""

# Not wanted as features: with few days of history the time of day identifies the period, and
# currency amounts identify the product.
CLOCKS = ("hour_sin", "hour_cos")
_AMOUNTS = frozenset({"quote currency", "base currency"})

WANTED = tuple(
    feature.name
    for feature in FEATURES
    if feature.warmup_s <= LONGEST_WINDOW_S
    and feature.name not in CLOCKS
    and feature.unit not in _AMOUNTS
)

BASE = "realized_vol_300s"
"""The volatility of the longest window, to which other features are relative."""

_SPREAD_FLOOR = 1e-4  # bps, below any venue's smallest increment
_RATE_FLOOR = 0.05  # ticks/s, practically silent

RATIOS = (
    *(Ratio(f"realized_vol_{window_s}s", BASE) for window_s in (10, 30, 60)),
    Ratio("spread_bps_mean_30s", "spread_bps_mean_300s", _SPREAD_FLOOR, _SPREAD_FLOOR),
    Ratio("quiet_share_60s", floor=0.0),
    Ratio("log_return_10s", BASE),
    Ratio("log_return_60s", BASE),
)
"""Scale-free features that transfer between regimes."""

_LEVELS = (
    Ratio(BASE, TAU),
    Ratio("tick_intensity_10s", floor=_RATE_FLOOR),
    Ratio("tick_intensity_60s", floor=_RATE_FLOOR),
    Ratio("tick_intensity_300s", floor=_RATE_FLOOR),
    Ratio("spread_bps_mean_30s", floor=_SPREAD_FLOOR),
    Ratio("spread_bps_mean_300s", floor=_SPREAD_FLOOR),
    Ratio("bipower_vol_60s", BASE),
    Ratio("bipower_vol_300s", BASE),
    Ratio("parkinson_60s", BASE),
    Ratio("parkinson_300s", BASE),
)
"""Features that add information within a regime, for models that can tell regimes apart."""

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
"""Tick volatility relative to tau, and tick rate and spread relative to their longer means.

Absolute rate and spread would add information within one market (a tenth of the way to its ceiling)
but none in another regime.
"""

EWMA, GARCH = "ewma_vol", "garch_vol"

# With a dozen episodes per hour, deeper trees overfit: over six simulated markets of 12 hours these
# settings raised PR-AUC from 0.375 to 0.403, against 0.402 for persistence. A second thread saves
# half a second on an idle machine and costs ten on a busy one.
_BOOSTING = candidates.Boosting(
    leaves=4, least_rows_in_leaf=600 // STRIDE_S, l2=100.0, feature_share=0.5, threads=1
)

FALSE_ALARMS_PER_HOUR = 2.0
"""Budget of the alert threshold on held-out rows, per product."""


@dataclass(frozen=True, eq=False, kw_only=True)
class MarketTable(Table):
    """A table with the full grid of returns, which the experimental baselines need.

    `returns`: (g,) one-second log returns of all rows of the dataset by product and second, NaN if
    unknown, with one more NaN before each row that does not follow its predecessor; `place`: (n,)
    indices of the table's rows in `returns`.
    """

    returns: Float64
    place: Int64


def table(frame: pl.DataFrame) -> Table:
    """The usable rows, sorted by product and second, with their grid of returns."""
    usable = usable_rows(frame, MARKET, WANTED, CLOCKS)
    returns = usable.frame["return_e9"].cast(pl.Float64).fill_null(np.nan).to_numpy() * 1e-9
    returns, place = baselines.grid(returns, usable.frame["second"].to_numpy(), MARKET.step_s)
    shared = {field.name: getattr(usable.table, field.name) for field in fields(Table)}
    log_mid = usable.frame["log_mid_e9"].cast(pl.Float64).fill_null(np.nan).to_numpy() * 1e-9
    shared["level"] = np.exp(log_mid[usable.rows])
    return MarketTable(**shared, returns=returns, place=place[usable.rows])


def split(table: Table, folds: int, protocol: SplitKind) -> tuple[SplitKind, list[Fold]]:
    """Cut folds as `series.split`, with the longest window of the used features as embargo."""
    embargo_s = max(FEATURES[COLUMN[name]].warmup_s for name in table.features)
    return series.split(table, folds, protocol, horizon_s=MARKET.horizon_s, embargo_s=embargo_s)


def target(table: Table, train: Rows, quantile: float = labels.QUANTILE) -> Target:
    """Spikes by each product's tau, with the experimental baselines as `beside` columns."""
    question = series.target(table, train, quantile)
    beside = dict(question.beside)
    if isinstance(table, MarketTable):
        beside[EWMA] = baselines.ewma_vol(table.returns, labels.HORIZON_S)[table.place]
        if baselines.has_garch():
            learned_from = np.zeros(len(table.returns), np.bool_)
            learned_from[table.place[train]] = True
            garch = baselines.garch_vol(table.returns, learned_from, labels.HORIZON_S)
            beside[GARCH] = garch[table.place]
    return replace(question, beside=beside)


def contenders(features: tuple[str, ...]) -> tuple[Candidate, ...]:
    """Baselines, then regressions and classifiers, linear and tree-based."""
    ratios = _within(features, RATIOS)
    ticks = _within(features, _TICKS)
    every = _within(features, (*RATIOS, *_LEVELS, *_TICKS))
    vols = tuple(f"realized_vol_{window_s}s" for window_s in (10, 60, 300))
    always = (
        candidates.persistence(),
        candidates.har(vols),
        candidates.persistence(EWMA, name="ewma"),
        *([candidates.persistence(GARCH, name="garch")] if baselines.has_garch() else []),
        candidates.climatology(CLOCKS),
        candidates.relative(ratios, BASE, ratios),
        candidates.relative(ticks, TAU, name="ticks"),
        candidates.logistic(Relative.of((*ratios, *ticks))),
        candidates.lightgbm(Relative.of(every), _BOOSTING),
        candidates.lightgbm_regression(Relative.of(ratios, BASE, TAU), BASE, _BOOSTING),
    )
    if not candidates.has_xgboost():
        return always
    return (
        *always,
        candidates.xgboost(Relative.of(every), _BOOSTING),
        candidates.xgboost_regression(Relative.of(ratios, BASE, TAU), BASE, _BOOSTING),
    )


def varied(candidate: Candidate, rng: np.random.Generator) -> Candidate:
    """The candidate with random tree hyperparameters around the defaults of the case."""
    how = candidates.Boosting(
        rounds=int(rng.choice([60, 120, 240])),
        learning_rate=float(rng.choice([0.02, 0.04, 0.08])),
        leaves=int(rng.choice([3, 4, 6, 10])),
        least_rows_in_leaf=int(rng.choice([60, 120, 240])),
        l2=float(rng.choice([10.0, 100.0, 300.0])),
        feature_share=float(rng.choice([0.3, 0.5, 0.8])),
        threads=_BOOSTING.threads,
    )
    return candidate.varied(how)


def _within(features: tuple[str, ...], ratios: tuple[Ratio, ...]) -> tuple[Ratio, ...]:
    """The ratios that can be computed from `features` and tau."""
    known = {*features, TAU, ""}
    return tuple(ratio for ratio in ratios if {ratio.above, ratio.below} <= known)


SPIKES = replace(
    series_case(
        "spikes",
        MARKET,
        candidates=contenders,
        baselines=("persistence", "har", "ewma", "garch", "climatology"),
        longest_window_s=LONGEST_WINDOW_S,
        false_alarms_per_hour=FALSE_ALARMS_PER_HOUR,
    ),
    to_beat=("persistence", "har"),
    stride=STRIDE_S,
    table=table,
    split=split,
    target=target,
    at_quantile=lambda quantile: partial(target, quantile=quantile),
    varied=varied,
    goals={"pr_auc": 0.9, "log_r2": 0.25},
    outcome_axis=Axis("volatility", "bps/√s", 1e4),
    level_axis=Axis("mid price", "quote currency"),
)
