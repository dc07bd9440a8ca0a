"""What the chosen models lean on: how much is lost when a feature tells of another time."""

import msgspec
import numpy as np

from barograph.arrays import Float64
from barograph.cases.case import Table
from barograph.evaluation import scores
from barograph.evaluation.splits import Rows
from barograph.training.walkforward import Walk

REPEATS = 5
MOST_ROWS = 4000
"""Of more rows an even choice is looked at: neighbours tell the same, and trees take time."""


class Importance(msgspec.Struct, frozen=True, kw_only=True):
    """A feature, and how much log loss rises over the tested rows without what it tells.

    `rise` is the mean of the repeats, `low` and `high` the least and the most of them. `folds`
    counts the folds whose model uses it; in the others it costs nothing.
    """

    feature: str
    rise: float
    low: float
    high: float
    folds: int


def importance(walked: Walk, seed: int, repeats: int = REPEATS) -> list[Importance]:
    """Each feature of the chosen models, the weightiest first: permutation, block by block.

    A block of the case's length takes its values of one feature from another block of the same fold
    and key. So a series stays the series that it is, only not that of its own time. What stands
    beside features, like a threshold, is none.
    Source: Breiman (2001), Machine Learning 45(1), there row by row.
    """
    rng = np.random.default_rng(seed)
    case, table = walked.case, walked.table
    sizes = [len(question.fold.test) for question in walked.questions]
    step = max(1, -(-sum(sizes) // MOST_ROWS))
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
    """One in `step` rows of each key."""
    taken: Rows = rows[np.lexsort((table.order[rows], table.key[rows]))][::step]
    return taken


def elsewhere(table: Table, rows: Rows, block: int, rng: np.random.Generator) -> Rows:
    """(len(rows),) places in `rows`: for each the one from which it takes its value.

    Each block of `block` rows of a key takes from another block of that key, in its order; where a
    key has fewer than two, its halves change places.
    """
    taken = np.arange(len(rows))
    for key in np.unique(table.key[rows]):
        mine = np.flatnonzero(table.key[rows] == key)
        mine = mine[np.argsort(table.order[rows[mine]], kind="stable")]
        count = max(2, len(mine) // max(1, block))
        blocks = [mine[place] for place in np.array_split(np.arange(len(mine)), count)]
        ring = rng.permutation(count)
        for target, source in zip(ring, np.roll(ring, 1), strict=True):
            if len(blocks[source]):
                turn = np.arange(len(blocks[target])) % len(blocks[source])
                taken[blocks[target]] = blocks[source][turn]
    return taken
