from itertools import combinations, pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from barograph.errors import BadInputError, TooLittleDataError
from barograph.evaluation import splits

plans = st.builds(
    splits.SplitPlan,
    folds=st.integers(1, 6),
    horizon_s=st.integers(1, 60),
    embargo_s=st.integers(0, 100),
    inner=st.integers(2, 5),
    first_share=st.floats(0.2, 0.8),
    min_rows=st.just(1),
)


@st.composite
def pooled_seconds(draw):
    """Rows of one or two products with holes of any length, in any order."""
    steps = draw(
        arrays(np.int64, st.integers(20, 400), elements=st.sampled_from([1, 1, 1, 2, 900]))
    )
    clock = np.cumsum(steps)
    pooled = np.concatenate([clock, clock[draw(st.integers(0, len(clock))) :]])
    return draw(st.randoms(use_true_random=True)).sample(pooled.tolist(), len(pooled))


def walk(second, plan):
    try:
        return splits.walk_forward(second, plan)
    except TooLittleDataError:
        return assume(False)  # noqa: FBT003


def assert_apart(earlier, later, plan):
    """No pair of rows breaks t - embargo > s + horizon: the worst pair does not."""
    if len(earlier) and len(later):
        assert later.min() - plan.embargo_s > earlier.max() + plan.horizon_s


def assert_apart_on_both_sides(second, rest, held, plan):
    """What is held out follows each other, and no second of it is seen by the rest."""
    rest, held = second[rest], second[held]
    assert_apart(rest[rest < held.min()], held, plan)
    assert_apart(held, rest[rest > held.max()], plan)
    assert not ((rest >= held.min()) & (rest <= held.max())).any()


def assert_inner_parts_are_sound(second, fold, plan):
    for rest, held in fold.inner:
        assert len(rest)
        assert len(held)
        assert {*rest, *held} <= set(fold.train)
        assert_apart_on_both_sides(second, rest, held, plan)
    assert len(np.unique(fold.held_out)) == len(fold.held_out)


@pytest.mark.slow
@settings(deadline=None)
@given(pooled_seconds(), plans)
def test_a_test_keeps_its_distance_from_all_that_is_fitted_on_and_the_future_stays_out(
    second, plan
):
    second = np.array(second)
    for fold in walk(second, plan):
        assert_apart(second[fold.train], second[fold.test], plan)


@pytest.mark.slow
@settings(deadline=None)
@given(pooled_seconds(), plans)
def test_a_part_that_is_held_out_keeps_its_distance_from_what_is_fitted_on_instead(second, plan):
    second = np.array(second)
    for fold in walk(second, plan):
        assert_inner_parts_are_sound(second, fold, plan)
        assert sorted(fold.held_out) == fold.train.tolist()
        parts = [second[held] for _, held in fold.inner]
        assert all(earlier.max() < later.min() for earlier, later in pairwise(parts))


def test_the_parts_that_are_held_out_are_of_equal_size():
    folds = splits.walk_forward(
        np.arange(20_000), splits.SplitPlan(folds=3, inner=5, embargo_s=300)
    )
    for fold in folds:
        sizes = [len(held) for _, held in fold.inner]
        assert len(sizes) == 5
        assert max(sizes) - min(sizes) <= 1


@pytest.mark.slow
@settings(deadline=None)
@given(pooled_seconds(), plans)
def test_tests_cover_everything_after_the_first_cut_once_and_in_time_order(second, plan):
    second = np.array(second)
    folds = walk(second, plan)
    covered = np.concatenate([fold.test for fold in folds])
    assert len(folds) == plan.folds
    assert len(np.unique(covered)) == len(covered)
    assert set(covered) == set(np.flatnonzero(second >= second[covered].min()))
    for earlier, later in pairwise(folds):
        assert second[earlier.test].max() < second[later.test].min()


@pytest.mark.slow
@settings(deadline=None)
@given(pooled_seconds(), plans)
def test_what_a_fold_is_fitted_on_expands_and_no_row_is_on_two_sides(second, plan):
    second = np.array(second)
    ends = []
    for fold in walk(second, plan):
        rows = np.concatenate([fold.train, fold.test])
        assert len(np.unique(rows)) == len(rows)
        ends.append(second[fold.train].max())
    assert ends == sorted(ends)


@pytest.mark.slow
@settings(deadline=None)
@given(pooled_seconds(), plans, st.integers(1, 10_000))
def test_what_comes_after_a_cut_changes_nothing_of_what_is_fitted_before_it(second, plan, later):
    second = np.array(second)
    fold = walk(second, plan)[0]
    start = second[fold.test].min()
    past = np.flatnonzero(second < start)
    moved = second.copy()
    moved[second > start] += later
    again = walk(moved, plan)[0]
    assert set(again.train) == set(fold.train) <= set(past)
    for one, other in zip(again.inner, fold.inner, strict=True):
        assert [side.tolist() for side in one] == [side.tolist() for side in other]


def test_folds_hold_equal_numbers_of_rows_whatever_the_holes():
    second = np.concatenate([np.arange(5_000), np.arange(50_000, 55_000)])
    folds = splits.walk_forward(second, splits.SplitPlan(folds=4, embargo_s=300))
    assert [len(fold.test) for fold in folds] == [1500] * 4


def test_all_products_are_cut_at_the_same_times():
    second = np.tile(np.arange(10_000), 2)
    product = np.repeat([0, 1], 10_000)
    for fold in splits.walk_forward(second, splits.SplitPlan()):
        for side in (fold.train, fold.test, *(rows for pair in fold.inner for rows in pair)):
            both = [set(second[side[product[side] == p]]) for p in (0, 1)]
            assert both[0] == both[1]


def test_too_short_a_recording_is_refused_with_the_cure():
    with pytest.raises(TooLittleDataError, match="fewer folds"):
        splits.walk_forward(np.arange(3_000), splits.SplitPlan())
    with pytest.raises(TooLittleDataError, match="a test"):
        splits.walk_forward(np.array([], dtype=np.int64), splits.SplitPlan())


@pytest.mark.parametrize(
    "wrong",
    [{"folds": 0}, {"embargo_s": -1}, {"first_share": 1.0}, {"inner": 1}, {"min_rows": 0}],
)
def test_a_plan_that_cannot_be_meant_is_refused(wrong):
    with pytest.raises(BadInputError, match="split plan"):
        splits.SplitPlan(**wrong)


@pytest.mark.slow
@settings(deadline=None)
@given(pooled_seconds(), st.integers(1, 20))
def test_sessions_end_at_holes_and_only_there(second, hole_s):
    second = np.array(second)
    session = splits.sessions(second, hole_s=hole_s)
    order = np.argsort(second, kind="stable")
    holes = np.diff(second[order]) > hole_s
    assert session.min() == 0
    np.testing.assert_array_equal(np.diff(session[order]), holes.astype(np.int64))  # exact: counts


@st.composite
def several_sessions(draw):
    """Seconds in sessions of some rows each, nearer to each other than a plan's distance or not."""
    rows = draw(st.lists(st.integers(1, 60), min_size=3, max_size=6))
    holes = draw(st.lists(st.integers(11, 400), min_size=len(rows), max_size=len(rows)))
    starts = np.cumsum(np.array(rows) + holes)
    clock = np.concatenate([start + np.arange(n) for start, n in zip(starts, rows, strict=True)])
    pooled = np.concatenate([clock, clock[draw(st.integers(0, len(clock))) :]])
    return np.array(draw(st.randoms(use_true_random=True)).sample(pooled.tolist(), len(pooled)))


@pytest.mark.slow
@settings(deadline=None)
@given(several_sessions(), plans, st.sampled_from([1, 10, 30]))
def test_a_session_left_out_is_apart_from_the_sessions_on_both_sides(second, plan, min_rows):
    plan = msgspec.structs.replace(plan, min_rows=min_rows)
    session = splits.sessions(second, hole_s=10)
    try:
        folds = splits.leave_session_out(second, session, plan)
    except TooLittleDataError:
        return
    long_enough = np.flatnonzero(np.bincount(session) >= min_rows)
    assert len(folds) == len(long_enough) >= 3
    for number, fold in zip(long_enough, folds, strict=True):
        assert set(fold.test) == set(np.flatnonzero(session == number))
        assert_apart_on_both_sides(second, fold.train, fold.test, plan)


@pytest.mark.slow
@settings(deadline=None)
@given(several_sessions(), plans, st.sampled_from([1, 10, 30]))
def test_inside_a_fold_the_other_sessions_are_held_out_in_turn_and_apart(second, plan, min_rows):
    plan = msgspec.structs.replace(plan, min_rows=min_rows)
    session = splits.sessions(second, hole_s=10)
    try:
        folds = splits.leave_session_out(second, session, plan)
    except TooLittleDataError:
        return
    for fold in folds:
        assert_inner_parts_are_sound(second, fold, plan)
        assert all(len(rest) >= min_rows for rest, _ in fold.inner)
        held = [np.unique(session[rows]).tolist() for _, rows in fold.inner]
        assert all(len(numbers) == 1 for numbers in held)
        assert len({numbers[0] for numbers in held}) == len(held)
        short = np.bincount(session) < min_rows
        assert not short[session[fold.held_out]].any()


def test_two_sessions_are_too_few_to_leave_one_out():
    second = np.concatenate([np.arange(1000), np.arange(1000) + 10**6])
    session = splits.sessions(second, hole_s=10)
    with pytest.raises(TooLittleDataError, match="2 sessions of 300 usable rows or more"):
        splits.leave_session_out(second, session, splits.SplitPlan())


def test_no_rows_have_no_sessions():
    assert len(splits.sessions(np.array([], dtype=np.int64), hole_s=5)) == 0


@st.composite
def lots(draw):
    """Answers and lots of rows without time; some lots have several rows, of either answer."""
    rows = draw(st.integers(40, 300))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    y = (rng.random(rows) < draw(st.sampled_from([0.1, 0.27, 0.5]))).astype(float)
    pool = draw(st.sampled_from([2**53, rows, rows // 3]))
    return y, rng.integers(0, pool, rows)


def by_lot(y, lot, folds):
    try:
        return splits.stratified(y, lot, folds)
    except TooLittleDataError:
        return assume(False)  # noqa: FBT003


def parts(fold):
    """The test and what is held out in turn: all rows of a fold without time, each once."""
    return [fold.test, *(held for _, held in fold.inner)]


@settings(deadline=None)
@given(lots(), st.integers(2, 5))
def test_without_time_every_row_is_tested_once_and_stands_on_one_side_of_each_fold(drawn, folds):
    y, lot = drawn
    made = by_lot(y, lot, folds)
    assert len(made) == folds
    assert sorted(np.concatenate([fold.test for fold in made])) == list(range(len(y)))
    for fold in made:
        assert sorted(np.concatenate(parts(fold))) == list(range(len(y)))
        assert sorted(np.concatenate([fold.train, fold.test])) == list(range(len(y)))
        for rest, held in fold.inner:
            assert sorted(np.concatenate([rest, held])) == fold.train.tolist()
        assert all((np.diff(rows) > 0).all() for rows in (fold.train, *parts(fold)))


@settings(deadline=None)
@given(lots(), st.integers(2, 5))
def test_without_time_rows_of_one_lot_are_never_parted(drawn, folds):
    y, lot = drawn
    for fold in by_lot(y, lot, folds):
        for one, other in combinations(parts(fold), 2):
            assert not np.intersect1d(lot[one], lot[other]).size


@settings(deadline=None)
@given(lots(), st.integers(2, 5))
def test_without_time_every_side_has_its_share_of_yes_to_within_a_row(drawn, folds):
    y, _ = drawn
    lot = np.random.default_rng(1).permutation(len(y))
    for fold in by_lot(y, lot, folds):
        for answer in (0.0, 1.0):
            tested, *held = [(y[rows] == answer).sum() for rows in parts(fold)]
            assert abs(tested - (tested + sum(held)) / folds) <= 1
            assert max(held) - min(held) <= 1


@settings(deadline=None)
@given(lots(), st.integers(2, 5), st.randoms(use_true_random=True))
def test_without_time_the_order_of_a_file_means_nothing(drawn, folds, chance):
    y, lot = drawn
    lot = np.unique(lot, return_inverse=True)[1] * 7
    order = np.array(chance.sample(range(len(y)), len(y)))
    for fold, other in zip(by_lot(y, lot, folds), by_lot(y[order], lot[order], folds), strict=True):
        for one, two in zip(parts(fold), parts(other), strict=True):
            assert set(lot[one]) == set(lot[order][two])


def test_without_time_no_fold_is_fitted_on_what_a_later_record_may_test_as_its_last():
    """Above the highest lot that the last fold was fitted on, nothing was ever fitted on."""
    rng = np.random.default_rng(4)
    y, lot = (rng.random(2000) < 0.3).astype(float), rng.integers(0, 2**53, 2000)
    last = splits.stratified(y, lot, 4)[-1]
    above = lot > lot[last.train].max()
    assert set(np.flatnonzero(above)) <= set(last.test)
    assert above.sum() > 0.9 * len(last.test)


@pytest.mark.parametrize("yes", [0, 1, 60])
def test_without_time_sides_of_one_kind_are_too_little(yes):
    y = np.zeros(60)
    y[:yes] = 1.0
    with pytest.raises(TooLittleDataError, match="folds without time"):
        splits.stratified(y, np.arange(60), 3)


@given(pooled_seconds(), plans, st.integers(1, 4), st.integers(0, 2**31))
def test_whatever_a_splitter_gives_no_second_is_seen_from_both_sides(seconds, plan, parts, seed):
    second = np.array(seconds)
    side = np.random.default_rng(seed).integers(0, parts + 1, len(second))
    if seed % 2:  # stretches of time rather than rows at random
        side = np.sort(side)[np.argsort(np.argsort(second, kind="stable"))]
    sides = [
        (np.flatnonzero(side != number), np.flatnonzero(side == number)) for number in range(parts)
    ]
    try:
        folds = splits.as_given(second, sides, plan)
    except TooLittleDataError:
        assume(False)  # noqa: FBT003
    for fold, (given_rows, test) in zip(folds, sides, strict=True):
        assert fold.test.tolist() == test.tolist()
        assert set(fold.train) <= set(given_rows)
        far = np.abs(second[fold.train][:, None] - second[fold.test]).min(axis=1)
        assert far.min() >= plan.distance_s
        near = np.setdiff1d(given_rows, fold.train)
        if len(near):
            assert np.abs(second[near][:, None] - second[test]).min(axis=1).max() < plan.distance_s
        for rest, held in fold.inner:
            assert np.abs(second[rest][:, None] - second[held]).min() >= plan.distance_s


def test_a_splitter_that_tests_a_row_twice_or_nothing_is_refused():
    second, rows = np.arange(2000), np.arange(2000)
    plan = splits.SplitPlan(horizon_s=10, embargo_s=10)
    with pytest.raises(BadInputError, match="tests a row twice"):
        splits.as_given(second, [(rows[:1000], rows[1200:]), (rows[:1000], rows[1500:])], plan)
    for sides in ([], [(rows[:1000], rows[:0])], [(rows[:0], rows[1000:])]):
        with pytest.raises(TooLittleDataError):
            splits.as_given(second, sides, plan)


@settings(deadline=None)
@given(pooled_seconds(), st.floats(0, 0.6), plans)
def test_a_history_is_only_fitted_on_and_keeps_its_distance(second, share, plan):
    second = np.array(second)
    history = second < np.quantile(second, share)
    try:
        folds = splits.walk_forward(second, plan, history)
    except TooLittleDataError:
        assume(False)  # noqa: FBT003
    complete = second[~history]
    for fold in folds:
        assert not history[fold.test].any()
        assert not history[fold.held_out].any()
        assert_apart(second[fold.train], second[fold.test], plan)
        assert_inner_parts_are_sound(second, fold, plan)
        for rest, held in fold.inner:
            assert_apart_on_both_sides(second, rest, held, plan)
        start = second[fold.test].min()
        before = np.flatnonzero(second <= start - plan.distance_s)
        assert fold.train.tolist() == before.tolist(), "all rows that are old enough"
    tested = np.concatenate([fold.test for fold in folds])
    assert len({*tested}) == len(tested)
    first = np.sort(complete)[round(plan.first_share * len(complete))]
    assert sorted(second[tested]) == sorted(complete[complete >= first])


@settings(deadline=None)
@given(pooled_seconds(), plans)
def test_without_a_row_of_history_the_folds_are_the_same(second, plan):
    second = np.array(second)
    for one, other in zip(
        walk(second, plan),
        splits.walk_forward(second, plan, np.zeros(len(second), np.bool_)),
        strict=True,
    ):
        assert one.train.tolist() == other.train.tolist()
        assert one.test.tolist() == other.test.tolist()
        for (rest, held), (same_rest, same_held) in zip(one.inner, other.inner, strict=True):
            assert (rest.tolist(), held.tolist()) == (same_rest.tolist(), same_held.tolist())
