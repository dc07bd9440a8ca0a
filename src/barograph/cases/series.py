"""Series cases: will the value reach tau within the horizon?

A row's outcome is the series' value one horizon later; positive is an outcome at or above tau, the
key's 0.90 quantile in the training rows. The functions here serve every series case; `series_case`
builds one from them alone.
"""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import NamedTuple

import msgspec
import numpy as np
import polars as pl

from barograph.arrays import Bool, Float64, Int64, UInt8
from barograph.cases import sampled
from barograph.cases.affordable import APART, Window, shares, unaffordable
from barograph.cases.case import Case, SplitKind, Table, Target
from barograph.cases.live_series import LiveSeries
from barograph.cases.sampled import SampledRows
from barograph.errors import BadInputError, TooLittleDataError
from barograph.evaluation import alarms, labels, splits
from barograph.evaluation.conformal import LevelRule
from barograph.evaluation.splits import Fold, Rows
from barograph.learning.candidates import Candidate
from barograph.registry.model import TAU, ModelFacts
from barograph.types import NS_PER_S, Reason

REGIME_HOLE_S = 6 * 3600
"""A longer hole between rows starts a new regime."""

REGIME_ROWS = 200
"""Fewest usable rows for a regime to be tested; a shorter one is only trained on."""

_LEAST_OFFERED = 0.99
_LEAST_ROWS = 600
_OUTCOME_UNKNOWN = "label unknown"


class Usable(NamedTuple):
    """The usable table; `rows` is its mask in `frame`, which is sorted by key and second."""

    table: Table
    frame: pl.DataFrame
    rows: Bool


def usable_rows(  # noqa: PLR0913 - rows, and which columns count how
    frame: pl.DataFrame,
    live: LiveSeries,
    wanted: Sequence[str],
    always: Sequence[str] = (),
    windows: Sequence[Window] = (),
    asked: Collection[str] = (),
) -> Usable:
    """The usable rows of a dataset, sorted by key and second, with the offered features.

    wanted: columns that models may use. always: columns known in every row. windows: those of the
    wanted features, in their order, of which some may be left out as too dear (`affordable`), but
    none that is `asked`. A wanted feature is kept if it is offered in 99 % of each key's rows in
    every regime of at least 600 rows; a model that needed more could not predict there. Rows of a
    sampled history count for as many as they stand for.
    """
    frame = frame.sort("product", "second")
    keys = tuple(frame["product"].unique().sort().to_list())
    places = {product: place for place, product in enumerate(keys)}
    key = np.array([places[product] for product in frame["product"].to_list()], np.int64)
    order = frame["second"].to_numpy().astype(np.int64)
    outcome = frame["outcome"].fill_null(np.nan).to_numpy()
    reasons = _reasons(frame, live, wanted)
    known = ~np.isnan(outcome)
    kept_of = _sample(frame)
    count = None if kept_of is None else kept_of.stands_for
    regime = (
        splits.sessions(order, hole_s=REGIME_HOLE_S)
        if kept_of is None
        else frame[sampled.REGIME].to_numpy()
    )
    dear = (
        unaffordable(
            windows,
            reasons[known],
            key[known],
            regime[known],
            live.step_s,
            None if count is None else count[known],
        )
        if windows
        else {}
    )
    dear = {name: why for name, why in dear.items() if name not in asked}
    kept = [place for place, name in enumerate(wanted) if name not in dear]
    waits = (reasons != Reason.KNOWN) & (reasons != Reason.NOT_OFFERED)
    complete = known & ~waits[:, kept].any(axis=1)

    left_out = dear | _not_offered(reasons, wanted, complete, keys, key, regime, count)
    used = [place for place, name in enumerate(wanted) if name not in left_out]
    usable = known & (reasons[:, used] == Reason.KNOWN).all(axis=1)
    names = (*(wanted[place] for place in used), *always)
    table = Table(
        features=names,
        x=np.ascontiguousarray(
            frame.select(names).filter(usable).to_numpy().reshape(-1, len(names)), np.float32
        ),
        outcome=outcome[usable],
        keys=keys,
        key=key[usable],
        order=order[usable],
        session=splits.sessions(order[usable], hole_s=live.horizon_s),
        regime=regime[usable],
        left_out=left_out,
        unused=_unused(reasons[:, used], known, count),
        sampled=None if kept_of is None else kept_of.only(usable),
    )
    return Usable(table, frame, usable)


def _sample(frame: pl.DataFrame) -> SampledRows | None:
    """What the rows of a frame stand for; None where its history was not sampled."""
    if sampled.STANDS_FOR not in frame.columns:
        return None
    return SampledRows(frame[sampled.STANDS_FOR].to_numpy(), frame[sampled.HISTORY].to_numpy())


def _reasons(frame: pl.DataFrame, live: LiveSeries, wanted: Sequence[str]) -> UInt8:
    digits = "".join(frame["reasons"].to_list()).encode()
    every = np.frombuffer(digits, np.uint8).reshape(len(frame), len(live.columns)) - ord("0")
    places = live.places
    return every[:, [places[name] for name in wanted]]


def _not_offered(  # noqa: PLR0913 - the columns of a table
    reasons: UInt8,
    wanted: Sequence[str],
    complete: Bool,
    keys: tuple[str, ...],
    key: Int64,
    regime: Int64,
    count: Int64 | None,
) -> dict[str, str]:
    left_out: dict[str, str] = {}
    for place, product in enumerate(keys):
        for number in np.unique(regime[key == place]):
            rows = complete & (key == place) & (regime == number)
            of_rows = None if count is None else count[rows]
            if (rows.sum() if of_rows is None else of_rows.sum()) < _LEAST_ROWS:
                continue
            offered = shares(reasons[rows] != Reason.NOT_OFFERED, of_rows)
            for name, share in zip(wanted, offered.tolist(), strict=True):
                if share < _LEAST_OFFERED:
                    left_out.setdefault(name, f"{product} offers it in {share:.0%} of its rows")
    return left_out


def _unused(reasons: UInt8, known: Bool, count: Int64 | None) -> dict[str, int]:
    """Count each unusable row once: by its unknown outcome, else by its worst feature reason.

    count: (n,) how many rows each stands for; None where each is one of its own.
    """
    gravest = reasons.max(axis=1, initial=0)
    of_reason = {_OUTCOME_UNKNOWN: ~known}
    of_reason |= {reason.name: known & (gravest == reason) for reason in Reason if reason}
    counts = {
        name: int(rows.sum() if count is None else count[rows].sum())
        for name, rows in of_reason.items()
    }
    return {reason: count for reason, count in counts.items() if count}


def split(  # noqa: PLR0913 - what the folds are of, and how far apart
    table: Table,
    folds: int,
    protocol: SplitKind,
    *,
    horizon_s: int,
    embargo_s: int,
    first_share: float = splits.FIRST_SHARE,
) -> tuple[SplitKind, list[Fold]]:
    """Cut walk-forward or leave-session-out folds.

    embargo_s: the longest window of the used features. first_share: the share of the rows before
    the first test of a walk-forward. "auto" leaves sessions out if there are
    three or more regimes, which tests whether a model transfers to another one. With a sampled
    history it walks forward, and only the complete rows are tested and held out. Raises
    TooLittleDataError, and BadInputError for sessions to be left out of a sampled history.
    """
    embargo_s = max(horizon_s, embargo_s)
    plan = splits.SplitPlan(
        folds=folds, horizon_s=horizon_s, embargo_s=embargo_s, first_share=first_share
    )
    if table.sampled is not None:
        return "walk-forward", _forward_of_sampled(table, table.sampled, plan, protocol)
    if protocol == "auto":
        _, rows = np.unique(table.regime, return_counts=True)
        several = (rows >= REGIME_ROWS).sum() >= APART
        protocol = "leave-session-out" if several else "walk-forward"
    if protocol == "leave-session-out":
        plan = msgspec.structs.replace(plan, min_rows=REGIME_ROWS)
        return protocol, splits.leave_session_out(table.order, table.regime, plan)
    return protocol, splits.walk_forward(table.order, plan)


def _forward_of_sampled(
    table: Table, rows: SampledRows, plan: splits.SplitPlan, protocol: SplitKind
) -> list[Fold]:
    if protocol == "leave-session-out":
        raise BadInputError(
            "--split leave-session-out",
            "there are more rows than --max-rows, and a session that is tested must be complete",
            "Walk forward (leave out --split), or give a --max-rows that all rows are within",
        )
    try:
        return splits.walk_forward(table.order, plan, rows.history)
    except TooLittleDataError as error:
        complete = int((~rows.history).sum())
        raise TooLittleDataError(
            error.what,
            f"{error.have} among the {complete:,} complete ones, the newer half of --max-rows",
            error.need,
            "Give a larger --max-rows, or ask for fewer folds",
        ) from None


def target(
    table: Table,
    train: Rows,
    quantile: float = labels.QUANTILE,
    *,
    min_labels: int = labels.LEAST_LABELS,
) -> Target:
    """Positive by each key's tau, which is also a `beside` column; too short keys are left out.

    quantile: which one of a key's training outcomes is its tau, between 0 and 1. min_labels: the
    fewest training outcomes of a key that has one.
    """
    y = np.full(len(table.order), np.nan)
    beside = {TAU: np.full(len(table.order), np.nan)}
    tau: dict[str, float] = {}
    left_out: dict[str, str] = {}
    for place, product in enumerate(table.keys):
        of_key = train[table.key[train] == place]
        try:
            tau[product] = labels.tau(
                table.outcome[of_key],
                quantile=quantile,
                min_labels=min_labels,
                stands_for=table.stands_for(of_key),
            )
        except TooLittleDataError as error:
            left_out[product] = str(error)
        else:
            rows = table.key == place
            y[rows] = labels.spikes(table.outcome[rows], tau[product])
            beside[TAU][rows] = tau[product]
    return Target(y, tau, left_out, beside)


class Alarms(NamedTuple):
    """The alarm rules of a series: episodes, lead times, and a budget of false alarms."""

    horizon_s: int
    step_s: int
    embargo_s: int
    """The longest window of a usable feature, in seconds."""

    false_alarms_per_hour: float = 2.0
    """Budget of the alert threshold on held-out rows, per key."""

    @property
    def threshold_rule(self) -> str:
        """The rule of `threshold` in words."""
        budget = f"{self.false_alarms_per_hour:.3g} false alarms per hour and product"
        return f"the lowest with at most {budget}"

    def threshold(self, table: Table, rows: Rows, y: Float64, probability: Float64) -> float:
        """The lowest probability within the false-alarm budget on held-out rows."""
        return alarms.threshold_for_budget(
            self._watches(table, rows, y, probability),
            false_alarms_per_hour=self.false_alarms_per_hour,
            horizon_s=self.horizon_s,
            step_s=self.step_s,
        )

    def judge(self, table: Table, rows: Rows, y: Float64, acted: Bool) -> dict[str, float]:
        """Episode recall, median lead in seconds and false alarms per hour, over all keys."""
        watches = self._watches(table, rows, y, acted.astype(np.float64))
        report = alarms.episode_report(watches, 0.5, horizon_s=self.horizon_s, step_s=self.step_s)
        return {
            "recall": report.recall,
            "lead_s": report.lead_median_s,
            "false_alarms_per_hour": report.false_alarms_per_hour,
        }

    def events(self, table: Table, rows: Rows, y: Float64) -> int:
        """Number of independent episodes; one that spans several keys counts once."""
        return len(labels.episodes(table.order[rows], y, horizon_s=self.horizon_s))

    def span_ns(self, table: Table, rows: Rows) -> tuple[int, int]:
        """[start, end) in Unix nanoseconds, to the end of the last outcome's horizon."""
        first, last = int(table.order[rows].min()), int(table.order[rows].max())
        return first * NS_PER_S, (last + 1 + self.horizon_s) * NS_PER_S

    def unseen(self, table: Table, rows: Rows, facts: ModelFacts) -> Bool:
        """Mask of rows at least an embargo after the last outcome in the model's training."""
        first_ns = facts.train_end_ns + self.embargo_s * NS_PER_S
        return table.order[rows] * NS_PER_S >= first_ns

    def _watches(
        self, table: Table, rows: Rows, y: Float64, probability: Float64
    ) -> list[alarms.WatchedRows]:
        watches = []
        for place in range(len(table.keys)):
            of_key = np.flatnonzero(table.key[rows] == place)
            of_key = of_key[np.argsort(table.order[rows[of_key]])]
            if len(of_key):
                second = table.order[rows[of_key]]
                episodes = labels.episodes(second, y[of_key], horizon_s=self.horizon_s)
                watches.append(
                    alarms.WatchedRows(
                        second=second, probability=probability[of_key], episodes=episodes
                    )
                )
        return watches


def series_case(  # noqa: PLR0913 - everything specific to one series
    name: str,
    live: LiveSeries,
    *,
    candidates: Callable[[tuple[str, ...]], tuple[Candidate, ...]],
    baselines: tuple[str, ...],
    longest_window_s: int,
    false_alarms_per_hour: float = 2.0,
    level: LevelRule | None = None,
) -> Case:
    """Build the case that forecasts whether a series' value reaches tau within its horizon.

    candidates: offered features → all candidates; those named in `baselines` cannot be chosen and
    must be beaten. longest_window_s: the longest look-back of a feature. false_alarms_per_hour: the
    alarm budget per key. level: how the value itself is forecast, if it is.
    The dataset has the columns of `training.dataset`; all columns of the
    series may be features.
    """
    judged = Alarms(live.horizon_s, live.step_s, longest_window_s, false_alarms_per_hour)

    def cut(table: Table, folds: int, protocol: SplitKind) -> tuple[SplitKind, list[Fold]]:
        return split(table, folds, protocol, horizon_s=live.horizon_s, embargo_s=longest_window_s)

    return Case(
        name=name,
        live=live,
        feature_set=live.feature_set,
        horizon_s=live.horizon_s,
        baselines=baselines,
        to_beat=baselines,
        block=10 * live.horizon_s // live.step_s,
        stride=1,
        longest_window_s=longest_window_s,
        samples_history=True,
        table=lambda frame: usable_rows(frame, live, live.columns).table,
        split=cut,
        target=target,
        at_quantile=lambda quantile: partial(target, quantile=quantile),
        candidates=candidates,
        level=level,
        threshold=judged.threshold,
        threshold_rule=judged.threshold_rule,
        judge=judged.judge,
        events=judged.events,
        span_ns=judged.span_ns,
        unseen=judged.unseen,
    )
