"""A case of the tests' own: customers without time, to prove that no job knows of spikes."""

import numpy as np
import polars as pl

from barograph import candidates
from barograph.case import Case, Dataset, Table, Target
from barograph.splits import Fold

FEATURES = ("tenure", "charges", "calls")


def customers(rows=3000, seed=0, *, knowable=True):
    """Who leaves: those with many calls in a short tenure, or nobody knows who."""
    rng = np.random.default_rng(seed)
    x = rng.lognormal(0, 1, (rows, 3))
    odds = x[:, 2] / x[:, 0] if knowable else rng.lognormal(0, 1, rows)
    leaves = odds * rng.lognormal(0, 0.7, rows) > 4
    frame = pl.DataFrame(dict(zip(FEATURES, x.T, strict=True)) | {"left": leaves})
    return Dataset(frame, f"customers {rows} {seed}")


def table(frame):
    rows = np.arange(len(frame))
    return Table(
        features=FEATURES,
        x=np.ascontiguousarray(frame.select(FEATURES).to_numpy(), np.float32),
        outcome=frame["left"].to_numpy().astype(float),
        keys=("customer",),
        key=np.zeros_like(rows),
        order=rows,
        session=np.zeros_like(rows),
        left_out={},
        unused={},
    )


def split(table, folds):
    """Each customer is tested once; who is unlike the others in no way needs no embargo."""
    place = np.random.default_rng(5).permutation(len(table.order)) % (5 * folds)
    sides = [np.flatnonzero(place % folds != fold) for fold in range(folds)]
    return [
        Fold(
            train=rows[place[rows] // folds > 1],
            validation=rows[place[rows] // folds == 0],
            calibration=rows[place[rows] // folds == 1],
            test=np.flatnonzero(place % folds == fold),
        )
        for fold, rows in enumerate(sides)
    ]


CUSTOMERS = Case(
    name="customers",
    feature_set="customers/1",
    horizon_s=0,
    reference="persistence",
    block=1,
    table=table,
    split=split,
    target=lambda table, _train: Target(table.outcome, {}, {}),
    candidates=lambda features: (
        candidates.persistence("charges", repeats=1),
        candidates.logistic(features, repeats=1),
        candidates.lightgbm(features, candidates.Boosting(rounds=40), repeats=1),
    ),
    threshold=lambda _table, _rows, y, p: float(np.quantile(p, 1 - y.mean())),
    judge=lambda _table, _rows, y, acted: {"recall": float(acted[y == 1.0].mean())},
    events=lambda _table, _rows, y: int(y.sum()),
    span_ns=lambda _table, _rows: (0, 0),
    unseen=lambda _table, rows, _facts: np.ones(len(rows), np.bool_),
)
