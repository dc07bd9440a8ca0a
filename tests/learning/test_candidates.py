import os
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import BadInputError, TooLittleDataError
from barograph.learning.calibration import platt
from barograph.learning.candidates import (
    Boosting,
    Slices,
    gradient_boosting,
    lightgbm,
    logistic,
    persistence,
)
from barograph.learning.encoding import Encoding
from barograph.learning.examples import Examples
from barograph.learning.relative import VOL_FLOOR
from barograph.registry.model import TAU
from model_kinds import CLASSIFIERS, KINDS, REGRESSIONS, VOLS, each, examples, slices


@pytest.mark.slow
@pytest.mark.parametrize("kind", each())
def test_the_same_slices_and_seed_give_the_same_bits(kind):
    candidate = KINDS[kind]
    x = examples(candidate.features, 9).x

    first, second = (
        candidate.fit(slices(candidate), seed=7).predict(x).tobytes() for _ in range(2)
    )

    assert first == second  # exact: training repeats to the bit


@pytest.mark.slow
@pytest.mark.parametrize("kind", each(*(name for name in KINDS if KINDS[name].parameters)))
def test_the_number_of_threads_changes_no_bit(kind):
    candidate = KINDS[kind]
    x, fold = examples(candidate.features, 9).x, slices(candidate)
    one, two = (
        candidate.varied(Boosting(rounds=5, threads=threads)).fit(fold, seed=7).predict(x)
        for threads in (1, 2)
    )
    # exact: training repeats to the bit on any number of threads
    assert one.tobytes() == two.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("kind", each(*(name for name in KINDS if KINDS[name].parameters)))
def test_the_number_of_cores_changes_no_bit(kind, monkeypatch):
    candidate = KINDS[kind].varied(Boosting(rounds=5))
    fold = slices(candidate)
    proofs = []
    for cores in (1, 3):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        proofs.append(candidate.prove(fold, 7))
    one, three = proofs
    # exact: training repeats to the bit on any number of cores
    assert one.probability.tobytes() == three.probability.tobytes()
    x = fold.train.x
    for alone, beside in zip(one.parts, three.parts, strict=True):
        # exact: likewise, part by part
        assert alone.predict(x).tobytes() == beside.predict(x).tobytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", each(*(name for name in KINDS if name not in {"climatology", "mean"}))
)
def test_a_candidate_learns_what_is_there(kind):
    """Two of them learn nothing but a curve: of the hour, and of a mean that tells little here."""
    candidate = KINDS[kind]
    part = examples(candidate.features, 9)
    probability = candidate.fit(slices(candidate), seed=7).predict(part.x)

    assert probability[part.y].mean() > 2 * probability[~part.y].mean()
    assert abs(probability.mean() - part.y.mean()) < 0.03


@pytest.mark.slow
@pytest.mark.parametrize("kind", each())
def test_where_nothing_can_be_learned_all_probabilities_stay_near_the_base_rate(kind):
    candidate = KINDS[kind]
    part = examples(candidate.features, 9, informative=False)
    probability = candidate.fit(slices(candidate, informative=False), seed=7).predict(part.x)

    assert np.abs(probability - part.y.mean()).mean() < 0.06


@pytest.mark.parametrize("kind", each(*CLASSIFIERS))
def test_a_classifier_needs_rows_of_both_kinds_wherever_it_learns(kind):
    candidate = KINDS[kind]
    fold = slices(candidate)
    calm = Examples(fold.train.x, np.zeros(len(fold.train.x), np.bool_))
    ((one, other), _) = fold.inner

    for whole, rest in ((calm, one), (fold.train, calm)):
        with pytest.raises(TooLittleDataError, match="0 positives in 3000 rows"):
            candidate.fit(Slices(whole, ((rest, other),)), seed=0)


@pytest.mark.parametrize("kind", each(*REGRESSIONS))
def test_a_regression_learns_from_rows_of_one_kind(kind):
    candidate = KINDS[kind]
    fold = slices(candidate)
    sides = (fold.train, *(side for pair in fold.inner for side in pair))
    whole, one, other, *_ = (Examples(e.x, np.zeros_like(e.y), e.outcome) for e in sides)

    fitted = candidate.fit(Slices(whole, ((one, other),)), seed=0)

    assert np.isfinite(fitted.predict(fold.train.x)).all()


def test_what_was_held_out_is_predicted_by_models_that_did_not_learn_from_it():
    candidate = KINDS["har"]
    fold = slices(candidate)
    fitted, _, probability, _ = candidate.prove(fold, seed=0)
    raw = np.concatenate([candidate.grow(rest, 0).z(held.x) for rest, held in fold.inner])
    y = np.concatenate([held.y for _, held in fold.inner])

    # Sixty rows in a row tell one story.
    slope, bias = platt(raw, y, np.full(len(y), 1 / 60))
    assert (fitted.slope, fitted.bias) == pytest.approx((slope, bias), rel=1e-9)
    z = fitted.slope * raw + fitted.bias
    assert np.allclose(probability, 1 / (1 + np.exp(-z)), rtol=0, atol=1e-15)
    assert (fitted.name, fitted.features) == ("har", candidate.features)


@given(seed=st.integers(0, 2**16), informative=st.booleans(), tau=st.floats(1e-6, 1e-3))
def test_persistence_ranks_as_the_volatility_over_tau_does(seed, informative, tau):
    candidate = persistence()
    part = examples(candidate.features, seed, rows=500, informative=informative)
    fitted = candidate.fit(Slices(part, ((part, part),)), seed=0)
    vol = np.sort(np.random.default_rng(seed).lognormal(-10, 0.8, 500).astype(np.float32))
    x = np.column_stack([vol, np.full_like(vol, tau)])

    z = fitted.z(x)

    rising = (np.diff(vol) > 0) & (vol[:-1] > VOL_FLOOR) & (np.abs(z[1:]) < 29)
    assert (np.diff(z)[rising] > 0).all()
    assert np.allclose(fitted.z(x * np.float32(4)), z, rtol=0, atol=1e-9)
    assert fitted.volatility(x).tolist() == vol.tolist()  # exact: a feature, passed on


@pytest.mark.parametrize("kind", ["persistence", "har"])
def test_a_minute_without_a_move_has_a_probability(kind):
    candidate = KINDS[kind]
    still = np.zeros((1, len(candidate.features)), np.float32)
    still[0, candidate.features.index(TAU)] = 1e-4
    (probability,) = candidate.fit(slices(candidate), seed=0).predict(still)
    assert 0 < probability < 0.1


def test_the_hour_alone_tells_when_it_is_wild():
    candidate = KINDS["climatology"]
    hour = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    x = np.column_stack([np.sin(hour), np.cos(hour), np.full(24, 1e-4)]).astype(np.float32)
    forecast = candidate.fit(slices(candidate), seed=0).volatility(x)
    assert np.argmax(forecast) == 6  # where the sine is 1
    assert np.log(forecast.max() / forecast.min()) == pytest.approx(0.8, abs=0.15)


@given(st.integers(-6, 100), st.integers(0, 2**32 - 1))
def test_relative_knows_no_scale(relative_fitted, doublings, seed):
    """Volatilities, returns and tau times anything: the same probability."""
    candidate = KINDS["relative"]
    x = examples(candidate.features, seed, rows=50).x
    scaled = [*VOLS, "log_return_10s", TAU]
    columns = [candidate.features.index(name) for name in scaled if name in candidate.features]
    x[:, columns] = np.maximum(np.abs(x[:, columns]), 1e-5)
    larger = x.copy()
    larger[:, columns] = np.ldexp(x[:, columns], doublings)

    assert np.abs(relative_fitted.z(larger) - relative_fitted.z(x)).max() < 1e-9
    factors = relative_fitted.volatility(larger) / relative_fitted.volatility(x)
    assert np.allclose(np.log2(factors), doublings, rtol=0, atol=1e-9)


@pytest.fixture(scope="module")
def relative_fitted():
    candidate = KINDS["relative"]
    return candidate.fit(slices(candidate), seed=0)


@pytest.mark.slow
def test_a_category_is_learned_whatever_number_it_has():
    rng = np.random.default_rng(8)
    x = np.stack([rng.integers(0, 4, 3000), rng.normal(0, 1, 3000)], axis=1).astype(np.float32)
    truth = np.where(np.isin(x[:, 0], (1, 3)), 0.9, 0.1)
    part, encoding = Examples(x, rng.random(3000) < truth), Encoding.of([4, 0])
    whole = Slices(part, ((part, part),))
    boosted = partial(lightgbm, how=Boosting(threads=1))
    for make in (logistic, gradient_boosting, boosted):
        probability = make(("kind", "size"), repeats=1, view=encoding).fit(whole, seed=0).predict(x)
        assert np.abs(probability - truth).mean() < 0.05
    linear = logistic(("kind", "size"), repeats=1).fit(whole, seed=0).predict(x)
    assert np.abs(linear - 0.5).max() < 0.4


def test_only_what_is_boosted_has_parameters_to_vary():
    varied = KINDS["lightgbm"].varied(Boosting(leaves=3))
    assert (varied.name, varied.parameters["leaves"]) == ("lightgbm", 3)
    assert "threads" not in varied.parameters
    with pytest.raises(BadInputError, match="har: it is not boosted"):
        KINDS["har"].varied(Boosting())


def test_rows_with_other_columns_are_refused():
    with pytest.raises(BadInputError, match="6 columns, the model uses 2"):
        persistence().fit(slices(KINDS["lightgbm"]), seed=0)
