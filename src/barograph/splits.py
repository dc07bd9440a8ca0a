"""Splits in time: walk-forward and leave-one-session-out, purged and under embargo; and without.

In time, one inequality holds between every row s of an earlier side and every row t of a later one:

    t - embargo_s > s + horizon_s

A label of s is made of seconds up to s + horizon_s, a feature of t of seconds back to
t - embargo_s (with `embargo_s` the longest window: its oldest return starts at that second's mid).
So no second is seen from both sides. The sides are, in time: train, validation, calibration, test.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from barograph.errors import BadInputError, TooLittleDataError

Rows = NDArray[np.int64]
"""Indices of rows, rising."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How history is cut. Shares are of rows, because recordings have holes of hours.

    `first_share` of all rows comes before the first test; the rest are `folds` tests of equal size.
    Of what lies before a test, the last `calibration_share` calibrate, the `validation_share`
    before them validate, the rest train. A share of 0 leaves that side empty, without its embargo.
    `embargo_s` is the longest window of the features used; `min_rows` what each side must keep.
    """

    folds: int = 5
    horizon_s: int = 60
    embargo_s: int = 900
    first_share: float = 0.4
    validation_share: float = 0.15
    calibration_share: float = 0.15
    min_rows: int = 300

    def __post_init__(self) -> None:
        """Raise BadInputError for a plan that cannot be meant."""
        shares = (self.first_share, self.validation_share, self.calibration_share)
        inner = self.validation_share + self.calibration_share
        if self.folds < 1 or self.horizon_s < 1 or self.embargo_s < 0 or self.min_rows < 1:
            raise BadInputError(
                "split plan",
                "folds, horizon_s and min_rows must be at least 1 and embargo_s at least 0",
                "Correct it",
            )
        if not (all(0 <= share < 1 for share in shares) and self.first_share > 0 and inner < 1):
            raise BadInputError(
                "split plan", f"the shares {shares} leave nothing to train on", "Lower them"
            )

    @property
    def distance_s(self) -> int:
        """The least t - s between an earlier side's row s and a later side's row t."""
        return self.horizon_s + self.embargo_s + 1


class Fold(msgspec.Struct, frozen=True, kw_only=True):
    """Indices into the rows that were split; each side rises, in the order of the input."""

    train: Rows
    validation: Rows
    calibration: Rows
    test: Rows


def sessions(second: NDArray[np.int64], *, hole_s: int) -> NDArray[np.int64]:
    """The session of each row: (n,) int64 from 0 up in time.

    A session is a stretch in which no two following seconds are more than `hole_s` apart. Rows may
    be pooled over products and in any order; rows of one second are of one session.
    """
    order = np.argsort(second, kind="stable")
    number = np.concatenate(([0], np.cumsum(np.diff(second[order]) > hole_s)))[: len(second)]
    session = np.empty(len(second), dtype=np.int64)
    session[order] = number
    return session


def walk_forward(second: NDArray[np.int64], plan: Plan) -> list[Fold]:
    """Expanding folds in time order: each is fitted on what lay before its test and nothing else.

    second: (n,) int64, the seconds of the usable rows (label and features known), pooled over
    products and in any order: all products are cut at the same times. The tests follow each other
    without a hole or an overlap and end with the last row; the purge is taken from the earlier
    side. Raises TooLittleDataError when a side of a fold keeps fewer than `plan.min_rows` rows.
    """
    clock = np.sort(second)
    first = round(plan.first_share * len(clock))
    edges = np.linspace(first, len(clock), plan.folds + 1).round().astype(np.int64)
    if len(clock) == 0 or edges[1] - edges[0] < 1:
        raise _too_little("a test", len(clock), plan)
    # A cut is a time: all rows of its second, of whatever product, are on its later side.
    starts = clock[edges[:-1]]
    stops = np.append(starts[1:], clock[-1] + 1)
    folds = []
    for start, stop in zip(starts, stops, strict=True):
        test = np.flatnonzero((second >= start) & (second < stop))
        if len(test) < plan.min_rows:
            raise _too_little("a test", len(test), plan)
        past = np.flatnonzero(second <= start - plan.distance_s)
        folds.append(_divide(second, past, test, plan))
    return folds


def leave_session_out(
    second: NDArray[np.int64], session: NDArray[np.int64], plan: Plan
) -> list[Fold]:
    """One fold for each session, in their order: tested on it, fitted on the others.

    Sessions after the test serve the fit too, so this asks whether a model travels between
    regimes, not what it would have earned; the inequality holds on both sides of the test.
    Rows and errors are as for `walk_forward`; `plan.folds` and `plan.first_share` are not used.
    """
    folds = []
    for number in np.unique(session):
        test = np.flatnonzero(session == number)
        if len(test) < plan.min_rows:
            raise _too_little(f"session {number}", len(test), plan)
        before = second <= second[test].min() - plan.distance_s
        after = second >= second[test].max() + plan.distance_s
        others = np.flatnonzero((before | after) & (session != number))
        folds.append(_divide(second, others, test, plan))
    return folds


def stratified(
    y: NDArray[np.float64],
    lot: NDArray[np.int64],
    folds: int,
    *,
    validation_share: float = 0.15,
    calibration_share: float = 0.05,
) -> list[Fold]:
    """Folds of rows without time: each row is tested once, rows of one lot are never parted.

    y: (n,) 1.0 yes, 0.0 no. lot: (n,) what chance gave each row, the same for rows that belong
    together. Sides are cut by it, among the yes and among the no alike, so that each has its share
    of both to within a row, or to within the rows of a lot where it has several (it counts as yes
    if a row of it does). The tests follow each other in the lots' order: the last has the highest.
    Of the rest, beginning after the test and going round, the first train, the next validate, the
    last calibrate. Raises TooLittleDataError when a side is all of one kind.
    """
    lots, place, size = np.unique(lot, return_inverse=True, return_counts=True)
    yes = np.zeros(len(lots), np.bool_)
    np.logical_or.at(yes, place, y == 1.0)
    cuts = np.cumsum([1 - validation_share - calibration_share, validation_share])
    made = []
    for fold in range(folds):
        side = np.empty(len(lots), np.int64)
        for kind in (yes, ~yes):
            mine = np.flatnonzero(kind)
            tested = np.floor(folds * _ranks(size[mine])).astype(np.int64)
            side[mine[tested == fold]] = 3
            rest = np.concatenate([mine[tested > fold], mine[tested < fold]])
            side[rest] = np.searchsorted(cuts, _ranks(size[rest]), side="right")
        sides = [np.flatnonzero(side[place] == number) for number in range(4)]
        for name, rows in zip(("train", "validation", "calibration", "test"), sides, strict=True):
            if not 0 < (y[rows] == 1.0).sum() < len(rows):
                raise TooLittleDataError(
                    f"{folds} folds without time: {name} of fold {fold + 1}",
                    f"{int((y[rows] == 1.0).sum())} yes in {len(rows)} rows",
                    "yes and no",
                    "Give more records, or ask for fewer folds",
                )
        train, validation, calibration, test = sides
        made.append(Fold(train=train, validation=validation, calibration=calibration, test=test))
    return made


def _ranks(size: NDArray[np.int64]) -> NDArray[np.float64]:
    """Where the middle of each stands among all, in (0, 1), each as wide as its size."""
    middle: NDArray[np.float64] = np.cumsum(size) - size / 2
    return middle / max(1, int(size.sum()))


def _divide(second: NDArray[np.int64], rows: Rows, test: Rows, plan: Plan) -> Fold:
    """Cut `rows` in time into train, validation and calibration, by shares of their number."""
    validation_rows = round(plan.validation_share * len(rows))
    calibration_rows = round(plan.calibration_share * len(rows))
    rest, calibration = _cut_end(second, rows, calibration_rows, plan)
    train, validation = _cut_end(second, rest, validation_rows, plan)
    for name, side, wanted in (
        ("train", train, True),
        ("validation", validation, plan.validation_share > 0),
        ("calibration", calibration, plan.calibration_share > 0),
    ):
        if wanted and len(side) < plan.min_rows:
            raise _too_little(name, len(side), plan)
    return Fold(train=train, validation=validation, calibration=calibration, test=test)


def _cut_end(second: NDArray[np.int64], rows: Rows, count: int, plan: Plan) -> tuple[Rows, Rows]:
    """The last `count` rows in time (a few less, to keep seconds whole), after what may precede."""
    if count == 0 or count >= len(rows):
        return rows, rows[:0]
    clock = np.sort(second[rows])
    start = clock[len(rows) - count]
    if clock[len(rows) - count - 1] == start:
        start += 1
    return (
        rows[second[rows] <= start - plan.distance_s],
        rows[second[rows] >= start],
    )


def _too_little(side: str, rows: int, plan: Plan) -> TooLittleDataError:
    return TooLittleDataError(
        f"walk-forward with {plan.folds} folds and {plan.horizon_s} + {plan.embargo_s} s between "
        f"the sides: {side}",
        f"{rows} usable rows",
        f"{plan.min_rows}",
        "Record or simulate more history, ask for fewer folds, or leave out the features with the "
        "longest windows so that the embargo is shorter",
    )
