"""The no-signal control: the same training on outcomes without a signal.

Outcomes are shifted against their rows by half of each key's history. They keep their
autocorrelation but lose any relation to the features, so skill here means that the training
overfits or leaks.
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
    """Scores without a signal: the interval of `pr_auc` should contain `base_rate`.

    `candidate` is the tested candidate; `over` is PR-AUC minus the base rate.
    """

    candidate: str
    pr_auc: Interval
    base_rate: Interval
    over: Interval


def control(walked: Walk, how: Training) -> Control:
    """Test the last fold's choice again on shifted outcomes.

    Of a sampled history only the complete rows take part: outcomes that are shifted onto rows that
    stand for more than one would no longer be those of the market.
    Raises TooLittleDataError as `walkforward.walk` does.
    """
    case, name = walked.case, walked.choices[-1]
    table = walked.table.complete()
    table = dataclasses.replace(table, outcome=moved(table))
    # Of a level nothing is shown, and its intervals take as long as the fits.
    alone = dataclasses.replace(
        case,
        level=None,
        candidates=lambda features: tuple(
            candidate
            for candidate in case.candidates(features)
            if candidate.name in (case.reference, name)
        ),
    )
    fixed_choice = msgspec.structs.replace(how, trials=0, split=walked.split)
    # Nothing is chosen here, and calibration hardly changes a ranking: one held-out part will do.
    walked_alone = walk(alone, table, fixed_choice, held_out_parts=1)
    pooled = Pooled(walked_alone, fixed_choice)
    return Control(
        candidate=name,
        pr_auc=pooled.interval(CHOSEN, scores.pr_auc),
        base_rate=pooled.base_rate,
        over=pooled.over(CHOSEN, CHOSEN, scores.pr_auc, scores.base_rate),
    )


def moved(table: Table) -> Float64:
    """(n,) outcomes, rotated within each key by half of its rows."""
    outcome = table.outcome.copy()
    for key in range(len(table.keys)):
        of_key = np.flatnonzero(table.key == key)
        of_key = of_key[np.argsort(table.order[of_key], kind="stable")]
        outcome[of_key] = np.roll(table.outcome[of_key], len(of_key) // 2)
    return outcome
