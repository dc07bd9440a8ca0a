"""Which candidate a fold chooses by its held-out rows, and which one the whole history."""

from collections.abc import Mapping, Sequence

import numpy as np

from barograph.arrays import Float64
from barograph.cases.case import Case, Table
from barograph.evaluation.choice import simplest
from barograph.evaluation.scores import log_losses
from barograph.evaluation.splits import Rows
from barograph.registry.model import TAU
from barograph.training.tested import Tested

Results = Mapping[str, Sequence[Tested]]
"""What was tested, by candidate and fold, the candidates in the order of the case."""


def eligible(case: Case, table: Table, tested: Results) -> list[str]:
    """The candidates that may be chosen.

    Baselines are not, unless the case prefers the simple; then all are that a live row has the
    columns for.
    """
    if not case.prefers_simple:
        return [name for name in tested if name not in case.baselines]
    live = {*table.features, TAU}
    return [name for name, folds in tested.items() if live.issuperset(folds[0].fitted.features)]


def lowest(case: Case, table: Table, tested: Results, fold: int) -> str:
    """The eligible candidate with the lowest selection in a fold, the first of ties."""
    return min(eligible(case, table, tested), key=lambda name: tested[name][fold].selection)


def simplest_of(
    case: Case, table: Table, rows: Rows, y: Float64, probability: Mapping[str, Float64]
) -> str:
    """The first of the candidates whose log loss on `rows` is about that of the best.

    y: (n,) the answers of the rows (n,); probability: (n,) each, calibrated, by candidate from
    simple to complex. Rows are weighed as in training, and blocks are the case's.
    """
    loss = np.stack([log_losses(y, each) for each in probability.values()])
    block = table.order[rows] // case.block
    return list(probability)[simplest(loss, table.weight(rows), block)]
