"""Permutation importance of the chosen models' features, in blocks of time."""

import msgspec
import numpy as np

from barograph.arrays import Float64
from barograph.cases.case import Table
from barograph.evaluation import scores
from barograph.evaluation.splits import Rows
from barograph.training.walkforward import Walk

REPEATS = 5
MOST_ROWS = 4000
"""More rows are thinned evenly, since neighbours are redundant."""

WIDE, WIDE_REPEATS, WIDE_ROWS = 50, 2, 2000
"""Models of more features than this are permuted less often, on fewer rows."""


class Importance(msgspec.Struct, frozen=True, kw_only=True):
    """A feature, and the rise of log loss on the tested rows when it is permuted.

    `rise` is the mean of the repeats, `low` and `high` their range. `folds` counts the folds whose
    model uses the feature; the others contribute 0.
    """

    feature: str
    rise: float
    low: float
    high: float
    folds: int


def importance(walked: Walk, seed: int, repeats: int = REPEATS) -> list[Importance]:
    """Permutation importance of each feature of the chosen models, highest first.

    Blocks of the case's block length take the feature's values from another block of the same fold
    and key, which keeps autocorrelation within blocks. `Target.beside` columns are not features.
    Source: Breiman (2001), Machine Learning 45(1), who permutes single rows.
    """
    rng = np.random.default_rng(seed)
    case, table = walked.case, walked.table
    sizes = [len(question.fold.test) for question in walked.questions]
    most_rows = MOST_ROWS
    if max(len(chosen.fitted.features) for chosen in walked.chosen) > WIDE:
        repeats, most_rows = min(repeats, WIDE_REPEATS), WIDE_ROWS
    step = max(1, -(-sum(sizes) // most_rows))
    rows = [thinned(table, question.fold.test, step) for question in walked.questions]
    tested = sum(map(len, rows))
    rises: dict[str, Float64] = {}
    folds: dict[str, int] = {}
    for question, chosen, of in zip(walked.questions, walked.chosen, rows, strict=True):
        fitted, y = chosen.fitted, question.answers(of)
        x = question.target.columns(table, fitted.features, of)
        known = scores.log_loss(y, fitted.predict(x))
        for place, name in enumerate(fitted.features):
            if name in question.target.beside:
                continue
            folds[name] = folds.get(name, 0) + 1
            for repeat in range(repeats):
                other = x.copy()
                other[:, place] = x[elsewhere(table, of, case.block // step, rng), place]
                rise = scores.log_loss(y, fitted.predict(other)) - known
                rises.setdefault(name, np.zeros(repeats))[repeat] += rise * len(of) / tested
    importances = [
        Importance(
            feature=name,
            rise=float(values.mean()),
            low=float(values.min()),
            high=float(values.max()),
            folds=folds[name],
        )
        for name, values in rises.items()
    ]
    return sorted(importances, key=lambda one: (-one.rise, one.feature))


def thinned(table: Table, rows: Rows, step: int) -> Rows:
    """Every `step`-th row, sorted by key and order."""
    taken: Rows = rows[np.lexsort((table.order[rows], table.key[rows]))][::step]
    return taken


def elsewhere(table: Table, rows: Rows, block: int, rng: np.random.Generator) -> Rows:
    """(len(rows),) indices into `rows`: the row from which each takes its value.

    Each block of `block` rows of a key takes the values of another block of that key, in order; if
    a key has fewer than two blocks, its halves are swapped.
    """
    taken = np.arange(len(rows))
    for key in np.unique(table.key[rows]):
        of_key = np.flatnonzero(table.key[rows] == key)
        of_key = of_key[np.argsort(table.order[rows[of_key]], kind="stable")]
        count = max(2, len(of_key) // max(1, block))
        blocks = [of_key[place] for place in np.array_split(np.arange(len(of_key)), count)]
        ring = rng.permutation(count)
        for target, source in zip(ring, np.roll(ring, 1), strict=True):
            if len(blocks[source]):
                turn = np.arange(len(blocks[target])) % len(blocks[source])
                taken[blocks[target]] = blocks[source][turn]
    return taken
