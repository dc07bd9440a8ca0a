"""Splits in time: walk-forward and leave-one-session-out, purged and under embargo; and without.

In time, one inequality holds between every row s of one side and every later row t of another:

    t - embargo_s > s + horizon_s

A label of s is made of seconds up to s + horizon_s, a feature of t of seconds back to
t - embargo_s (with `embargo_s` the longest window: its oldest return starts at that second's mid).
So no second is seen from both sides. The sides are what is fitted on and what is tested and, inside
what is fitted on, each part that is held out and what is fitted on instead.
"""

import msgspec
import numpy as np

from barograph.arrays import Float64, Int64
from barograph.errors import BadInputError, TooLittleDataError

Rows = Int64
"""Indices of rows, rising."""


class SplitPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How history is cut. `first_share` is of rows, because recordings have holes of hours.

    `first_share` of all rows comes before the first test; the rest are `folds` tests of equal size.
    What a fold is fitted on is held out in `inner` parts in turn. `embargo_s` is the longest window
    of the features used; `min_rows` what a side must keep.
    """

    folds: int = 5
    inner: int = 4
    horizon_s: int = 60
    embargo_s: int = 900
    first_share: float = 0.4
    min_rows: int = 300

    def __post_init__(self) -> None:
        """Raise BadInputError for a plan that cannot be meant."""
        if min(self.folds, self.horizon_s, self.min_rows) < 1 or self.inner < 2:
            raise BadInputError(
                "split plan",
                "folds, horizon_s and min_rows must be at least 1 and inner at least 2",
                "Correct it",
            )
        if self.embargo_s < 0 or not 0 < self.first_share < 1:
            raise BadInputError(
                "split plan",
                f"embargo_s is {self.embargo_s} and first_share {self.first_share}",
                "Choose 0 or more, and a share between 0 and 1",
            )

    @property
    def distance_s(self) -> int:
        """The least t - s between a row s of one side and a later row t of another."""
        return self.horizon_s + self.embargo_s + 1


class Fold(msgspec.Struct, frozen=True, kw_only=True):
    """Indices into the rows that were split; each side rises, in the order of the input.

    Parts of `train` are held out in turn: `inner` has for each what is fitted on instead, and what
    is held out. By what is said of these, a model is stopped, calibrated and chosen.
    """

    train: Rows
    test: Rows
    inner: tuple[tuple[Rows, Rows], ...]

    @property
    def held_out(self) -> Rows:
        """The rows that are held out, one part after the other."""
        return np.concatenate([held for _, held in self.inner])


def sessions(second: Int64, *, hole_s: int) -> Int64:
    """The session of each row: (n,) int64 from 0 up in time.

    A session is a stretch in which no two following seconds are more than `hole_s` apart. Rows may
    be pooled over products and in any order; rows of one second are of one session.
    """
    order = np.argsort(second, kind="stable")
    number = np.concatenate(([0], np.cumsum(np.diff(second[order]) > hole_s)))[: len(second)]
    session = np.empty(len(second), dtype=np.int64)
    session[order] = number
    return session


def walk_forward(second: Int64, plan: SplitPlan) -> list[Fold]:
    """Expanding folds in time order: each is fitted on what lay before its test and nothing else.

    second: (n,) int64, the seconds of the usable rows (label and features known), pooled over
    products and in any order: all products are cut at the same times. The tests follow each other
    without a hole or an overlap and end with the last row; the purge is taken from the earlier
    side. What is held out in turn are `plan.inner` stretches of equal numbers of rows. Raises
    TooLittleDataError when a side of a fold keeps fewer than `plan.min_rows` rows.
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
        train = np.flatnonzero(second <= start - plan.distance_s)
        if len(train) < plan.min_rows:
            raise _too_little("train", len(train), plan)
        past = np.sort(second[train])
        cuts = past[np.linspace(0, len(past), plan.inner + 1).astype(np.int64)[1:-1]]
        part = np.searchsorted(cuts, second[train], side="right")
        folds.append(Fold(train=train, test=test, inner=_in_turn(second, train, part, plan)))
    return folds


def leave_session_out(second: Int64, session: Int64, plan: SplitPlan) -> list[Fold]:
    """One fold for each session of at least `plan.min_rows` rows, in time: fitted on the others.

    Sessions after the test serve the fit too, so this asks whether a model travels between
    regimes, not what it would have earned. Within a fold the other sessions are held out in turn:
    what a model is chosen and calibrated by is how it travels, too. `plan.folds`, `inner` and
    `first_share` are not used. Raises TooLittleDataError with fewer than three such sessions, and
    when what is fitted on keeps fewer than `plan.min_rows` rows.
    """
    numbers, rows = np.unique(session, return_counts=True)
    tested = numbers[rows >= plan.min_rows]
    if len(tested) < 3:
        raise TooLittleDataError(
            "leave-session-out",
            f"{len(tested)} sessions of {plan.min_rows} usable rows or more",
            "3",
            "Record more sessions, or walk forward (`--split walk-forward`)",
        )
    folds = []
    for number in tested:
        test = np.flatnonzero(session == number)
        train = _away_from(second, np.flatnonzero(session != number), test, plan)
        if len(train) < plan.min_rows:
            raise _too_little("train", len(train), plan)
        # A session that is too short to be tested is too short to be held out.
        part = np.where(np.isin(session[train], tested), session[train], -1)
        folds.append(Fold(train=train, test=test, inner=_in_turn(second, train, part, plan)))
    return folds


def _in_turn(
    second: Int64, rows: Rows, part: Int64, plan: SplitPlan
) -> tuple[tuple[Rows, Rows], ...]:
    """Each part from 0 up held out, with those of the other rows that share no second with it."""
    inner = []
    for number in np.unique(part[part >= 0]):
        held = rows[part == number]
        rest = _away_from(second, rows[part != number], held, plan)
        if len(rest) < plan.min_rows:
            raise _too_little("what is left beside a part that is held out", len(rest), plan)
        inner.append((rest, held))
    if not inner:
        raise _too_little("a part to hold out", 0, plan)
    return tuple(inner)


def _away_from(second: Int64, rows: Rows, held: Rows, plan: SplitPlan) -> Rows:
    """Those of rows that share no second with what is held out, which follows each other."""
    first, last = second[held].min(), second[held].max()
    before = second[rows] <= first - plan.distance_s
    away: Rows = rows[before | (second[rows] >= last + plan.distance_s)]
    return away


def stratified(y: Float64, lot: Int64, folds: int, *, inner: int = 4) -> list[Fold]:
    """Folds of rows without time: each row is tested once, rows of one lot are never parted.

    y: (n,) 1.0 yes, 0.0 no. lot: (n,) what chance gave each row, the same for rows that belong
    together. Sides are cut by it, among the yes and among the no alike, so that each has its share
    of both to within a row, or to within the rows of a lot where it has several (it counts as yes
    if a row of it does). The tests follow each other in the lots' order: the last has the highest.
    The rest is learned from, in `inner` parts that are cut alike and held out in turn. Raises
    TooLittleDataError when a side is all of one kind.
    """
    test = _dealt(y, lot, folds)
    made = []
    for fold in range(folds):
        train = np.flatnonzero(test != fold)
        part = _dealt(y[train], lot[train], inner)
        sides = tuple((train[part != number], train[part == number]) for number in range(inner))
        made.append(Fold(train=train, test=np.flatnonzero(test == fold), inner=sides))
        for name, rows in (("test", made[-1].test), *(("a part", held) for _, held in sides)):
            if not 0 < (y[rows] == 1.0).sum() < len(rows):
                raise TooLittleDataError(
                    f"{folds} folds without time: {name} of fold {fold + 1}",
                    f"{int((y[rows] == 1.0).sum())} yes in {len(rows)} rows",
                    "yes and no",
                    "Give more records, or ask for fewer folds",
                )
    return made


def _dealt(y: Float64, lot: Int64, parts: int) -> Int64:
    """(n,): which of `parts` each row falls to, by its lot."""
    lots, place, size = np.unique(lot, return_inverse=True, return_counts=True)
    yes = np.zeros(len(lots), np.bool_)
    np.logical_or.at(yes, place, y == 1.0)
    part: Int64 = np.empty(len(lots), np.int64)
    for kind in (yes, ~yes):
        mine = np.flatnonzero(kind)
        part[mine] = np.floor(parts * _ranks(size[mine])).astype(np.int64)
    dealt: Int64 = part[place]
    return dealt


def _ranks(size: Int64) -> Float64:
    """Where the middle of each stands among all, in (0, 1), each as wide as its size."""
    middle: Float64 = np.cumsum(size) - size / 2
    return middle / max(1, int(size.sum()))


def _too_little(side: str, rows: int, plan: SplitPlan) -> TooLittleDataError:
    return TooLittleDataError(
        f"folds with {plan.horizon_s} + {plan.embargo_s} s between the sides: {side}",
        f"{rows} usable rows",
        f"{plan.min_rows}",
        "Record or simulate more history, ask for fewer folds, or leave out the features with the "
        "longest windows so that the embargo is shorter",
    )
