"""Splits: walk-forward and leave-one-session-out with purge and embargo, and stratified.

In time splits, every row s of one side and every later row t of another satisfy

    t - embargo_s > s + horizon_s

The label of s covers seconds up to s + horizon_s, a feature of t seconds back to t - embargo_s
(with
`embargo_s` the longest window: its oldest return starts at that second's mid), so no second is used
by both sides. Sides are train and test rows and, within the train rows, each held-out part and the
rows fitted on instead.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from barograph.arrays import Bool, Float64, Int64
from barograph.errors import BadInputError, TooLittleDataError

Rows = Int64
"""Indices of rows, increasing."""


FIRST_SHARE = 0.4
"""Share of all rows before the first test of a walk-forward, where none other is given."""


class SplitPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How history is cut into folds.

    `first_share` of all rows comes before the first test (rows, not time, because recordings have
    long holes); the rest are `folds` tests of equal size. The train rows of a fold are held out in
    `inner` parts in turn. `embargo_s` is the longest window of the used features; `min_rows` the
    fewest rows of a side.
    """

    folds: int = 5
    inner: int = 4
    horizon_s: int = 60
    embargo_s: int = 900
    first_share: float = FIRST_SHARE
    min_rows: int = 300

    def __post_init__(self) -> None:
        """Raise BadInputError for invalid values."""
        if min(self.folds, self.horizon_s, self.min_rows) < 1 or self.inner < 2:
            raise BadInputError(
                "split plan",
                "folds, horizon_s and min_rows must be at least 1 and inner at least 2",
                "Correct them",
            )
        if self.embargo_s < 0 or not 0 < self.first_share < 1:
            raise BadInputError(
                "split plan",
                f"embargo_s is {self.embargo_s} and first_share {self.first_share}",
                "Choose 0 or more, and a share between 0 and 1",
            )

    @property
    def distance_s(self) -> int:
        """Smallest t - s between a row s of one side and a later row t of another."""
        return self.horizon_s + self.embargo_s + 1


class Fold(msgspec.Struct, frozen=True, kw_only=True):
    """One fold, as increasing indices into the rows that were split.

    Parts of `train` are held out in turn: `inner` has (rows to fit on, held-out rows) of each part.
    Predictions for the held-out rows serve to calibrate and choose a model.
    """

    train: Rows
    test: Rows
    inner: tuple[tuple[Rows, Rows], ...]

    @property
    def held_out(self) -> Rows:
        """The held-out rows of all parts, concatenated."""
        return np.concatenate([held for _, held in self.inner])


def sessions(second: Int64, *, hole_s: int) -> Int64:
    """(n,) int64 session number of each row, from 0 in time order.

    Within a session, consecutive seconds are at most `hole_s` apart. Rows may be pooled over
    products and in any order; rows of one second are of one session.
    """
    order = np.argsort(second, kind="stable")
    number = np.concatenate(([0], np.cumsum(np.diff(second[order]) > hole_s)))[: len(second)]
    session = np.empty(len(second), dtype=np.int64)
    session[order] = number
    return session


def walk_forward(second: Int64, plan: SplitPlan, history: Bool | None = None) -> list[Fold]:
    """Expanding folds in time order, each trained only on rows before its test.

    second: (n,) int64 seconds of the usable rows (label and features known), pooled over products
    and
    in any order: all products are cut at the same times. Tests are adjacent, do not overlap and end
    with the last row; the purge is taken from the earlier side. `plan.inner` stretches of equal row
    counts are held out in turn. history: (n,) mask of rows, all older than the others, that are
    only fitted on: tests and held-out stretches are cut of the others, as is `plan.first_share`.
    Raises TooLittleDataError if a side of a fold has fewer than `plan.min_rows` rows.
    """
    if history is None:
        return [
            Fold(train=train, test=test, inner=_stretches(second, train, plan))
            for train, test in forward_sides(second, plan)
        ]
    complete = np.flatnonzero(~history)
    folds = []
    for of_train, of_test in forward_sides(second[complete], plan):
        test = complete[of_test]
        train = np.flatnonzero(second <= second[test].min() - plan.distance_s)
        part = np.full(len(train), -1)  # no row of the history is held out
        part[~history[train]] = _parts(second[complete[of_train]], plan)
        folds.append(Fold(train=train, test=test, inner=_in_turn(second, train, part, plan)))
    return folds


def forward_sides(second: Int64, plan: SplitPlan) -> list[tuple[Rows, Rows]]:
    """(train rows, test rows) of each fold of `walk_forward`. Raises as it does."""
    clock = np.sort(second)
    first = round(plan.first_share * len(clock))
    edges = np.linspace(first, len(clock), plan.folds + 1).round().astype(np.int64)
    if len(clock) == 0 or edges[1] - edges[0] < 1:
        raise _too_little("a test", len(clock), plan)
    # All rows of a cut's second, of every product, belong to its later side.
    starts = clock[edges[:-1]]
    stops = np.append(starts[1:], clock[-1] + 1)
    sides = []
    for start, stop in zip(starts, stops, strict=True):
        test = np.flatnonzero((second >= start) & (second < stop))
        if len(test) < plan.min_rows:
            raise _too_little("a test", len(test), plan)
        train = np.flatnonzero(second <= start - plan.distance_s)
        if len(train) < plan.min_rows:
            raise _too_little("train", len(train), plan)
        sides.append((train, test))
    return sides


def as_given(second: Int64, sides: Sequence[tuple[Rows, Rows]], plan: SplitPlan) -> list[Fold]:
    """Folds of (train, test) rows that another splitter cut, purged to the distance of the plan.

    Train rows that are nearer to a test row are left out, before and after it. `plan.inner`
    stretches of equal row counts are held out in turn; `plan.folds` and `first_share` are not used.
    Raises BadInputError where a row is tested twice, TooLittleDataError if a side of a fold has
    fewer than `plan.min_rows` rows.
    """
    tests = np.concatenate([test for _, test in sides]) if sides else np.empty(0, np.int64)
    if len(np.unique(tests)) != len(tests):
        raise BadInputError(
            "the splitter", "it tests a row twice", "Use one whose tests do not overlap"
        )
    folds = []
    for given, test in sides:
        away = _far_from(second[given], np.sort(second[test]), plan.distance_s)
        train, test = np.sort(given[away]), np.sort(test)  # noqa: PLW2901 - the same rows
        for side, rows in (("a test", test), ("train", train)):
            if len(rows) < plan.min_rows:
                raise _too_little(side, len(rows), plan)
        folds.append(Fold(train=train, test=test, inner=_stretches(second, train, plan)))
    if not folds:
        raise _too_little("a test", 0, plan)
    return folds


def _far_from(second: Int64, tested: Int64, distance_s: int) -> Bool:
    """(n,) mask of the seconds at least so far from all tested ones, which are sorted."""
    if not len(tested):
        return np.ones(len(second), np.bool_)
    after = np.searchsorted(tested, second)
    next_s = tested[np.minimum(after, len(tested) - 1)]
    last_s = tested[np.maximum(after - 1, 0)]
    far: Bool = (np.abs(next_s - second) >= distance_s) & (np.abs(second - last_s) >= distance_s)
    return far


def leave_session_out(second: Int64, session: Int64, plan: SplitPlan) -> list[Fold]:
    """One fold per session of at least `plan.min_rows` rows, in time order, trained on the others.

    Later sessions are trained on too, so this tests whether a model transfers between regimes, not
    how it would have performed in time. Within a fold the other sessions are held out in turn, so
    choice and calibration measure transfer too. `plan.folds`, `inner` and `first_share` are not
    used. Raises TooLittleDataError for fewer than three such sessions, and if the train rows are
    fewer than `plan.min_rows`.
    """
    tested = _tested(session, plan)
    folds = []
    for train, test in session_sides(second, session, plan):
        # Sessions too short to be tested are not held out either.
        part = np.where(np.isin(session[train], tested), session[train], -1)
        folds.append(Fold(train=train, test=test, inner=_in_turn(second, train, part, plan)))
    return folds


def session_sides(second: Int64, session: Int64, plan: SplitPlan) -> list[tuple[Rows, Rows]]:
    """(train rows, test rows) of each fold of `leave_session_out`. Raises as it does."""
    sides = []
    for number in _tested(session, plan):
        test = np.flatnonzero(session == number)
        train = _away_from(second, np.flatnonzero(session != number), test, plan)
        if len(train) < plan.min_rows:
            raise _too_little("train", len(train), plan)
        sides.append((train, test))
    return sides


def _tested(session: Int64, plan: SplitPlan) -> Int64:
    """The sessions that have enough rows. Raises TooLittleDataError for fewer than three."""
    numbers, rows = np.unique(session, return_counts=True)
    tested: Int64 = numbers[rows >= plan.min_rows]
    if len(tested) < 3:
        raise TooLittleDataError(
            "leave-session-out",
            f"{len(tested)} sessions of {plan.min_rows} usable rows or more",
            "3",
            "Record more sessions, or walk forward (`--split walk-forward`)",
        )
    return tested


def _stretches(second: Int64, train: Rows, plan: SplitPlan) -> tuple[tuple[Rows, Rows], ...]:
    """`plan.inner` stretches of the train rows, of equal row counts, held out in turn."""
    return _in_turn(second, train, _parts(second[train], plan), plan)


def _parts(second: Int64, plan: SplitPlan) -> Int64:
    """(n,) number of the one of `plan.inner` stretches of equal row counts that each is in."""
    past = np.sort(second)
    cuts = past[np.linspace(0, len(past), plan.inner + 1).astype(np.int64)[1:-1]]
    return np.searchsorted(cuts, second, side="right")


def _in_turn(
    second: Int64, rows: Rows, part: Int64, plan: SplitPlan
) -> tuple[tuple[Rows, Rows], ...]:
    """(rows to fit on, held-out rows) of each part ≥ 0, which share no second."""
    inner = []
    for number in np.unique(part[part >= 0]):
        held = rows[part == number]
        rest = _away_from(second, rows[part != number], held, plan)
        if len(rest) < plan.min_rows:
            raise _too_little("the rows beside a held-out part", len(rest), plan)
        inner.append((rest, held))
    if not inner:
        raise _too_little("a part to hold out", 0, plan)
    return tuple(inner)


def _away_from(second: Int64, rows: Rows, held: Rows, plan: SplitPlan) -> Rows:
    """The subset of `rows` that shares no second with `held`, a contiguous stretch."""
    first, last = second[held].min(), second[held].max()
    before = second[rows] <= first - plan.distance_s
    away: Rows = rows[before | (second[rows] >= last + plan.distance_s)]
    return away


def stratified(y: Float64, lot: Int64, folds: int, *, inner: int = 4) -> list[Fold]:
    """Folds of rows without time: each row is tested once, and rows of one lot stay together.

    y: (n,) 1.0 positive, 0.0 negative. lot: (n,) a random number per row, equal for related rows.
    Positives and negatives are cut separately by lot, so that each side has its share of both to
    within one lot (a lot with a positive row counts as positive). Tests are in the order of lots:
    the last has the highest. The train rows are cut alike into `inner` parts that are held out in
    turn.
    Raises TooLittleDataError if a side has only positives or only negatives.
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
                    f"{int((y[rows] == 1.0).sum())} positives in {len(rows)} rows",
                    "positives and negatives",
                    "Give more records, or ask for fewer folds",
                )
    return made


def _dealt(y: Float64, lot: Int64, parts: int) -> Int64:
    """(n,) part of each row, from 0 to `parts` − 1, by its lot."""
    lots, place, size = np.unique(lot, return_inverse=True, return_counts=True)
    yes = np.zeros(len(lots), np.bool_)
    np.logical_or.at(yes, place, y == 1.0)
    part: Int64 = np.empty(len(lots), np.int64)
    for kind in (yes, ~yes):
        of_kind = np.flatnonzero(kind)
        part[of_kind] = np.floor(parts * _ranks(size[of_kind])).astype(np.int64)
    dealt: Int64 = part[place]
    return dealt


def _ranks(size: Int64) -> Float64:
    """Midpoint of each lot in (0, 1), with widths proportional to `size`."""
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
