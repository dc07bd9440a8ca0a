"""The case of this project: will the next minute be a volatility spike?

The outcome of a second is the realised volatility of the 60 that follow it; a spike is one at or
above tau, the product's 0.90 quantile in the training rows.
"""

from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl

from barograph.arrays import Bool, Float64, Int64, UInt8
from barograph.cases import baselines
from barograph.cases.case import Case, SplitKind, Table, Target
from barograph.cases.market import MARKET
from barograph.errors import TooLittleDataError
from barograph.evaluation import alarms, labels, splits
from barograph.evaluation.splits import Fold, Rows
from barograph.features.catalogue import COLUMN, FEATURES
from barograph.learning import candidates
from barograph.learning.candidates import Candidate
from barograph.learning.relative import Ratio, Relative
from barograph.registry.model import TAU, ModelFacts
from barograph.types import NS_PER_S, Reason

LONGEST_WINDOW_S = 300
"""Real recordings have a hole every few minutes, and each costs the longest window: of the 16,536
labelled seconds of one of 5 hours, 300-second windows keep 9,450 and 900-second ones 2,111."""

FALSE_ALARMS_PER_HOUR = 2.0
"""What the alert threshold allows on held-out rows, for one product."""

PLAN = splits.Plan(horizon_s=labels.HORIZON_S)
"""Shares and sizes of the walk-forward; folds and embargo come with the data."""

STRIDE_S = 5
"""Of rows to learn from one in so many seconds is taken: neighbours share 55 of 60 returns."""

SESSION_PLAN_ROWS = 200
"""Usable rows from which a regime is tested; a shorter one is only learned from."""

REGIME_HOLE_S = 6 * 3600
"""Rows further apart than this are of two regimes: another night, another market."""

# Seconds of the day name the period rather than the hour while history is shorter than many days;
# amounts of a currency name the product.
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
"""The regime that everything else is told relative to: the longest volatility there is."""

_SPREAD_FLOOR = 1e-4  # bps: less than any venue's smallest increment
_RATE_FLOOR = 0.05  # ticks/s: as good as silent

RATIOS = (
    *(Ratio(f"realized_vol_{window_s}s", BASE) for window_s in (10, 30, 60)),
    Ratio("spread_bps_mean_30s", "spread_bps_mean_300s", _SPREAD_FLOOR, _SPREAD_FLOOR),
    Ratio("quiet_share_60s", floor=0.0),
    Ratio("log_return_10s", BASE),
    Ratio("log_return_60s", BASE),
)
"""What travels between regimes."""

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
"""What tells more within one regime, to those who can tell one from another."""

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
"""How near the volatility from tick to tick is to tau, and whether pace and spread are unusual.

Of absolute figures there is only that one: pace and spread as they are tell more within one market
(a tenth of the way to its ceiling), and nothing on another night.
"""

EWMA, GARCH = "ewma_vol", "garch_vol"

# With a dozen episodes an hour to learn from, deeper trees learn the episodes by heart: over six
# simulated markets of 12 hours these took PR-AUC from 0.375 to 0.403, at 0.402 for persistence.
# A second thread wins half a second on an idle machine and loses ten on a busy one.
_BOOSTING = candidates.Boosting(
    leaves=4, least_rows_in_leaf=600 // STRIDE_S, l2=100.0, feature_share=0.5, threads=1
)

_LEAST_OFFERED = 0.99
_LEAST_ROWS = 600
_LABEL_UNKNOWN = "label unknown"


@dataclass(frozen=True, eq=False)
class MarketTable(Table):
    """A table with the whole grid that its rows stand on: what the experiment's baselines need.

    `returns`: (g,) one-second log returns of all rows of the dataset by product and second, NaN
    where not known, and one NaN before each row that does not follow the one before; `place` (n,):
    where the table's rows stand in it.
    """

    returns: Float64
    place: Int64


def table(frame: pl.DataFrame) -> Table:
    """The usable rows, by product and second; features that a product's venue does not offer go.

    A feature stays when it is offered in 99 % of each product's rows in every regime of some
    length: what a venue offers is no forecast, and a model that asks for more is of no use there.
    """
    frame = frame.sort("product", "second")
    keys = tuple(frame["product"].unique().sort().to_list())
    places = {product: place for place, product in enumerate(keys)}
    key = np.array([places[product] for product in frame["product"].to_list()], np.int64)
    order = frame["second"].to_numpy().astype(np.int64)
    outcome = frame["outcome"].fill_null(np.nan).to_numpy()
    reasons = _reasons(frame)
    labelled = ~np.isnan(outcome)
    waits = ((reasons != Reason.KNOWN) & (reasons != Reason.NOT_OFFERED)).any(axis=1)

    regime = splits.sessions(order, hole_s=REGIME_HOLE_S)
    left_out = _not_offered(reasons, labelled & ~waits, keys, key, regime)
    used = [place for place, name in enumerate(WANTED) if name not in left_out]
    usable = labelled & (reasons[:, used] == Reason.KNOWN).all(axis=1)
    names = (*(WANTED[place] for place in used), *CLOCKS)
    returns, place = _grid(frame)
    return MarketTable(
        features=names,
        x=np.ascontiguousarray(
            frame.select(names).filter(usable).to_numpy().reshape(-1, len(names)), np.float32
        ),
        outcome=outcome[usable],
        keys=keys,
        key=key[usable],
        order=order[usable],
        session=splits.sessions(order[usable], hole_s=splits.HOLE_S),
        regime=regime[usable],
        left_out=left_out,
        unused=_unused(reasons[:, used], labelled),
        returns=returns,
        place=place[usable],
    )


def _grid(frame: pl.DataFrame) -> tuple[Float64, Int64]:
    """The dataset's returns with a NaN at each hole, and where each of its rows stands there."""
    returns = frame["return_e9"].cast(pl.Float64).fill_null(np.nan).to_numpy() * 1e-9
    broken = np.diff(frame["second"].to_numpy(), prepend=frame["second"].item(0)) != 1
    holes = np.flatnonzero(broken)
    return np.insert(returns, holes, np.nan), np.arange(len(returns)) + np.cumsum(broken)


def _reasons(frame: pl.DataFrame) -> UInt8:
    digits = "".join(frame["reasons"].to_list()).encode()
    every = np.frombuffer(digits, np.uint8).reshape(len(frame), len(FEATURES)) - ord("0")
    return every[:, [COLUMN[name] for name in WANTED]]


def _not_offered(
    reasons: UInt8,
    complete: Bool,
    keys: tuple[str, ...],
    key: Int64,
    regime: Int64,
) -> dict[str, str]:
    left_out: dict[str, str] = {}
    for place, product in enumerate(keys):
        for number in np.unique(regime[key == place]):
            rows = complete & (key == place) & (regime == number)
            if rows.sum() < _LEAST_ROWS:
                continue
            offered = (reasons[rows] != Reason.NOT_OFFERED).mean(axis=0)
            for name, share in zip(WANTED, offered.tolist(), strict=True):
                if share < _LEAST_OFFERED:
                    left_out.setdefault(name, f"{product} offers it in {share:.0%} of its rows")
    return left_out


def _unused(reasons: UInt8, labelled: Bool) -> dict[str, int]:
    """Each row that cannot be used once: by its label, else by the gravest reason of a feature."""
    gravest = reasons.max(axis=1, initial=0)[labelled]
    counts = {_LABEL_UNKNOWN: int((~labelled).sum())}
    counts |= {reason.name: int((gravest == reason).sum()) for reason in Reason if reason}
    return {reason: count for reason, count in counts.items() if count}


def split(table: Table, folds: int, protocol: SplitKind) -> tuple[SplitKind, list[Fold]]:
    """Walk-forward, or leave-session-out; the embargo is the longest window of the used features.

    "auto" leaves sessions out where there are three or more regimes: then the question is whether a
    model travels, and walking forward through a few hours of each answers none. Raises
    TooLittleDataError.
    """
    windows = [FEATURES[COLUMN[name]].warmup_s for name in table.features]
    plan = msgspec.structs.replace(PLAN, folds=folds, embargo_s=max(PLAN.horizon_s, *windows))
    if protocol == "auto":
        _, rows = np.unique(table.regime, return_counts=True)
        several = (rows >= SESSION_PLAN_ROWS).sum() >= 3
        protocol = "leave-session-out" if several else "walk-forward"
    if protocol == "leave-session-out":
        plan = msgspec.structs.replace(plan, min_rows=SESSION_PLAN_ROWS)
        return protocol, splits.leave_session_out(table.order, table.regime, plan)
    return protocol, splits.walk_forward(table.order, plan)


def target(table: Table, train: Rows) -> Target:
    """Spikes by each product's tau; a product with too few training rows has none."""
    y = np.full(len(table.order), np.nan)
    beside = {TAU: np.full(len(table.order), np.nan)}
    tau: dict[str, float] = {}
    left_out: dict[str, str] = {}
    for place, product in enumerate(table.keys):
        try:
            tau[product] = labels.tau(table.outcome[train[table.key[train] == place]])
        except TooLittleDataError as error:
            left_out[product] = str(error)
        else:
            mine = table.key == place
            y[mine] = labels.spikes(table.outcome[mine], tau[product])
            beside[TAU][mine] = tau[product]
    if isinstance(table, MarketTable):
        beside[EWMA] = baselines.ewma_vol(table.returns, labels.HORIZON_S)[table.place]
        if baselines.has_garch():
            learned_from = np.zeros(len(table.returns), np.bool_)
            learned_from[table.place[train]] = True
            garch = baselines.garch_vol(table.returns, learned_from, labels.HORIZON_S)
            beside[GARCH] = garch[table.place]
    return Target(y, tau, left_out, beside)


def contenders(features: tuple[str, ...]) -> tuple[Candidate, ...]:
    """The baselines, then regressions and classifiers, linear and of trees."""
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
    """Trees with other parameters, drawn around those of the case."""
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
    """The ratios that these features, and tau, can tell."""
    known = {*features, TAU, ""}
    return tuple(ratio for ratio in ratios if {ratio.above, ratio.below} <= known)


def threshold(table: Table, rows: Rows, y: Float64, probability: Float64) -> float:
    """The lowest probability that keeps the budget of false alarms on held-out rows."""
    return alarms.threshold_for_budget(
        _watches(table, rows, y, probability),
        false_alarms_per_hour=FALSE_ALARMS_PER_HOUR,
        horizon_s=labels.HORIZON_S,
    )


def judge(table: Table, rows: Rows, y: Float64, acted: Bool) -> dict[str, float]:
    """Episode recall, median lead in seconds and false alarms an hour, over the products."""
    report = alarms.episode_report(
        _watches(table, rows, y, acted.astype(np.float64)), 0.5, horizon_s=labels.HORIZON_S
    )
    return {
        "recall": report.recall,
        "lead_s": report.lead_median_s,
        "false_alarms_per_hour": report.false_alarms_per_hour,
    }


def events(table: Table, rows: Rows, y: Float64) -> int:
    """Independent episodes; a storm that went through all products counts once."""
    return len(labels.episodes(table.order[rows], y, horizon_s=labels.HORIZON_S))


def span_ns(table: Table, rows: Rows) -> tuple[int, int]:
    """From the first second to the end of the last label's horizon."""
    first, last = int(table.order[rows].min()), int(table.order[rows].max())
    return first * NS_PER_S, (last + 1 + labels.HORIZON_S) * NS_PER_S


def unseen(table: Table, rows: Rows, facts: ModelFacts) -> Bool:
    """Seconds an embargo after the last label that the model was fitted on."""
    first_ns = facts.train_end_ns + LONGEST_WINDOW_S * NS_PER_S
    return table.order[rows] * NS_PER_S >= first_ns


def _watches(table: Table, rows: Rows, y: Float64, probability: Float64) -> list[alarms.Watch]:
    watches = []
    for place in range(len(table.keys)):
        mine = np.flatnonzero(table.key[rows] == place)
        mine = mine[np.argsort(table.order[rows[mine]])]
        if len(mine):
            second = table.order[rows[mine]]
            storms = labels.episodes(second, y[mine], horizon_s=labels.HORIZON_S)
            watches.append(
                alarms.Watch(second=second, probability=probability[mine], episodes=storms)
            )
    return watches


SPIKES = Case(
    name="spikes",
    live=MARKET,
    feature_set=MARKET.feature_set,
    horizon_s=MARKET.horizon_s,
    baselines=("persistence", "har", "ewma", "garch", "climatology"),
    to_beat=("persistence", "har"),
    block=10 * labels.HORIZON_S,
    stride=STRIDE_S,
    table=table,
    split=split,
    target=target,
    candidates=contenders,
    threshold=threshold,
    judge=judge,
    events=events,
    span_ns=span_ns,
    unseen=unseen,
    varied=varied,
    threshold_rule=f"the lowest with {FALSE_ALARMS_PER_HOUR:g} false alarms an hour for a product",
    goals={"pr_auc": 0.9, "log_r2": 0.25},
)
"""Volatility spikes within 60 seconds."""
