"""Linear models: what each grows from examples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import TooLittleDataError
from barograph.learning import linear
from barograph.learning.examples import Examples
from barograph.learning.fitted import AsGiven, LogLogistic
from barograph.learning.relative import VOL_FLOOR, MeanRatio, Ratio, Relative
from barograph.registry.model import TAU
from model_kinds import FEATURES, VOLS, examples

LOGS = Relative.of([Ratio(vol) for vol in VOLS], TAU)
SHARES = Relative.of([Ratio(VOLS[0], VOLS[2]), Ratio(VOLS[1], VOLS[2])], VOLS[2], TAU)
LEARNERS = {
    "rising": (MeanRatio((0,), 1), linear.rising),
    "logistic": (LOGS, linear.logistic),
    "least_squares": (LOGS, linear.least_squares),
    "log_logistic": (SHARES, linear.log_logistic),
}

INPUTS = {
    name: (VOLS[1], TAU) if name == "rising" else view.features
    for name, (view, _) in LEARNERS.items()
}


def grown(name, part, **how):
    view, learner = LEARNERS[name]
    if name == "log_logistic":
        how |= {"spread": (0,), "base": (VOLS[2],)}
    return learner(view, **({"repeats": 1} | how))(part, 0)


@given(st.integers(0, 2**32 - 1))
def test_least_squares_is_what_numpy_makes_of_the_logarithms(seed):
    """HAR: the log volatility to come on the log volatilities of three horizons, by OLS."""
    part = examples(LOGS.features, seed, rows=80)
    logs = np.log(np.maximum(part.x[:, :3].astype(np.float64), VOL_FLOOR))
    beside = np.column_stack([logs, np.ones(80)])
    expected = beside @ np.linalg.solve(beside.T @ beside, beside.T @ np.log(part.outcome))

    fitted = grown("least_squares", part)

    assert np.allclose(np.log(fitted.volatility(part.x)), expected, rtol=0, atol=1e-8)


def test_how_far_least_squares_was_off_is_one_scale_for_all_rows():
    part = examples(LOGS.features, 1)
    fitted = grown("least_squares", part)
    assert isinstance(fitted.head, LogLogistic)
    scale = np.exp(fitted.head.spread(LOGS.apply(part.x)))
    assert np.ptp(scale) < 1e-12
    off = np.log(part.outcome) - np.log(fitted.volatility(part.x))
    # The mean distance from the middle of a logistic law is 2 ln 2 of its scale.
    assert scale[0] == pytest.approx(np.abs(off).mean() / (2 * np.log(2)), rel=0.03)


@pytest.mark.parametrize("name", LEARNERS)
def test_a_weight_counts_as_so_many_rows(name):
    part = examples(INPUTS[name], 3, rows=400)
    times = np.random.default_rng(3).integers(1, 4, 400)
    weighed = Examples(part.x, part.y, part.outcome, times.astype(float))
    many = np.repeat(np.arange(400), times)
    copied = Examples(part.x[many], part.y[many], part.outcome[many])

    # Priors stand on standardised weights: what is so small does not tell one scale from another.
    one, other, plain = (
        grown(name, rows, repeats=1e-3).z(part.x) for rows in (weighed, copied, part)
    )

    assert np.allclose(one, other, rtol=0, atol=5e-3)
    assert np.abs(one - plain).max() > 0.05


@pytest.mark.parametrize("name", ["rising", "logistic", "log_logistic"])
def test_rows_that_repeat_each_other_pull_no_harder_than_one(name):
    """Sixty copies of each row, with repeats of 60, are as good as the rows."""
    part = examples(INPUTS[name], 4, rows=60)
    copied = Examples(
        np.repeat(part.x, 60, axis=0), np.repeat(part.y, 60), np.repeat(part.outcome, 60)
    )
    once, again = grown(name, part), grown(name, copied, repeats=60)
    assert np.allclose(once.z(part.x), again.z(part.x), rtol=0, atol=2e-3)


@given(seed=st.integers(0, 2**16))
def test_a_rising_curve_never_falls_whatever_it_learns_from(seed):
    part = examples(INPUTS["rising"], seed, rows=300)
    turned = Examples(part.x, ~part.y)
    fitted = grown("rising", turned)
    x = np.column_stack([np.geomspace(1e-6, 1e-2, 50), np.full(50, 1e-4)]).astype(np.float32)
    assert (np.diff(fitted.predict(x)) > 0).all()
    assert fitted.predict(part.x).mean() == pytest.approx(turned.y.mean(), abs=0.01)


def test_a_feature_that_was_constant_in_training_has_no_weight():
    part = examples(FEATURES, 5)
    part.x[:, 3] = 0.1
    moved = part.x.copy()
    moved[:, 3] = 1e30
    fitted = linear.logistic(AsGiven(), 1)(part, 0)
    # exact: a weight of zero
    assert fitted.predict(moved).tobytes() == fitted.predict(part.x).tobytes()


def test_one_wild_value_does_not_own_a_logistic_regression():
    part = examples(FEATURES, 6)
    wild, wilder = part.x[:1].copy(), part.x[:1].copy()
    wild[0, 1], wilder[0, 1] = 1e3, 1e30
    fitted = linear.logistic(AsGiven(), 1)(part, 0)
    assert fitted.predict(wild) == fitted.predict(wilder)  # exact: clipped to the same number


@pytest.mark.parametrize("name", LEARNERS)
def test_only_what_tells_yes_from_no_needs_both(name):
    part = examples(INPUTS[name], 7, rows=200)
    calm = Examples(part.x, np.zeros_like(part.y), part.outcome)
    if name in ("rising", "logistic"):
        with pytest.raises(TooLittleDataError, match="0 positives in 200 rows"):
            grown(name, calm)
    else:
        # exact: the answers take no part in its sums
        assert (
            grown(name, calm).predict(part.x).tobytes()
            == grown(name, part).predict(part.x).tobytes()
        )


def test_a_log_logistic_regression_finds_what_made_the_outcomes():
    """Ln v is around ln long + 0.7 ln(mid / long), the wider, the further short is above long."""
    rng = np.random.default_rng(8)
    logs = rng.normal(-10, 0.7, (20_000, 3))
    shares = logs[:, :2] - logs[:, 2:]
    scale = np.exp(-1 + 0.3 * shares[:, 0])
    log_vol = logs[:, 2] + 0.7 * shares[:, 1] + rng.logistic(0, scale)
    tau = np.full((20_000, 1), 1e-4)
    columns = np.hstack([np.exp(logs), tau])
    places = [*VOLS, TAU]
    x = columns[:, [places.index(name) for name in SHARES.features]].astype(np.float32, order="C")
    fitted = grown("log_logistic", Examples(x, log_vol >= np.log(1e-4), np.exp(log_vol)))

    assert np.abs(np.log(fitted.volatility(x)) - logs[:, 2] - 0.7 * shares[:, 1]).max() < 0.1
    assert np.abs(fitted.head.spread(SHARES.apply(x)) - np.log(scale)).max() < 0.1
