"""The model that a training registers: as its last fold tested it, or fitted again on all rows."""

from dataclasses import dataclass

import numpy as np

from barograph.cases.case import Target
from barograph.evaluation.splits import Rows
from barograph.learning.fitted import Fitted
from barograph.training.walkforward import Training, Walk, tests_of, thinned_examples


@dataclass(frozen=True, slots=True, eq=False)
class Registered:
    """A model with its target, its alert threshold and the rows (n,) that it was fitted on.

    `checked` are rows (m,) to compare its export with: where it was tested, or may be.
    """

    fitted: Fitted
    target: Target
    threshold: float
    rows: Rows
    checked: Rows


def registered(walked: Walk, how: Training) -> Registered:
    """The model of a walk that its case registers.

    A case with `refit` fits the walk's `final` candidate on all rows of its folds. The folds are
    then what the held-out parts are within a fold: on their forecasts for the rows that each had
    not seen rest the choice, the calibration and the alert threshold.
    """
    return _refitted(walked, how) if walked.case.refit else _as_tested(walked)


def _as_tested(walked: Walk) -> Registered:
    last, chosen = walked.questions[-1], walked.chosen[-1]
    return Registered(
        fitted=chosen.fitted,
        target=last.target,
        threshold=chosen.threshold,
        rows=last.fold.train,
        checked=last.fold.test,
    )


def _refitted(walked: Walk, how: Training) -> Registered:
    case, table, folds = walked.case, walked.table, walked.tested[walked.final]
    of_folds = [side for each in walked.questions for side in (each.fold.train, each.fold.test)]
    seen = np.unique(np.concatenate(of_folds))
    target = case.target(table, seen)
    rows = seen[~np.isnan(target.y[seen])]
    tested, y = tests_of(walked.questions)
    z = np.concatenate([fold.z for fold in folds])
    candidate = folds[-1].candidate
    fitted = candidate.refit(
        thinned_examples(case, table, target, candidate.features, rows),
        z,
        y == 1.0,
        table.weight(tested),
        how.seed,
    )
    return Registered(
        fitted=fitted,
        target=target,
        threshold=case.threshold(table, tested, y, fitted.calibrated(z)),
        rows=rows,
        checked=tested,
    )
