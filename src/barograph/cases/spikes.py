"""The case of this project: will the next minute be a volatility spike?

The outcome of a second is the realised volatility of the 60 that follow it; a spike is one at or
above tau, the product's 0.90 quantile in the training rows.
"""

import numpy as np
import numpy.typing as npt
import polars as pl

from barograph import alarms, candidates, labels, splits
from barograph.candidates import Candidate
from barograph.case import Case, Ints, Table, Target
from barograph.errors import TooLittleDataError
from barograph.kernels import COLUMN, FEATURE_SET_HASH, FEATURES
from barograph.models import Float64, ModelFacts
from barograph.splits import Fold, Rows
from barograph.types import NS_PER_S, Reason

LONGEST_WINDOW_S = 300
"""Real recordings have a hole every few minutes, and each costs the longest window: of the 16,536
labelled seconds of one of 5 hours, 300-second windows keep 9,450 and 900-second ones 2,111."""

HOLE_S = 60
"""Rows further apart than this are of two sessions."""

FALSE_ALARMS_PER_HOUR = 2.0
"""What the alert threshold allows on validation rows, for one product."""

PLAN = splits.Plan(horizon_s=labels.HORIZON_S)
"""Shares and sizes of the walk-forward; folds and embargo come with the data."""

# Seconds of the day name the period rather than the hour while history is shorter than many days;
# amounts of a currency name the product.
_CLOCKS = frozenset({"hour_sin", "hour_cos"})
_AMOUNTS = frozenset({"quote currency", "base currency"})

WANTED = tuple(
    feature.name
    for feature in FEATURES
    if feature.warmup_s <= LONGEST_WINDOW_S
    and feature.name not in _CLOCKS
    and feature.unit not in _AMOUNTS
)

_DIRECTIONS = ("log_return_", "microprice_", "book_imbalance", "flow_imbalance_")

# With a dozen episodes an hour to learn from, deeper trees learn the episodes by heart: over six
# simulated markets of 12 hours these took PR-AUC from 0.375 to 0.403, at 0.402 for persistence.
# A second thread wins half a second on an idle machine and loses ten on a busy one.
_BOOSTING = candidates.Boosting(
    leaves=4, least_rows_in_leaf=600, l2=100.0, feature_share=0.5, threads=1
)

_LEAST_OFFERED = 0.99
_LEAST_ROWS = 600
_LABEL_UNKNOWN = "label unknown"


def table(frame: pl.DataFrame) -> Table:
    """The usable rows, by product and second; features that a product's venue does not offer go.

    A feature stays when it is offered in 99 % of each product's rows before the first test.
    """
    frame = frame.sort("product", "second")
    keys = tuple(frame["product"].unique().sort().to_list())
    places = {product: place for place, product in enumerate(keys)}
    key = np.array([places[product] for product in frame["product"].to_list()], np.int64)
    order = frame["second"].to_numpy().astype(np.int64)
    outcome = frame["future_realized_vol"].fill_null(np.nan).to_numpy()
    reasons = _reasons(frame)
    labelled = ~np.isnan(outcome)
    waits = ((reasons != Reason.KNOWN) & (reasons != Reason.NOT_OFFERED)).any(axis=1)

    left_out = _not_offered(reasons, labelled & ~waits, keys, key, order)
    used = [place for place, name in enumerate(WANTED) if name not in left_out]
    usable = labelled & (reasons[:, used] == Reason.KNOWN).all(axis=1)
    names = tuple(WANTED[place] for place in used)
    return Table(
        features=names,
        x=np.ascontiguousarray(
            frame.select(names).filter(usable).to_numpy().reshape(-1, len(names)), np.float32
        ),
        outcome=outcome[usable],
        keys=keys,
        key=key[usable],
        order=order[usable],
        session=splits.sessions(order[usable], hole_s=HOLE_S),
        left_out=left_out,
        unused=_unused(reasons[:, used], labelled),
    )


def _reasons(frame: pl.DataFrame) -> npt.NDArray[np.uint8]:
    digits = "".join(frame["reasons"].to_list()).encode()
    every = np.frombuffer(digits, np.uint8).reshape(len(frame), len(FEATURES)) - ord("0")
    return every[:, [COLUMN[name] for name in WANTED]]


def _not_offered(
    reasons: npt.NDArray[np.uint8],
    complete: npt.NDArray[np.bool_],
    keys: tuple[str, ...],
    key: Ints,
    order: Ints,
) -> dict[str, str]:
    clock = np.sort(order[complete])
    first_test = clock[round(PLAN.first_share * (len(clock) - 1))] if len(clock) else 0
    early = complete & (order < first_test)
    left_out: dict[str, str] = {}
    for place, product in enumerate(keys):
        rows = early & (key == place)
        if rows.sum() < _LEAST_ROWS:
            continue
        offered = (reasons[rows] != Reason.NOT_OFFERED).mean(axis=0)
        for name, share in zip(WANTED, offered.tolist(), strict=True):
            if share < _LEAST_OFFERED:
                left_out.setdefault(name, f"{product} offers it in {share:.0%} of its rows")
    return left_out


def _unused(reasons: npt.NDArray[np.uint8], labelled: npt.NDArray[np.bool_]) -> dict[str, int]:
    """Each row that cannot be used once: by its label, else by the gravest reason of a feature."""
    gravest = reasons.max(axis=1, initial=0)[labelled]
    counts = {_LABEL_UNKNOWN: int((~labelled).sum())}
    counts |= {reason.name: int((gravest == reason).sum()) for reason in Reason if reason}
    return {reason: count for reason, count in counts.items() if count}


def split(table: Table, folds: int) -> list[Fold]:
    """Walk-forward; the embargo is the longest window of the used features, at least the horizon.

    Raises TooLittleDataError.
    """
    windows = [FEATURES[COLUMN[name]].warmup_s for name in table.features]
    plan = splits.Plan(
        folds=folds,
        horizon_s=PLAN.horizon_s,
        embargo_s=max(PLAN.horizon_s, *windows),
        first_share=PLAN.first_share,
        validation_share=PLAN.validation_share,
        calibration_share=PLAN.calibration_share,
        min_rows=PLAN.min_rows,
    )
    return splits.walk_forward(table.order, plan)


def target(table: Table, train: Rows) -> Target:
    """Spikes by each product's tau; a product with too few training rows has none."""
    y = np.full(len(table.order), np.nan)
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
    return Target(y, tau, left_out)


def contenders(features: tuple[str, ...]) -> tuple[Candidate, ...]:
    """Persistence, the heterogeneous autoregression, logistic regression, boosted trees."""
    vols = tuple(f"realized_vol_{window_s}s" for window_s in (10, 60, 300))
    # Which way a market leans says nothing linear of how far it will go.
    undirected = tuple(name for name in features if not name.startswith(_DIRECTIONS))
    return (
        candidates.persistence(),
        candidates.har_logistic(vols),
        candidates.logistic(undirected),
        candidates.lightgbm(features, _BOOSTING),
    )


def threshold(table: Table, rows: Rows, y: Float64, probability: Float64) -> float:
    """The lowest probability that keeps the budget of false alarms on validation rows."""
    return alarms.threshold_for_budget(
        _watches(table, rows, y, probability),
        false_alarms_per_hour=FALSE_ALARMS_PER_HOUR,
        horizon_s=labels.HORIZON_S,
    )


def judge(table: Table, rows: Rows, y: Float64, acted: npt.NDArray[np.bool_]) -> dict[str, float]:
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


def unseen(table: Table, rows: Rows, facts: ModelFacts) -> npt.NDArray[np.bool_]:
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
    feature_set=FEATURE_SET_HASH,
    horizon_s=labels.HORIZON_S,
    reference="persistence",
    block=10 * labels.HORIZON_S,
    table=table,
    split=split,
    target=target,
    candidates=contenders,
    threshold=threshold,
    judge=judge,
    events=events,
    span_ns=span_ns,
    unseen=unseen,
)
"""Volatility spikes within 60 seconds."""
