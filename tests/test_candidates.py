import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.candidates import (
    VOL_FLOOR,
    Boosting,
    Candidate,
    Examples,
    Slices,
    Stages,
    _platt,
    gradient_boosting,
    har_logistic,
    lightgbm,
    logistic,
    persistence,
)
from barograph.encoding import Encoding
from barograph.errors import BadInputError, TooLittleDataError

VOLS = ("realized_vol_10s", "realized_vol_60s", "realized_vol_300s")
FEATURES = (*VOLS, "spread_bps", "hour_sin", "quiet_share_60s")
STAGED = gradient_boosting(FEATURES, Stages(rounds=60, least_rows_in_leaf=120))
TREES = lightgbm(FEATURES, Boosting(rounds=60))
CANDIDATES = [persistence(), har_logistic(VOLS), logistic(FEATURES), STAGED, TREES]


def examples(seed: int, rows: int = 3000, informative: bool = True) -> Examples:
    rng = np.random.default_rng(seed)
    x = rng.lognormal(-10, 1, (rows, len(FEATURES))).astype(np.float32)
    noise = rng.lognormal(0, 0.7, rows)
    signal = x[:, 1] * noise if informative else noise
    return Examples(x, signal > np.quantile(signal, 0.9))


def columns(part: Examples, candidate: Candidate) -> Examples:
    places = [FEATURES.index(name) for name in candidate.features]
    return Examples(np.ascontiguousarray(part.x[:, places]), part.y)


def slices(candidate: Candidate, *, informative: bool = True) -> Slices:
    return Slices(*(columns(examples(i, informative=informative), candidate) for i in range(3)))


@pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda c: c.name)
def test_the_same_slices_and_seed_give_the_same_bits(candidate):
    fold = slices(candidate)
    x = columns(examples(9), candidate).x

    first, second = (candidate.fit(fold, seed=7).predict(x).tobytes() for _ in range(2))

    assert first == second


def test_the_number_of_threads_changes_no_bit():
    fold, x = slices(TREES), examples(9).x
    one, two = (
        lightgbm(FEATURES, Boosting(rounds=60, threads=threads)).fit(fold, seed=7).predict(x)
        for threads in (1, 2)
    )
    assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda c: c.name)
def test_a_candidate_learns_what_is_there(candidate):
    part = columns(examples(9), candidate)
    probability = candidate.fit(slices(candidate), seed=7).predict(part.x)

    assert probability[part.y].mean() > 2 * probability[~part.y].mean()
    assert abs(probability.mean() - part.y.mean()) < 0.02


@pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda c: c.name)
def test_where_nothing_can_be_learned_all_probabilities_stay_near_the_base_rate(candidate):
    x = columns(examples(9), candidate).x
    probability = candidate.fit(slices(candidate, informative=False), seed=7).predict(x)

    assert np.abs(probability - 0.1).max() < 0.1


@given(seed=st.integers(0, 2**16), informative=st.booleans())
@settings(max_examples=25, deadline=None)
def test_persistence_ranks_as_the_volatility_does(seed, informative):
    candidate = persistence()
    rng = np.random.default_rng(seed)
    vol = np.sort(rng.lognormal(-10, 1.5, 500).astype(np.float32))
    part = columns(examples(seed, rows=500, informative=informative), candidate)

    probability = candidate.fit(Slices(part, part, part), seed=0).predict(vol[:, None])

    seen = vol > VOL_FLOOR
    assert (np.diff(probability[seen])[np.diff(vol[seen]) > 0] > 0).all()


def test_a_minute_without_a_move_has_a_probability():
    for candidate in (persistence(), har_logistic(VOLS)):
        still = np.zeros((1, len(candidate.features)), np.float32)
        (probability,) = candidate.fit(slices(candidate), seed=0).predict(still)
        assert 0 < probability < 0.1


def test_a_feature_that_was_constant_in_training_has_no_weight():
    candidate = logistic(FEATURES)
    fold = slices(candidate)
    for part in (fold.train, fold.validation, fold.calibration):
        part.x[:, 3] = 0.1
    fitted = candidate.fit(fold, seed=0)

    moved = fold.train.x.copy()
    moved[:, 3] = 1e30

    assert fitted.predict(moved).tobytes() == fitted.predict(fold.train.x).tobytes()


@pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda c: c.name)
def test_a_slice_of_one_kind_only_is_too_little_data(candidate):
    fold = slices(candidate)
    calm = Examples(fold.train.x, np.zeros(len(fold.train.x), np.bool_))

    with pytest.raises(TooLittleDataError, match="0 yes in 3000 rows"):
        candidate.fit(Slices(calm, fold.validation, fold.calibration), seed=0)


def test_trees_need_both_kinds_in_every_slice_that_they_learn_from():
    fold = slices(TREES)
    calm = Examples(fold.train.x, np.zeros(len(fold.train.x), np.bool_))
    for trees, name in ((TREES, "validation"), (TREES, "calibration"), (STAGED, "calibration")):
        parts = {"train": fold.train, "validation": fold.validation, "calibration": fold.train}
        with pytest.raises(TooLittleDataError, match=name):
            trees.fit(Slices(**(parts | {name: calm})), seed=0)


def test_a_category_is_learned_whatever_number_it_has():
    rng = np.random.default_rng(8)
    x = np.stack([rng.integers(0, 4, 3000), rng.normal(0, 1, 3000)], axis=1).astype(np.float32)
    y = rng.random(3000) < np.where(np.isin(x[:, 0], (1, 3)), 0.9, 0.1)
    part, encoding = Examples(x, y), Encoding.of([4, 0])
    whole = Slices(part, part, part)
    for make in (logistic, gradient_boosting, lightgbm):
        told = make(("kind", "size"), repeats=1, encoding=encoding).fit(whole, seed=0).predict(x)
        assert np.abs(told - np.where(np.isin(x[:, 0], (1, 3)), 0.9, 0.1)).mean() < 0.05
    linear = logistic(("kind", "size"), repeats=1).fit(whole, seed=0).predict(x)
    assert np.abs(linear - 0.5).max() < 0.4


def test_few_rows_leave_what_trees_say_nearly_as_it_is_and_many_set_it_right():
    rng = np.random.default_rng(2)
    raw = rng.normal(-2, 1.5, 20_000)
    truth = rng.random(20_000) < 1 / (1 + np.exp(-(0.6 * raw - 0.8)))

    slope, bias = _platt(raw[:20], truth[:20], repeats=1)
    assert abs(slope - 1) < 0.1
    assert abs(bias) < 0.2
    slope, bias = _platt(raw, truth, repeats=1)
    assert abs(slope - 0.6) < 0.05
    assert abs(bias + 0.8) < 0.1


@given(
    raw=st.lists(st.floats(-40, 40), min_size=2, max_size=30),
    turned=st.integers(0, 2**30),
    repeats=st.sampled_from([1, 60]),
)
def test_a_calibration_keeps_the_order_and_costs_no_more_than_none(raw, turned, repeats):
    raw = np.array(raw)
    y = np.array([bool(turned >> place & 1) for place in range(len(raw))])
    slope, bias = _platt(raw, y, repeats)

    def loss(z):
        return np.logaddexp(0.0, np.where(y, -z, z)).sum()

    assert slope > 0
    if slope > 1e-3:  # else it was kept from turning the order round
        assert loss(slope * raw + bias) <= loss(raw) + 1e-9


def test_rows_with_other_columns_are_refused():
    with pytest.raises(BadInputError, match="6 columns, the model uses 1"):
        persistence().fit(slices(TREES), seed=0)


@pytest.mark.parametrize(
    ("x", "y", "why"),
    [
        (np.zeros((2, 1)), np.zeros(2, np.bool_), "float64"),
        (np.zeros((2, 1), np.float32), np.zeros(2), "labels are float64"),
        (np.zeros((2, 1), np.float32), np.zeros(3, np.bool_), r"not bool \(2,\)"),
        (np.zeros((4, 4), np.float32)[:, ::2], np.zeros(4, np.bool_), "C-contiguous"),
        (np.array([[np.nan]], np.float32), np.zeros(1, np.bool_), "NaN or infinite"),
        (np.array([[np.inf]], np.float32), np.zeros(1, np.bool_), "NaN or infinite"),
    ],
)
def test_unfit_rows_never_enter_training(x, y, why):
    with pytest.raises(BadInputError, match=why):
        Examples(x, y)
