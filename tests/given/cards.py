"""Model cards to look at: of a case with time that is made here, and of one without."""

import functools

import msgspec
import numpy as np

from barograph.cases.case import Case, Table, Target
from barograph.evaluation import splits
from barograph.evaluation.gate import Decision
from barograph.evaluation.labels import episodes
from barograph.learning import candidates
from barograph.registry.model import ModelFacts
from barograph.training.card import card
from barograph.training.no_signal_control import control
from barograph.training.pooled import Pooled
from barograph.training.report import ChosenModel, GateFacts, TrainingReport
from barograph.training.walkforward import Training, walk
from barograph.types import NS_PER_S, Interval
from changed_reports import changed_report
from customers import CUSTOMERS, customers

START = 1_700_000_000
HOLE_S = 7200
HORIZON_S = 20
HOW = Training(folds=2, resamples=50, seed=3, control=True)
KEPT = Decision(promote=False, reasons=("too few",))
PLAN = splits.SplitPlan(folds=2, horizon_s=HORIZON_S, embargo_s=5, min_rows=50)


def storms(seconds=1500, seed=0):
    """Two keys in two regimes: `level` tells what comes, `late` tells it less well, `noise` not."""
    rng = np.random.default_rng(seed)
    columns = []
    for key in range(2):
        calm = np.zeros(2 * seconds + HORIZON_S)
        for second in range(1, len(calm)):
            calm[second] = 0.97 * calm[second - 1] + rng.normal()
        coming = calm[HORIZON_S:] + rng.normal(0, 0.5, 2 * seconds)
        late = calm[:-HORIZON_S] + rng.normal(0, 0.5, 2 * seconds)
        second = START + np.arange(2 * seconds) + HOLE_S * (np.arange(2 * seconds) >= seconds)
        noise = rng.normal(size=2 * seconds)
        x = np.stack([coming, late, noise], axis=1)
        columns.append((x, np.exp(calm[HORIZON_S:] / 4), np.full(2 * seconds, key), second))
    x, outcome, key, second = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    session = (second >= START + seconds + HOLE_S).astype(np.int64)
    return Table(
        features=("level", "late", "noise"),
        x=np.ascontiguousarray(x, np.float32),
        outcome=outcome,
        keys=("A-USD", "B-USD"),
        key=key,
        order=second,
        session=session,
        regime=session,
        left_out={"depth": "nobody offers it"},
        unused={"warm-up": 30},
    )


def _target(table, train):
    tau = {
        key: float(np.quantile(table.outcome[train[table.key[train] == place]], 0.9))
        for place, key in enumerate(table.keys)
    }
    limit = np.array([tau[key] for key in table.keys])[table.key]
    return Target((table.outcome >= limit).astype(np.float64), tau, {})


def _span_ns(table, rows):
    order = table.order[rows]
    return int(order.min()) * NS_PER_S, int(order.max() + 1 + HORIZON_S) * NS_PER_S


STORMS = Case(
    name="storms",
    feature_set="storms/1",
    horizon_s=HORIZON_S,
    baselines=("late",),
    to_beat=("late",),
    block=100,
    stride=1,
    table=lambda _frame: storms(),
    split=lambda table, _folds, _protocol: ("walk-forward", splits.walk_forward(table.order, PLAN)),
    target=_target,
    candidates=lambda _features: (
        candidates.logistic(("late",), repeats=20, name="late"),
        candidates.logistic(("level", "noise"), repeats=20, name="level"),
    ),
    threshold=lambda _table, _rows, _y, probability: float(np.quantile(probability, 0.9)),
    threshold_rule="one second in ten",
    judge=lambda _table, _rows, y, acted: {"recall": float(y[acted].sum() / y.sum())},
    events=lambda table, rows, y: len(episodes(table.order[rows], y, horizon_s=HORIZON_S)),
    span_ns=_span_ns,
    unseen=lambda _table, rows, _facts: np.ones(len(rows), bool),
    goals={"pr_auc": 0.99, "log_r2": 0.25},
)


@functools.cache
def walked(timed=True):
    if timed:
        return walk(STORMS, storms(), HOW)
    return walk(CUSTOMERS, CUSTOMERS.table(customers(900).frame), HOW)


@functools.cache
def pooled(timed=True):
    return Pooled(walked(timed), HOW)


@functools.cache
def made(timed=True):
    """A card, of a training that registered nothing."""
    return card(walked(timed), pooled(timed), report_of(timed), facts_of(timed))


def report_of(timed=True):
    of, drawn = walked(timed), pooled(timed)
    model = ChosenModel(
        chosen=of.choices[-1], version=7, tau=dict(of.questions[-1].target.tau),
        threshold=of.chosen[-1].threshold, row_us=12.5,
    )  # fmt: skip
    gate = GateFacts(champion="there is none yet", judged_rows=len(drawn.rows), decision=KEPT)
    return TrainingReport(
        case=of.case.name, settings=HOW, code_hash="c0de", data=of.data_facts("d4t4"),
        tested=drawn.facts(), control=control(of, HOW), control_left_out="", model=model, gate=gate,
        seconds={"fit": 1.0},
    )  # fmt: skip


def facts_of(timed=True):
    of = walked(timed)
    start_ns, end_ns = of.case.span_ns(of.table, of.questions[-1].fold.train)
    return ModelFacts(
        case=of.case.name, candidate=of.choices[-1], features=of.chosen[-1].fitted.features,
        feature_set=of.case.feature_set, tau=dict(of.questions[-1].target.tau),
        threshold=of.chosen[-1].threshold, horizon_s=of.case.horizon_s, train_start_ns=start_ns,
        train_end_ns=end_ns, data_hash="d4t4", seed=3, sha256="5a", scores={},
        created_time_ns=START * NS_PER_S, expires_time_ns=(START + 3600) * NS_PER_S,
    )  # fmt: skip


def replaced(of_card, **changed):
    """The card, with its training changed so; see `changed_report`."""
    return msgspec.structs.replace(of_card, training=changed_report(of_card.training, **changed))


def interval(estimate, low, high):
    return Interval(estimate=estimate, low=low, high=high, level=0.95, resamples=10, undefined=0)
