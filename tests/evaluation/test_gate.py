"""The gate: each rule alone, how often luck is promoted, and rows that are looked at once."""

from itertools import pairwise
from math import nan

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import BadInputError
from barograph.evaluation import bootstrap, gate, scores
from barograph.evaluation.gate import (
    Contender,
    Forecast,
    LevelForecast,
    LevelWindow,
    PromotionGate,
    Window,
    decide,
)
from barograph.types import Interval

ROWS, BLOCK, HORIZON = 6_000, 200, 20
RULE = PromotionGate(resamples=200)
FOLDS = 4


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def overlapping(rng, rows=ROWS, of=HORIZON):
    """(rows,): normal noise of which neighbours share all but one part in `of`."""
    parts = rng.standard_normal(rows + of - 1)
    summed = np.cumsum(np.insert(parts, 0, 0.0))
    return (summed[of:] - summed[:-of]) / np.sqrt(of)


class Market:
    """Rows of a time in which storms come and go, and how well models with so much noise see them.

    Labels overlap as those of a horizon do, and so do the errors of a model.
    """

    def __init__(self, seed):
        self._rng = np.random.default_rng(seed)
        self._odds = -3.0 + 2.0 * overlapping(self._rng, of=6 * HORIZON)
        chance = sigmoid(1.6 * overlapping(self._rng))
        self.y = (chance < sigmoid(self._odds)).astype(float)

    def model(self, noise):
        """Probabilities of a model whose log-odds are this far off, in standard deviations."""
        return sigmoid(self._odds + noise * overlapping(self._rng))

    def pooled(self, noise, off=0.5):
        """The same, pooled of folds whose calibrations are so far off, in turns up and down."""
        odds = self._odds + noise * overlapping(self._rng)
        fold = np.arange(ROWS) * FOLDS // ROWS
        return Forecast(probability=sigmoid(odds + off * (-1.0) ** fold), ranking=np.exp(odds))

    def window(self, **changed):
        facts = {
            "y": self.y, "order": np.arange(ROWS), "session": np.zeros(ROWS, np.int64),
            "block": BLOCK, "events": 30, "feature_set": "features/1",
            "baselines": {"persistence": self.pooled(2.5), "har": self.pooled(2.2)},
        }  # fmt: skip
        return Window(**facts | changed)


def contender(probability, label="candidate", **facts):
    return Contender(label=label, feature_set="features/1", probability=probability, **facts)


@pytest.fixture
def market():
    """One for each test: what a model errs by depends on what was drawn before."""
    return Market(seed=3)


@pytest.fixture
def window(market):
    return market.window()


@pytest.fixture
def good(market):
    return contender(market.model(0.3), row_us=12.0)


def but(window, **changed):
    """The window with other fields; a baseline may be given by its probabilities alone."""
    if baselines := changed.get("baselines"):
        changed["baselines"] = {
            name: each if isinstance(each, Forecast) else Forecast(probability=each)
            for name, each in baselines.items()
        }
    return msgspec.structs.replace(window, **changed)


def test_a_candidate_that_holds_every_rule_is_promoted_and_says_why(window, good):
    decision = decide(None, good, window, RULE)
    assert decision.promote, decision.reasons
    assert decision.word == "Promote"
    reasons = "; ".join(decision.reasons)
    for part in (
        "independent positives must be at least 20: 30",
        "blocks must be at least 20: 30",
        "time per row must be at most 1000 µs: 12",
        "PR-AUC must be above the base rate: +",
        "calibration error must be at most 0.1: ",
        "log loss must not be worse than persistence's: -",
        "PR-AUC must be at most 0.02 worse than har's: +",
    ):
        assert part in reasons


BROKEN = {
    "too few events": ({"events": 19}, {}, {}, "independent positives must be at least 20: 19"),
    "another feature set": (
        {}, {"feature_set": "features/2"}, {},
        "feature set must be this program's features/1: features/2",
    ),
    "a slow model": ({}, {"row_us": 1001.0}, {}, "time per row must be at most 1000 µs: 1001"),
    "too few blocks": ({"block": 500}, {}, {}, "blocks must be at least 20: 12"),
    "a stricter gate": (
        {}, {}, {"min_episodes": 31}, "independent positives must be at least 31: 30",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_one_broken_rule_keeps_a_candidate_out_and_is_the_only_reason_given(what, window, good):
    of_window, of_candidate, of_rule, why = BROKEN[what]
    decision = decide(
        None,
        msgspec.structs.replace(good, **of_candidate),
        but(window, **of_window),
        msgspec.structs.replace(RULE, **of_rule),
    )
    assert not decision.promote
    assert decision.word == "Keep"
    assert decision.counted == ("must be at least" not in why)
    (reason,) = decision.reasons
    assert why in reason


def refused(champion, candidate, window, rule=RULE):
    """The reasons of a decision that must be to keep."""
    decision = decide(champion, candidate, window, rule)
    assert not decision.promote
    return decision.reasons


def test_a_model_that_ranks_well_and_says_too_much_is_refused_for_its_calibration(window, good):
    loud = msgspec.structs.replace(good, probability=good.probability**0.3)
    rule = msgspec.structs.replace(RULE, max_calibration_error=0.05)
    reasons = refused(None, loud, window, rule)
    assert any(
        reason.startswith("calibration error must be at most 0.05: 0.") for reason in reasons
    )
    assert not any("PR-AUC" in reason for reason in reasons)


def test_a_baseline_that_is_as_good_keeps_a_candidate_out(market, window, good):
    equal = but(window, baselines={**window.baselines, "har": market.model(0.3)})
    (reason,) = refused(None, good, equal)
    assert reason.startswith("log loss or PR-AUC must be better than har's: ")


def test_a_baseline_may_be_beaten_in_its_ranking_where_its_log_loss_is_matched(market, window):
    """Both are flattened to the same log loss, by 40 % more or less: the better ranking decides."""
    sharp, dull = market.model(0.0), market.model(1.2)
    odds = np.log(sharp / (1 - sharp))
    losses = [scores.log_loss(market.y, sigmoid(odds * s - 4 * (1 - s))) for s in SHARES]
    nearest = np.argmin(np.abs(np.array(losses) - scores.log_loss(market.y, dull)))
    flat = contender(sigmoid(odds * SHARES[nearest] - 4 * (1 - SHARES[nearest])))
    decision = decide(None, flat, but(window, baselines={"dull": dull}), RULE)
    assert decision.promote, decision.reasons
    champion = contender(dull, "spikes/7")
    (reason,) = refused(champion, flat, but(window, baselines={}))
    assert reason.startswith("log loss must be better than spikes/7's: ")


SHARES = np.linspace(0.02, 1.0, 50)


def test_probabilities_without_a_ranking_do_not_pass_by_their_log_loss(market, window):
    """Who says the base rate has a better log loss than a loud model, and finds nothing."""
    loud = sigmoid(6 * np.random.default_rng(1).standard_normal(ROWS))
    flat = contender(np.full(ROWS, market.y.mean()))
    (reason,) = refused(None, flat, but(window, baselines={"loud": loud}))
    assert reason.startswith("PR-AUC must be above the base rate: ")


def test_a_candidate_surely_behind_in_precision_is_refused_whatever_its_log_loss(market, window):
    sharp = market.model(0.2)
    shouting = sigmoid(3 + np.log(sharp / (1 - sharp)))  # the same ranking, a bad log loss
    dull = contender(market.model(1.5))
    (reason,) = refused(None, dull, but(window, baselines={"shouting": shouting}))
    assert reason.startswith("PR-AUC must be at most 0.02 worse than shouting's: -")


def test_a_candidate_surely_behind_in_log_loss_is_refused_whatever_its_precision(market, window):
    sharp = market.model(0.0)
    loud = contender(sigmoid(3 + np.log(sharp / (1 - sharp))))
    rule = msgspec.structs.replace(RULE, max_calibration_error=1.0)
    baseline = but(window, baselines={"dull": market.model(1.5)})
    reasons = refused(None, loud, baseline, rule)
    assert reasons[0].startswith("log loss must not be worse than dull's: +")


def test_a_baseline_whose_folds_are_calibrated_otherwise_is_met_by_its_ranking(market, window):
    """By its probabilities it is behind in both scores; what it knows is the order."""
    dull, sharp = contender(market.model(1.0)), market.pooled(0.0, off=3.0)
    weakest = msgspec.structs.replace(sharp, ranking=None)
    assert decide(None, dull, but(window, baselines={"pooled": weakest}), RULE).promote
    (reason,) = refused(None, dull, but(window, baselines={"pooled": sharp}))
    assert reason.startswith("PR-AUC must be at most 0.02 worse than pooled's: -")


@pytest.mark.parametrize("ranked", [(), ("ours",), ("theirs",), ("ours", "theirs")])
def test_two_are_compared_by_the_higher_pr_auc_of_each(ranked):
    market = Market(seed=5)
    forecasts = {"ours": market.pooled(0.3, off=1.0), "theirs": market.pooled(0.6, off=1.0)}
    best = {}
    for name, each in forecasts.items():
        best[name] = scores.pr_auc(market.y, each.probability)
        if name in ranked:
            assert scores.pr_auc(market.y, each.ranking) > best[name]
            best[name] = scores.pr_auc(market.y, each.ranking)
        else:
            forecasts[name] = msgspec.structs.replace(each, ranking=None)
    ours = contender(forecasts["ours"].probability, ranking=forecasts["ours"].ranking)
    # No candidate meets this rule, so its reason is among those of the refusal.
    never = msgspec.structs.replace(RULE, margin=-1.0)
    reasons = refused(None, ours, market.window(baselines={"theirs": forecasts["theirs"]}), never)
    sentence = (
        f"PR-AUC must be at most -1 worse than theirs's: {best['ours'] - best['theirs']:+.4f} ["
    )
    assert any(reason.startswith(sentence) for reason in reasons)


def test_over_the_base_rate_stand_the_probabilities_by_which_is_acted(market, window):
    """An order that only the forecast has raises no alarm in time."""
    flat = contender(np.full(ROWS, market.y.mean()), ranking=market.model(0.0))
    (reason,) = refused(None, flat, but(window, baselines={"loud": market.model(9.0)}))
    assert reason.startswith("PR-AUC must be above the base rate: ")


def test_the_better_ranking_is_the_best_and_one_that_is_worse_changes_nothing():
    draws = bootstrap.resamples(np.arange(3), np.zeros(3), block_s=1, count=1)
    low, high = (
        bootstrap.Resampled(estimate=value, values=np.full(1, value), resamples=draws)
        for value in (0.2, 0.3)
    )
    assert gate.at_best(low, high) is gate.at_best(high, low) is high
    assert gate.at_best(low, None) is low


def test_a_champion_must_be_beaten_and_one_that_has_expired_only_matched(market, window, good):
    champion = contender(market.model(0.3), "spikes/7")
    (reason,) = refused(champion, good, window)
    assert reason.startswith("log loss must be better than spikes/7's: ")
    old = msgspec.structs.replace(champion, expired=True)
    decision = decide(old, good, window, RULE)
    assert decision.promote, decision.reasons
    reasons = [reason for reason in decision.reasons if "spikes/7's" in reason]
    assert [reason.split(" spikes/7's")[0] for reason in reasons] == [
        "log loss must not be worse than", "PR-AUC must be at most 0.02 worse than",
    ]  # fmt: skip


def test_one_that_has_expired_must_still_be_matched(market, window):
    """The candidate beats the baselines, but not what it would replace."""
    old = contender(market.model(0.0), "spikes/7", expired=True)
    weak = contender(market.model(1.2))
    assert decide(None, weak, window, RULE).promote
    reasons = refused(old, weak, window)
    assert all("spikes/7's" in reason for reason in reasons)
    assert reasons[0].startswith("log loss must not be worse than ")


@pytest.mark.parametrize("kind", [0.0, 1.0])
def test_rows_of_one_kind_hold_no_rule_that_needs_both(kind, window, good):
    reasons = refused(None, good, but(window, y=np.full(ROWS, kind)))
    assert any("PR-AUC must be above the base rate" in reason for reason in reasons)
    if not kind:
        assert any("n/d (the test rows are all of one kind)" in reason for reason in reasons)


def test_figures_that_many_resamples_do_not_have_hold_nothing(window, good):
    one_storm = np.zeros(ROWS)
    one_storm[:BLOCK] = 1.0
    reasons = refused(None, good, but(window, y=one_storm))
    assert any("of 200 resamples undefined)" in reason for reason in reasons)


def test_a_probability_that_is_no_number_is_refused_with_its_reason(window, good):
    broken = np.where(np.arange(ROWS) == 7, nan, good.probability)
    with pytest.raises(BadInputError, match="NaN"):
        decide(None, msgspec.structs.replace(good, probability=broken), window, RULE)


def test_forecasts_of_other_rows_are_refused(window, good):
    short = msgspec.structs.replace(good, probability=good.probability[1:])
    with pytest.raises(BadInputError, match="does not match the window's rows"):
        decide(None, short, window, RULE)
    with pytest.raises(BadInputError, match="does not match the window's rows"):
        decide(short, good, window, RULE)
    with pytest.raises(BadInputError, match="does not match the window's rows"):
        decide(None, good, but(window, baselines={"har": good.probability[:9]}), RULE)
    with pytest.raises(BadInputError, match="does not match the window's rows"):
        decide(None, msgspec.structs.replace(good, ranking=good.probability[1:]), window, RULE)


def test_two_forecasts_of_one_name_are_refused(window, good):
    with pytest.raises(BadInputError, match="two have the same name"):
        decide(contender(good.probability, "har"), good, window, RULE)
    with pytest.raises(BadInputError, match="two have the same name"):
        decide(good, good, window, RULE)


def test_a_window_without_rows_decides_by_what_it_lacks():
    none = np.array([])
    window = Window(
        y=none, order=none, session=none, block=60, events=0, feature_set="features/1", baselines={}
    )
    decision = decide(None, contender(none), window)
    assert decision.reasons == ("independent positives must be at least 20: 0",)


def test_an_interval_is_made_wide_on_the_side_where_its_mirror_image_is_wider():
    values = np.array([-1.0, *np.linspace(0, 1, 98), 9.0])
    draws = bootstrap.resamples(np.arange(3), np.zeros(3), block_s=1, count=1)
    resampled = bootstrap.Resampled(estimate=0.5, values=values, resamples=draws)
    percentile, wide = resampled.interval(0.9), gate.wide(resampled, 0.9)
    assert wide.low == pytest.approx(min(percentile.low, 1.0 - percentile.high), rel=1e-12)
    assert wide.high == pytest.approx(max(percentile.high, 1.0 - percentile.low), rel=1e-12)
    assert (wide.estimate, wide.level) == (0.5, 0.9)  # exact: one number, copied


def test_bounds_that_are_no_numbers_stay_so():
    draws = bootstrap.resamples(np.arange(3), np.zeros(3), block_s=1, count=1)
    resampled = bootstrap.Resampled(estimate=nan, values=np.full(5, nan), resamples=draws)
    assert isinstance(gate.wide(resampled, 0.95), Interval)
    assert not gate.wide(resampled, 0.95).low > 0
    assert not gate.wide(resampled, 0.95).high < 0


# How often: 200 markets, a champion and two candidates each.

QUICK = PromotionGate(resamples=100)
SEEDS = 200


def promoted(noise_of_candidate, noise_of_champion=0.8):
    """How many of 200 candidates take the place of a champion with other noise."""
    count = 0
    for seed in range(SEEDS):
        market = Market(seed=1000 + seed)
        champion = contender(market.model(noise_of_champion), "champion")
        candidate = contender(market.model(noise_of_candidate))
        count += decide(champion, candidate, market.window(), QUICK).promote
    return count


@pytest.mark.slow
def test_a_candidate_that_is_as_good_as_the_champion_is_promoted_in_5_percent_at_most():
    assert promoted(0.8) <= 0.05 * SEEDS


@pytest.mark.slow
def test_a_clearly_better_candidate_is_promoted_in_95_percent_at_least():
    assert promoted(0.2, noise_of_champion=1.2) >= 0.95 * SEEDS


# Rows that a gate looks at once.

orders = st.lists(st.integers(0, 300), max_size=60).map(lambda rows: np.array(rows, np.int64))


@given(orders, st.integers(1, 20))
def test_runs_hold_every_row_and_lie_apart(order, distance):
    made = gate.runs(order, distance)
    assert all(first <= last for first, last in made)
    assert all(a[1] + distance < b[0] for a, b in pairwise(made))
    assert all(any(first <= row <= last for first, last in made) for row in order)
    assert {edge for run in made for edge in run} <= set(order.tolist())
    for first, last in made:
        inside = np.unique(order[(order >= first) & (order <= last)])
        assert (np.diff(inside) <= distance).all()


@pytest.mark.slow
@given(orders, orders, st.integers(1, 20))
def test_unjudged_rows_lie_further_than_the_distance_from_every_judged_one(order, before, distance):
    fresh = gate.unjudged(order, gate.runs(before, distance), distance)
    for row, is_fresh in zip(order, fresh, strict=True):
        nearest = min((abs(row - other) for other in before), default=distance + 1)
        if nearest <= distance:
            assert not is_fresh
        elif not is_fresh:  # it lies in a hole of a run, with judged rows on both sides
            assert before.min() < row < before.max()


@given(orders, st.integers(1, 20))
def test_the_same_rows_are_judged_once(order, distance):
    assert gate.unjudged(order, [], distance).all()
    judged = gate.runs(order, distance)
    assert not gate.unjudged(order, judged, distance).any()
    later = order + (order.max(initial=0) + distance + 1)
    assert gate.unjudged(later, judged, distance).all()


class Values:
    """Values above zero, and forecasts of them that are so far off in logarithms."""

    def __init__(self, seed=7):
        self._rng = np.random.default_rng(seed)
        self._known = overlapping(self._rng, of=6 * HORIZON)
        self.outcome = np.exp(self._known + 0.3 * overlapping(self._rng))

    def forecast(self, noise, held=0.9):
        value = np.exp(self._known + 0.09 / 2 + noise * overlapping(self._rng))
        covered = np.arange(ROWS) % 100 < round(100 * held)
        none = np.full(ROWS, 0.1)
        return Forecast(probability=none, level=LevelForecast(value=value, covered=covered))

    def window(self, **changed):
        facts = {
            "y": np.zeros(ROWS), "order": np.arange(ROWS), "session": np.zeros(ROWS, np.int64),
            "block": BLOCK, "events": 0, "feature_set": "features/1",
            "baselines": {"persistence": self.forecast(0.8), "har": self.forecast(0.5)},
            "level": LevelWindow(outcome=self.outcome, narrowest=0.88, widest=0.92),
        }  # fmt: skip
        return Window(**facts | changed)

    def contender(self, noise, held=0.9, label="candidate", **facts):
        of = self.forecast(noise, held)
        return Contender(
            label=label, feature_set="features/1", probability=of.probability, level=of.level,
            **facts,
        )  # fmt: skip


@pytest.fixture
def values():
    return Values()


def test_a_forecast_of_values_is_promoted_by_qlike_and_coverage_without_any_positive(values):
    decision = decide(None, values.contender(0.1, row_us=5.0), values.window(), RULE)
    assert decision.promote, decision.reasons
    reasons = "; ".join(decision.reasons)
    for part in (
        "feature set must be this program's",
        "time per row must be at most",
        "blocks must be at least 20: 30",
        "coverage must not be surely outside 88% to 92%: 90.",
        "QLIKE must be better than persistence's: -",
        "QLIKE must be better than har's: -",
    ):
        assert part in reasons
    assert "PR-AUC" not in reasons
    assert "independent positives" not in reasons


@pytest.mark.parametrize(
    ("noise", "held", "why"),
    [
        (0.5, 0.9, "QLIKE must be better than har's"),
        (0.1, 0.80, "coverage must not be surely outside 88% to 92%: 80."),
        (0.1, 0.99, "coverage must not be surely outside 88% to 92%: 99."),
    ],
)
def test_a_forecast_of_values_that_breaks_one_rule_is_kept_out(values, noise, held, why):
    decision = decide(None, values.contender(noise, held), values.window(), RULE)
    assert not decision.promote
    (reason,) = decision.reasons
    assert reason.startswith(why)


def test_coverage_outside_the_limits_is_refused_only_where_the_rows_can_tell(values):
    """86 % in one stretch are one event, whose interval is wide; spread evenly they are many."""
    of = values.contender(0.1)
    covered = np.ones(ROWS, np.bool_)
    covered[: round(0.14 * ROWS)] = False  # all misses in one stretch: few independent ones
    together = msgspec.structs.replace(
        of, level=LevelForecast(value=of.level.value, covered=covered)
    )
    assert decide(None, together, values.window(), RULE).promote
    spread = values.contender(0.1, held=0.86)
    (reason,) = decide(None, spread, values.window(), RULE).reasons
    assert reason.startswith("coverage must not be surely outside 88% to 92%: 86.")


def test_a_champion_must_be_beaten_by_qlike_and_an_expired_one_only_matched(values):
    window = values.window()
    champion = values.contender(0.2, label="hourly/1")
    candidate = values.contender(0.2)
    decision = decide(champion, candidate, window, RULE)
    assert not decision.promote
    assert decision.reasons[0].startswith("QLIKE must be better than hourly/1's: ")
    expired = msgspec.structs.replace(champion, expired=True)
    assert decide(expired, candidate, window, RULE).promote
    worse = decide(expired, values.contender(0.45), window, RULE)
    assert any("QLIKE must not be worse than hourly/1's" in reason for reason in worse.reasons)


def test_a_model_without_a_forecast_of_values_is_no_contender_for_them(values):
    candidate = msgspec.structs.replace(values.contender(0.1), level=None)
    with pytest.raises(BadInputError, match="forecasts no value"):
        decide(None, candidate, values.window(), RULE)
    short = LevelForecast(value=np.ones(3), covered=np.ones(3, np.bool_))
    with pytest.raises(BadInputError, match="does not match"):
        decide(None, msgspec.structs.replace(candidate, level=short), values.window(), RULE)
