"""The hourly case: how volatile will the next hour be, and from where to where?

The outcome of an hour is the Garman–Klass volatility of the 1, 6 or 24 hours after it; in the cases
`REALIZED` their realised volatility, the root of the mean sum of squared one-minute returns, which
candles of minutes offer; in the cases `DEVIATION` the standard deviation of their closes' returns.
Models forecast its median, its root mean square and an interval, and the probability that it
reaches tau.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np
import polars as pl

from barograph.arrays import Float64, Int64
from barograph.candle_records import HOUR_S
from barograph.cases import baselines, series
from barograph.cases.case import Axis, Case, SplitKind, Table, Target
from barograph.cases.cold_start import ColdStart
from barograph.cases.live_series import LiveSeries
from barograph.cases.series import series_case, usable_rows
from barograph.errors import TooLittleDataError
from barograph.evaluation import labels
from barograph.evaluation.conformal import LevelRule
from barograph.evaluation.splits import Fold, Rows
from barograph.feature_set.hourly.catalogue import (
    FEATURE_SET_HASH,
    FEATURES,
    LOG_FLOOR_VOL,
    LONGEST_WINDOW_H,
    NAMES,
    VOL,
)
from barograph.feature_set.hourly.machine import HourlyFeatures
from barograph.learning import candidates
from barograph.learning.candidates import Candidate
from barograph.learning.relative import Ratio, Relative
from barograph.log.topics import (
    CANDLE_FEATURES,
    CANDLE_LETTERS,
    CANDLE_PREDICTIONS,
    CANDLE_SHADOW,
    CANDLES,
)
from barograph.registry.model import TAU

BASE = "gk_vol_24h"
"""The volatility to which others are relative in models of ratios."""

EWMA, GARCH = "ewma_vol", "garch_vol"

SAME_HOURS = {"same_hour_yesterday": 24, "same_hour_last_week": 168}
"""Baselines of the value of the same hours, so many hours ago."""

EWMA_DECAY = float(np.exp(-1 / 24))
"""λ of the exponential weights: a time constant of a day."""

LEVEL = LevelRule(floor=LOG_FLOOR_VOL)
CENTRED_LEVEL = LevelRule(floor=LOG_FLOOR_VOL, centred=True)
"""Of the next six hours: docs/decisions/0061 has the measurement."""

_BLOCK_H = 168
"""Losses of neighbouring days are alike: blocks of a week."""

# Weeks of the target are few, so that deep trees learn them by heart.
_BOOSTING = candidates.Boosting(
    rounds=200,
    learning_rate=0.05,
    leaves=15,
    least_rows_in_leaf=200,
    feature_share=0.3,
    row_share=0.7,
    bins=63,
)
# Its rounds cost twice as much as LightGBM's: fewer and larger steps are as good here.
_XGBOOSTING = replace(_BOOSTING, rounds=100, learning_rate=0.1)
_LOG_VOL = f"ln({VOL})"
_HOURS = frozenset({"target_hour", "target_weekday"})
"""Columns whose order means little to a linear model; it has their waves."""

GARMAN_KLASS, REALIZED_VOL, CLOSE_VOL = "gk_vol", "realized_vol", "close_vol"
"""Beginnings of the columns of what may be forecast; the hours that they are of follow."""

_PREFIX = {GARMAN_KLASS: "", REALIZED_VOL: "realized-", CLOSE_VOL: "deviation-"}
_HAR = {
    GARMAN_KLASS: (
        "gk_vol_1h", "log_gk_mean_6h", "log_gk_mean_24h", "log_gk_mean_168h", "log_gk_mean_720h",
    ),
    REALIZED_VOL: (
        "realized_vol_1h", "realized_vol_6h", "realized_vol_24h", "realized_vol_168h",
        "log_gk_mean_720h",
    ),
    CLOSE_VOL: ("close_vol_6h", "close_vol_24h", "close_vol_168h", "close_vol_720h"),
}  # fmt: skip
_SEASON = ("same_hour_3d", "same_hour_14d", "same_hour_28d", "same_hour_of_week_4w")


@dataclass(frozen=True, eq=False, kw_only=True)
class HourlyTable(Table):
    """A table with the full grid of hours, which the experimental baselines need.

    `vols`, `returns_1h`: (g,) volatility, of the case's measure, and log return of all hours of the
    dataset by product, NaN if unknown, with one more NaN before each hour that does not follow its
    predecessor; `place`: (n,) indices of the table's rows in them. `same_hours`: (n,) each, the
    value of the same hours one of `SAME_HOURS` ago, the row's own value where that is unknown.
    """

    vols: Float64
    returns_1h: Float64
    place: Int64
    same_hours: Mapping[str, Float64]


def live_series(horizon_h: int, measure: str = GARMAN_KLASS) -> LiveSeries:
    """The live path of forecasts of so many hours; all share the rows of the first case."""
    several = horizon_h > 1 or measure != GARMAN_KLASS
    name = f"{_PREFIX[measure]}{horizon_h}h"
    return LiveSeries(
        source=CANDLES,
        rows=CANDLE_FEATURES,
        predictions=f"{CANDLE_PREDICTIONS}.{name}" if several else CANDLE_PREDICTIONS,
        shadow=f"{CANDLE_SHADOW}.{name}" if several else CANDLE_SHADOW,
        dead_letters=CANDLE_LETTERS,
        group_prefix=f"hourly-{name}-" if several else "hourly-",
        columns=NAMES,
        feature_set=FEATURE_SET_HASH,
        value_now=f"{measure}_{horizon_h}h",
        unit=VOL,
        step_s=HOUR_S,
        horizon_s=horizon_h * HOUR_S,
        machine=None if several else HourlyFeatures,
        rows_by="hourly" if several else "",
        cold_start=partial(ColdStart, horizon_s=horizon_h * HOUR_S, lowest=LOG_FLOOR_VOL),
    )


def table_of(live: LiveSeries, measure: str, frame: pl.DataFrame) -> Table:
    """The usable hours, sorted by product and hour, with the grid of all.

    Raises TooLittleDataError where no hour has what is forecast.
    """
    usable = usable_rows(frame, live, live.columns)
    if usable.frame[live.value_now].null_count() == len(usable.frame):
        raise TooLittleDataError(
            f"hours with {live.value_now}",
            "none",
            "candles that offer it",
            "Extract a file of one-minute candles",
        )
    second = usable.frame["second"].to_numpy()

    def known(name: str) -> Float64:
        values: Float64 = usable.frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        return values

    # The column is the return over that volatility.
    returns, place = baselines.grid(known("scaled_return_1h") * known(BASE), second, HOUR_S)
    if measure == CLOSE_VOL:  # of one hour it is the size of its return
        vols = np.abs(returns)
    else:
        vols, _ = baselines.grid(known(f"{measure}_1h"), second, HOUR_S)
    shared = {field.name: getattr(usable.table, field.name) for field in fields(Table)}
    same_hours = {
        name: _earlier(usable.frame, live.value_now, ago_h * HOUR_S - live.horizon_s)[usable.rows]
        for name, ago_h in SAME_HOURS.items()
    }
    return HourlyTable(
        **shared, vols=vols, returns_1h=returns, place=place[usable.rows], same_hours=same_hours
    )


def _earlier(frame: pl.DataFrame, name: str, ago_s: int) -> Float64:
    """(n,) the column's value of the same product `ago_s` seconds ago, or the row's own."""
    rows = frame.select("product", "second", now=pl.col(name).cast(pl.Float64))
    before = rows.select("product", pl.col("second") + ago_s, earlier="now")
    both = rows.join(before, on=["product", "second"], how="left", maintain_order="left")
    values: Float64 = (
        both.select(pl.coalesce("earlier", "now").fill_null(np.nan)).to_series().to_numpy()
    )
    return values


def split(
    table: Table, folds: int, protocol: SplitKind, *, horizon_s: int
) -> tuple[SplitKind, list[Fold]]:
    """Walk forward over the second half, unless another protocol was asked for."""
    return series.split(
        table,
        folds,
        "walk-forward" if protocol == "auto" else protocol,
        horizon_s=horizon_s,
        embargo_s=LONGEST_WINDOW_H * HOUR_S,
        first_share=0.5,
    )


def target(
    table: Table, train: Rows, quantile: float = labels.QUANTILE, *, horizon_h: int
) -> Target:
    """Positive by each product's tau, with the experimental baselines as `beside` columns."""
    question = series.target(table, train, quantile)
    if not isinstance(table, HourlyTable):
        return question
    beside = {**question.beside, **table.same_hours}
    decay = EWMA_DECAY
    variance = baselines.mean_variance(table.vols, 0.0, 1 - decay, decay, horizon_h)
    beside[EWMA] = np.sqrt(variance)[table.place]
    if baselines.has_garch():
        learned_from = np.zeros(len(table.returns_1h), np.bool_)
        learned_from[table.place[train]] = True
        beside[GARCH] = baselines.garch_vol(table.returns_1h, learned_from, horizon_h)[table.place]
    return replace(question, beside=beside)


def contenders(
    features: tuple[str, ...], *, horizon_h: int, measure: str = GARMAN_KLASS
) -> tuple[Candidate, ...]:
    """Baselines, then regressions of all columns, by least squares and trees, and their mean."""
    repeats, now = float(horizon_h), f"{measure}_{horizon_h}h"
    har = tuple(map(_ratio, _HAR[measure]))
    season = tuple(_ratio(name) for name in _SEASON)
    relative = tuple(_ratio(name, BASE) for name in features)
    linear = candidates.least_squares(
        [ratio for ratio in relative if ratio.above not in _HOURS],
        (BASE,),
        name="linear",
        repeats=repeats,
    )
    view = Relative.of(relative, BASE, TAU)
    lightgbm = candidates.lightgbm_regression(
        view, (BASE,), _BOOSTING, repeats=repeats, varies=False
    )
    return (
        candidates.persistence(now, repeats=repeats),
        candidates.least_squares(har, name="har", repeats=repeats),
        *(
            candidates.persistence(name, name=name, repeats=repeats)
            for name, ago_h in SAME_HOURS.items()
            if horizon_h < ago_h  # or it is persistence itself
        ),
        candidates.persistence(EWMA, name="ewma", repeats=repeats),
        *(
            [candidates.persistence(GARCH, name="garch", repeats=repeats)]
            if baselines.has_garch()
            else []
        ),
        candidates.least_squares((*har, *season), name="har_season", repeats=repeats),
        linear,
        lightgbm,
        *(
            [
                candidates.xgboost_regression(
                    view, (BASE,), _XGBOOSTING, repeats=repeats, varies=False
                )
            ]
            if candidates.has_xgboost()
            else []
        ),
        candidates.combination((linear, lightgbm), repeats=repeats),
    )


def varied(candidate: Candidate, rng: np.random.Generator) -> Candidate:
    """The candidate with random tree hyperparameters around the defaults of the case."""
    how = replace(
        _BOOSTING,
        rounds=int(rng.choice([100, 200, 300])),
        learning_rate=float(rng.choice([0.03, 0.05, 0.1])),
        leaves=int(rng.choice([8, 15, 31])),
        least_rows_in_leaf=int(rng.choice([100, 200, 400])),
        l2=float(rng.choice([1.0, 10.0, 100.0])),
        feature_share=float(rng.choice([0.2, 0.3, 0.5])),
    )
    return candidate.varied(how)


_UNITS = {feature.name: feature.unit for feature in FEATURES}


def _ratio(name: str, base: str = "") -> Ratio:
    """The input of a column: a volatility as its log ratio to `base`, others as they are."""
    unit = _UNITS[name]
    if unit == VOL:
        return Ratio(name, base, LOG_FLOOR_VOL, LOG_FLOOR_VOL)
    return Ratio(name, base if unit == _LOG_VOL else "", 0.0, LOG_FLOOR_VOL)


def _case(name: str, horizon_h: int, measure: str = GARMAN_KLASS, level: LevelRule = LEVEL) -> Case:
    live = live_series(horizon_h, measure)
    asked: Callable[..., Target] = partial(target, horizon_h=horizon_h)
    case = series_case(
        name,
        live,
        candidates=partial(contenders, horizon_h=horizon_h, measure=measure),
        baselines=(
            "persistence", "har", "same_hour_yesterday", "same_hour_last_week", "ewma", "garch",
        ),
        longest_window_s=LONGEST_WINDOW_H * HOUR_S,
        false_alarms_per_hour=2 / 168,
        level=level,
    )  # fmt: skip
    return replace(
        case,
        to_beat=("persistence", "har"),
        block=max(_BLOCK_H, 10 * horizon_h),
        samples_history=False,  # its baselines of a day and a week ago need every hour
        table=partial(table_of, live, measure),
        split=partial(split, horizon_s=live.horizon_s),
        target=asked,
        at_quantile=lambda quantile: partial(asked, quantile=quantile),
        varied=varied,
        goals={"log_r2": 0.58},
        outcome_axis=Axis("volatility", "%/√h", 1e2),
    )


HOURLY = _case("hourly", 1)
HOURLY_6H = _case("hourly-6h", 6, level=CENTRED_LEVEL)
HOURLY_24H = _case("hourly-24h", 24)

REALIZED = _case("hourly-realized", 1, REALIZED_VOL)
REALIZED_6H = _case("hourly-realized-6h", 6, REALIZED_VOL)
REALIZED_24H = _case("hourly-realized-24h", 24, REALIZED_VOL)

DEVIATION_6H = _case("hourly-deviation-6h", 6, CLOSE_VOL)
DEVIATION_24H = _case("hourly-deviation-24h", 24, CLOSE_VOL)
"""Of one hour there is a single return, and no deviation."""
