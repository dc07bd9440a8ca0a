"""The no-signal control: the same training where nothing can be found.

Outcomes are moved against their rows by half of each key's history. What they keep is how they
follow each other; what they lose is all that the features could know. A training that finds
something here finds it wherever it looks.
"""

import dataclasses

import msgspec
import numpy as np

from barograph.arrays import Float64
from barograph.cases.case import Table
from barograph.evaluation import scores
from barograph.training.pooled import Pooled
from barograph.training.walkforward import CHOSEN, Training, Walk, walk
from barograph.types import Interval


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """What was found where there is nothing: `pr_auc` should hold `base_rate`.

    `candidate` is the one that was tried; `over` is PR-AUC minus the base rate.
    """

    candidate: str
    pr_auc: Interval
    base_rate: Interval
    over: Interval


def control(walked: Walk, how: Training) -> Control:
    """Test the last fold's choice once more, on outcomes that are moved.

    Raises TooLittleDataError as `walkforward.walk`.
    """
    case, name = walked.case, walked.choices[-1]
    table = dataclasses.replace(walked.table, outcome=moved(walked.table))
    alone = dataclasses.replace(
        case,
        candidates=lambda features: tuple(
            candidate
            for candidate in case.candidates(features)
            if candidate.name in (case.reference, name)
        ),
    )
    asked = msgspec.structs.replace(how, trials=0, split=walked.split)
    pooled = Pooled(walk(alone, table, asked), asked)
    return Control(
        candidate=name,
        pr_auc=pooled.interval(CHOSEN, scores.pr_auc),
        base_rate=pooled.base_rate,
        over=pooled.over(CHOSEN, CHOSEN, scores.pr_auc, scores.base_rate),
    )


def moved(table: Table) -> Float64:
    """(n,): each key's outcomes, half of its rows later and round again."""
    outcome = table.outcome.copy()
    for key in range(len(table.keys)):
        mine = np.flatnonzero(table.key == key)
        mine = mine[np.argsort(table.order[mine], kind="stable")]
        outcome[mine] = np.roll(table.outcome[mine], len(mine) // 2)
    return outcome
