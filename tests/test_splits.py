from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from barograph import splits
from barograph.errors import BadInputError, TooLittleDataError

plans = st.builds(
    splits.Plan,
    folds=st.integers(1, 6),
    horizon_s=st.integers(1, 60),
    embargo_s=st.integers(0, 100),
    first_share=st.floats(0.2, 0.8),
    validation_share=st.sampled_from([0.0, 0.15, 0.3]),
    calibration_share=st.sampled_from([0.0, 0.15, 0.3]),
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
    return draw(st.randoms(use_true_random=False)).sample(pooled.tolist(), len(pooled))


def walk(second, plan):
    try:
        return splits.walk_forward(second, plan)
    except TooLittleDataError:
        return assume(False)  # noqa: FBT003


def assert_apart(earlier, later, plan):
    """No pair of rows breaks t - embargo > s + horizon: the worst pair does not."""
    if len(earlier) and len(later):
        assert later.min() - plan.embargo_s > earlier.max() + plan.horizon_s


@settings(deadline=None)
@given(pooled_seconds(), plans)
def test_every_pair_of_sides_keeps_the_inequality_and_the_future_stays_out(second, plan):
    second = np.array(second)
    for fold in walk(second, plan):
        sides = [second[s] for s in (fold.train, fold.validation, fold.calibration, fold.test)]
        for earlier, later in combinations(sides, 2):
            assert_apart(earlier, later, plan)


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


@settings(deadline=None)
@given(pooled_seconds(), plans)
def test_what_a_fold_is_fitted_on_expands_and_no_row_is_on_two_sides(second, plan):
    second = np.array(second)
    ends = []
    for fold in walk(second, plan):
        fitted = np.concatenate([fold.train, fold.validation, fold.calibration])
        rows = np.concatenate([fitted, fold.test])
        assert len(np.unique(rows)) == len(rows)
        ends.append(second[fitted].max())
    assert ends == sorted(ends)


@settings(deadline=None)
@given(pooled_seconds(), plans, st.integers(1, 10_000))
def test_what_comes_after_a_cut_changes_nothing_of_what_is_fitted_before_it(second, plan, later):
    second = np.array(second)
    fold = walk(second, plan)[0]
    start = second[fold.test].min()
    past = np.flatnonzero(second < start)
    moved = second.copy()
    moved[second > start] += later
    again = splits.walk_forward(moved, plan)[0]
    assert set(again.train) == set(fold.train) <= set(past)


def test_folds_hold_equal_numbers_of_rows_whatever_the_holes():
    second = np.concatenate([np.arange(5_000), np.arange(50_000, 55_000)])
    folds = splits.walk_forward(second, splits.Plan(folds=4, embargo_s=300))
    assert [len(fold.test) for fold in folds] == [1500] * 4


def test_all_products_are_cut_at_the_same_times():
    second = np.tile(np.arange(10_000), 2)
    product = np.repeat([0, 1], 10_000)
    for fold in splits.walk_forward(second, splits.Plan()):
        for side in (fold.train, fold.validation, fold.calibration, fold.test):
            both = [set(second[side[product[side] == p]]) for p in (0, 1)]
            assert both[0] == both[1]


def test_too_short_a_recording_is_refused_with_the_cure():
    with pytest.raises(TooLittleDataError, match="fewer folds"):
        splits.walk_forward(np.arange(3_000), splits.Plan())
    with pytest.raises(TooLittleDataError, match="a test"):
        splits.walk_forward(np.array([], dtype=np.int64), splits.Plan())


@pytest.mark.parametrize(
    "wrong",
    [{"folds": 0}, {"embargo_s": -1}, {"validation_share": 0.6, "calibration_share": 0.4}],
)
def test_a_plan_that_cannot_be_meant_is_refused(wrong):
    with pytest.raises(BadInputError, match="split plan"):
        splits.Plan(**wrong)


@settings(deadline=None)
@given(pooled_seconds(), st.integers(1, 20))
def test_sessions_end_at_holes_and_only_there(second, hole_s):
    second = np.array(second)
    session = splits.sessions(second, hole_s=hole_s)
    order = np.argsort(second, kind="stable")
    holes = np.diff(second[order]) > hole_s
    assert session.min() == 0
    np.testing.assert_array_equal(np.diff(session[order]), holes.astype(np.int64))


@settings(deadline=None)
@given(pooled_seconds(), plans)
def test_a_session_left_out_is_apart_from_the_sessions_on_both_sides(second, plan):
    second = np.array(second)
    session = splits.sessions(second, hole_s=10)
    try:
        folds = splits.leave_session_out(second, session, plan)
    except TooLittleDataError:
        return
    assert len(folds) == session.max() + 1
    for number, fold in enumerate(folds):
        test = second[fold.test]
        assert set(fold.test) == set(np.flatnonzero(session == number))
        fit = second[np.concatenate([fold.train, fold.validation, fold.calibration])]
        assert_apart(fit[fit < test.min()], test, plan)
        assert_apart(test, fit[fit > test.max()], plan)


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


def four(fold):
    return [fold.train, fold.validation, fold.calibration, fold.test]


@settings(deadline=None)
@given(lots(), st.integers(2, 5))
def test_without_time_every_row_is_tested_once_and_stands_on_one_side_of_each_fold(drawn, folds):
    y, lot = drawn
    made = by_lot(y, lot, folds)
    assert len(made) == folds
    assert sorted(np.concatenate([fold.test for fold in made])) == list(range(len(y)))
    for fold in made:
        assert sorted(np.concatenate(four(fold))) == list(range(len(y)))
        assert all((np.diff(rows) > 0).all() for rows in four(fold))


@settings(deadline=None)
@given(lots(), st.integers(2, 5))
def test_without_time_rows_of_one_lot_are_never_parted(drawn, folds):
    y, lot = drawn
    for fold in by_lot(y, lot, folds):
        for one, other in combinations(four(fold), 2):
            assert not np.intersect1d(lot[one], lot[other]).size


@settings(deadline=None)
@given(lots(), st.integers(2, 5))
def test_without_time_every_side_has_its_share_of_yes_to_within_a_row(drawn, folds):
    y, _ = drawn
    lot = np.random.default_rng(1).permutation(len(y))
    for fold in by_lot(y, lot, folds):
        for answer in (0.0, 1.0):
            count = [(y[rows] == answer).sum() for rows in four(fold)]
            assert abs(count[3] - sum(count) / folds) <= 1
            for here, share in zip(count, (0.8, 0.15, 0.05), strict=False):
                assert abs(here - share * sum(count[:3])) <= 1


@settings(deadline=None)
@given(lots(), st.integers(2, 5), st.randoms(use_true_random=False))
def test_without_time_the_order_of_a_file_means_nothing(drawn, folds, chance):
    y, lot = drawn
    lot = np.unique(lot, return_inverse=True)[1] * 7
    order = np.array(chance.sample(range(len(y)), len(y)))
    for fold, other in zip(by_lot(y, lot, folds), by_lot(y[order], lot[order], folds), strict=True):
        for one, two in zip(four(fold), four(other), strict=True):
            assert set(lot[one]) == set(lot[order][two])


def test_without_time_no_fold_is_fitted_on_what_a_later_record_may_test_as_its_last():
    """Above the highest lot that the last fold was fitted on, nothing was ever fitted on."""
    rng = np.random.default_rng(4)
    y, lot = (rng.random(2000) < 0.3).astype(float), rng.integers(0, 2**53, 2000)
    last = splits.stratified(y, lot, 4)[-1]
    fitted = np.concatenate([last.train, last.validation, last.calibration])
    above = lot > lot[fitted].max()
    assert set(np.flatnonzero(above)) <= set(last.test)
    assert above.sum() > 0.9 * len(last.test)


@pytest.mark.parametrize("yes", [0, 1, 60])
def test_without_time_sides_of_one_kind_are_too_little(yes):
    y = np.zeros(60)
    y[:yes] = 1.0
    with pytest.raises(TooLittleDataError, match="folds without time"):
        splits.stratified(y, np.arange(60), 3)
