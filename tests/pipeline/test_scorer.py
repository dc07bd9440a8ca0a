"""The scorer: a probability, or the reason why there is none."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph import codec
from barograph.cases.cold_start import COLD_START, ColdStart
from barograph.cases.market import MARKET
from barograph.errors import ForeignFeaturesError, ForeignStateError, UnsoundModelError
from barograph.evaluation.conformal import Intervals, IntervalState, LevelRule, SlotState
from barograph.feature_set.catalogue import FEATURES
from barograph.pipeline.scorer import Scorer
from barograph.pipeline.shadow import Shadow
from barograph.registry.model import LevelFacts
from barograph.types import Fault, Reason, Record, Verdict
from scored_rows import Doubling, model, row


def test_a_known_row_is_predicted_with_all_that_explains_it():
    prediction = Scorer(MARKET, model()).predict(row(100, vol=1.5e-4))
    assert prediction.verdict is Verdict.PREDICTED
    assert prediction.probability == pytest.approx(0.3)
    assert not prediction.alarm
    # exact: one number, copied
    assert (prediction.tau, prediction.threshold, prediction.model) == (1e-4, 0.4, "spikes/1")
    assert (prediction.event_time_ns, prediction.receive_time_ns) == (101 * 10**9, 5)
    assert prediction.mid == pytest.approx(50_000, rel=1e-8)
    assert Scorer(MARKET, model()).predict(row(100, vol=2.1e-4)).alarm


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [
        (Reason.WARMUP, Verdict.WARMUP),
        (Reason.GAP, Verdict.GAP),
        (Reason.OUT_OF_RANGE, Verdict.OUT_OF_RANGE),
        (Reason.STALE, Verdict.STALE),
        (Reason.NOT_OFFERED, Verdict.NO_MODEL),
    ],
)
def test_a_missing_feature_that_the_model_uses_gives_its_reason(reason, verdict):
    prediction = Scorer(MARKET, model()).predict(row(100, missing={"realized_vol_300s": reason}))
    assert (prediction.verdict, prediction.probability, prediction.alarm) == (verdict, None, False)


def test_a_missing_feature_that_the_model_does_not_use_is_no_matter():
    prediction = Scorer(MARKET, model()).predict(
        row(100, missing={"realized_vol_900s": Reason.WARMUP})
    )
    assert prediction.verdict is Verdict.PREDICTED


def test_a_stale_market_is_not_scored():
    prediction = Scorer(MARKET, model(), stale_after_s=30).predict(row(100, staleness=31.0))
    assert (prediction.verdict, prediction.probability) == (Verdict.STALE, None)


def test_a_model_may_ask_about_the_tau_of_the_product():
    """It stands among the features, where the model has it, and is never missing."""
    asking = model(features=("tau", "realized_vol_60s"), tau={"BTC-USD": 1e-4, "ETH-USD": 3e-4})
    scorer = Scorer(MARKET, asking)
    for product, tau in asking.facts.tau.items():
        prediction = scorer.predict(row(100, product=product, vol=5e-4))
        assert prediction.probability == pytest.approx(2e3 * tau, rel=1e-6)
        assert prediction.tau == tau
    waiting = scorer.predict(row(100, missing={"realized_vol_60s": Reason.GAP}))
    assert waiting.verdict is Verdict.GAP


def test_an_expired_model_says_so():
    scorer = Scorer(MARKET, model(expires_time_ns=200 * 10**9))
    assert scorer.predict(row(199)).verdict is Verdict.PREDICTED
    assert scorer.predict(row(200)).verdict is Verdict.MODEL_EXPIRED


def test_a_model_of_other_features_is_refused_and_the_present_one_stays():
    scorer = Scorer(MARKET, model())
    with pytest.raises(ForeignFeaturesError):
        scorer.swap(model("spikes/2", feature_set="0" * 16))
    assert scorer.predict(row(100)).model == "spikes/1"


def test_a_model_is_swapped_between_two_records():
    scorer = Scorer(MARKET, model())
    before = scorer.predict(row(100))
    scorer.swap(model("spikes/2", Doubling(1.0)))
    after = scorer.predict(row(101))
    assert (before.model, after.model) == ("spikes/1", "spikes/2")
    assert after.probability == pytest.approx(before.probability / 2)


def record(value, offset=0, product="BTC-USD"):
    return Record("ticks.features", 0, offset, product, value, {})


def test_foreign_rows_and_unreadable_ones_become_dead_letters():
    foreign = codec.encode(row(100, feature_set="0" * 16))
    outcome = Scorer(MARKET, model()).receive(
        [record(b"{", 0), record(foreign, 1), record(codec.encode(row(100)), 2)]
    )
    faults = [(letter.fault, letter.position) for letter in outcome.dead_letters]
    assert faults == [(Fault.WRONG_SHAPE, "0:0"), (Fault.FOREIGN_FEATURES, "0:1")]
    assert len(outcome.values) == 1


def volatilities(seed, n):
    """A volatility with memory, so that persistence has something to say."""
    rng = np.random.default_rng(seed)
    x = np.zeros(n)
    for i in range(1, n):
        x[i] = 0.995 * x[i - 1] + 0.1 * rng.standard_normal()
    return (np.exp(x) * 5e-5).tolist()


@pytest.mark.slow
def test_before_any_model_the_baseline_says_so_and_learns():
    scorer = Scorer(MARKET)
    predictions = [scorer.predict(row(i, vol=v)) for i, v in enumerate(volatilities(1, 20_000))]
    assert {p.model for p in predictions} == {COLD_START}
    assert predictions[0].verdict is Verdict.NO_MODEL
    assert predictions[-1].verdict is Verdict.PREDICTED
    vol = np.array([p.value_now for p in predictions])
    late = range(10_000, 19_940)
    truth = np.array([vol[i + 60] >= predictions[i].tau for i in late])
    probability = np.array([predictions[i].probability for i in late])
    assert abs(probability.mean() - truth.mean()) < 0.03
    assert probability[truth].mean() > 2 * probability[~truth].mean()


def test_a_product_that_the_model_does_not_know_gets_the_baseline():
    assert Scorer(MARKET, model()).predict(row(1, product="NEW-USD")).model == COLD_START


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 3000), st.integers(0, 2**32 - 1))
def test_a_restore_anywhere_changes_no_prediction(cut, seed):
    values = [
        record(codec.encode(row(i, vol=v)), i) for i, v in enumerate(volatilities(seed, 3000))
    ]
    whole = Scorer(MARKET).receive(values)
    first, second = Scorer(MARKET), Scorer(MARKET)
    head = first.receive(values[:cut])
    second.restore(first.snapshot())
    tail = second.receive(values[cut:])
    assert head.values + tail.values == whole.values


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"features": ("realized_vol_60s", "realised_vol_60s")}, "needs realised_vol_60s"),
        ({"features": ("realized_vol_60s", "realized_vol_60s")}, "duplicate features"),
        ({"features": ()}, "has no features"),
        ({"tau": {"BTC-USD": math.nan}}, "tau is not a volatility"),
        ({"tau": {"BTC-USD": -1.0}}, "tau is not a volatility"),
        ({"threshold": 1.5}, "threshold 1.5 is not a probability"),
        ({"threshold": math.nan}, "threshold nan is not a probability"),
        (
            {"level": LevelFacts(rule=LevelRule(), states={"BTC-USD": IntervalState([])})},
            "intervals of BTC-USD are of another level",
        ),
    ],
)
def test_a_model_with_unsound_facts_is_refused_by_name_and_the_present_one_stays(facts, why):
    scorer = Scorer(MARKET, model())
    with pytest.raises(UnsoundModelError, match=why):
        scorer.swap(model("spikes/2", **facts))
    assert scorer.predict(row(1)).model == "spikes/1"


def test_a_model_may_ask_for_the_tau_that_it_is_asked_about():
    scorer = Scorer(MARKET, model(features=("tau", "realized_vol_60s"), onnx=Doubling(1.0)))
    assert scorer.predict(row(1)).probability == pytest.approx(0.1)


@pytest.mark.parametrize("probability", [math.nan, -0.5, 2.0])
def test_what_a_model_says_that_is_no_probability_is_out_of_range(probability):
    class Wild(Doubling):
        def predict(self, _x):
            return np.array([probability])

    prediction = Scorer(MARKET, model(onnx=Wild())).predict(row(1))
    assert (prediction.verdict, prediction.probability) == (Verdict.OUT_OF_RANGE, None)


def as_record(value):
    return Record("ticks.features", 0, 0, "BTC-USD", value)


def test_a_row_under_another_key_is_refused():
    stray = msgspec.structs.replace(as_record(codec.encode(row(1))), key="ETH-USD")
    outcome = Scorer(MARKET, model()).receive([stray])
    assert outcome.values == []
    assert [letter.fault for letter in outcome.dead_letters] == [Fault.WRONG_SHAPE]


@pytest.mark.parametrize(
    "changes",
    [
        {"values": [0.0]},
        {"values": [None] * len(FEATURES)},
        {"reasons": "0"},
        {"reasons": "9" * len(FEATURES)},
        {"reasons": "٣" * len(FEATURES)},
        {"values": [1e300] * len(FEATURES)},
        {"log_mid_e9": 10**15},
        {"second": 2**62},
        {"product": chr(0) + "next"},
        {"product": ""},
    ],
)
def test_a_row_that_is_not_whole_is_one_dead_letter(changes):
    machine = Scorer(MARKET)
    poison = as_record(codec.encode(msgspec.structs.replace(row(1), **changes)))
    outcome = machine.receive([poison])
    assert (outcome.values, len(outcome.dead_letters)) == ([], 1)
    assert machine.snapshot() == {}


def test_a_row_of_the_far_future_does_not_end_what_a_baseline_learns():
    baseline = ColdStart()
    baseline.learn(10**9, 1e-4)
    for second in range(200):
        baseline.learn(second, 1e-4)
    assert baseline.later.sum() == 200 - 60
    assert len(baseline.waiting) <= 60


RULE = LevelRule(slots=1, window=40, step=0.02)
RESIDUALS = list(range(-200_000, 200_000, 10_000))
LEVEL = LevelFacts(
    rule=RULE, states={"BTC-USD": IntervalState([SlotState(RESIDUALS, 50_000_000, 50_000_000)])}
)


class Medians(Doubling):
    """A model whose median is a known function of its input."""

    def __init__(self, factor=1.0):
        super().__init__()
        self.median = factor

    def forecast(self, x):
        return self.predict(x), self.median * x[:, 0].astype(float)


def leveled(onnx=None, label="spikes/1"):
    return model(label, onnx=onnx or Medians(), level=LEVEL)


def test_a_model_that_forecasts_the_value_gives_its_median_and_an_interval():
    prediction = Scorer(MARKET, leveled()).predict(row(100, vol=1e-4))
    assert prediction.median == pytest.approx(1e-4)
    assert prediction.low == pytest.approx(1e-4 * math.exp(-0.19), rel=1e-6)
    assert prediction.high == pytest.approx(1e-4 * math.exp(0.18), rel=1e-6)
    assert prediction.median < prediction.forecast < prediction.high


def test_what_has_no_forecast_of_a_value_is_written_as_before():
    """The bytes of predictions of other models and of the baseline are those of older versions."""
    words = [
        Scorer(MARKET, model()).predict(row(100)),
        Scorer(MARKET).predict(row(100)),
        Scorer(MARKET, leveled()).predict(row(100, missing={"realized_vol_60s": Reason.GAP})),
    ]
    for prediction in words:
        fields = msgspec.json.decode(codec.encode(prediction))
        assert not {"median", "forecast", "low", "high"} & fields.keys()
    fields = msgspec.json.decode(codec.encode(words[1]))
    assert list(fields) == [
        "type", "product", "second", "event_time_ns", "receive_time_ns", "verdict", "probability",
        "alarm", "threshold", "tau", "horizon_s", "value_now", "mid", "model",
    ]  # fmt: skip


@pytest.mark.parametrize("median", [math.nan, math.inf, -1.0])
def test_what_a_model_says_that_is_no_value_is_out_of_range(median):
    prediction = Scorer(MARKET, leveled(Medians(median * 1e4))).predict(row(100))
    assert (prediction.verdict, prediction.median) == (Verdict.OUT_OF_RANGE, None)


def test_an_interval_learns_the_value_that_came_a_horizon_later():
    scorer = Scorer(MARKET, leveled())
    intervals = Intervals(RULE, 60, LEVEL.states["BTC-USD"])
    vols = volatilities(3, 300)
    for second, vol in enumerate(vols):
        prediction = scorer.predict(row(second, vol=vol))
        intervals.learn(second, vol)
        bounds = intervals.predict(second, prediction.median)
        # exact: residuals are integers
        assert (prediction.low, prediction.high) == (bounds.low, bounds.high)
        assert prediction.forecast == pytest.approx(bounds.root_mean_square)


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(st.integers(0, 300), st.integers(0, 2**32 - 1))
def test_a_restore_anywhere_changes_no_interval(cut, seed):
    rows = [
        record(codec.encode(row(i, vol=v, product=product)), i, product)
        for i, v in enumerate(volatilities(seed, 300))
        for product in ("BTC-USD", "NEW-USD")
    ]
    whole = Scorer(MARKET, leveled())
    first, second = Scorer(MARKET, leveled()), Scorer(MARKET, leveled())
    expected = whole.receive(rows)
    head = first.receive(rows[:cut])
    second.restore(first.snapshot())
    tail = second.receive(rows[cut:])
    assert head.values + tail.values == expected.values


def test_a_baseline_is_kept_beside_the_intervals_of_a_later_model():
    scorer = Scorer(MARKET)
    scorer.predict(row(1))
    before = scorer.snapshot()["BTC-USD"]
    scorer.swap(leveled())
    scorer.predict(row(2))
    both = Scorer(MARKET)
    both.restore(scorer.snapshot())
    both.predict(row(1, product="ETH-USD"))
    other = Scorer(MARKET)
    other.predict(row(1))
    assert both._baselines["BTC-USD"].dump() == other._baselines["BTC-USD"].dump() == before


@pytest.mark.parametrize(
    "checkpoint", [b"scorer/1 ", b"scorer/1 \xc1", b"scorer/1 \x92\xc0\xc4\x00"]
)
def test_a_damaged_checkpoint_of_intervals_is_refused(checkpoint):
    with pytest.raises(ForeignStateError):
        Scorer(MARKET, leveled()).restore({"BTC-USD": checkpoint})


def test_a_shadow_remembers_the_intervals_of_the_candidate_alone():
    rows = [record(codec.encode(row(i)), i) for i in range(200)]
    whole, first, second = (Shadow(MARKET, leveled()) for _ in range(3))
    expected = whole.receive(rows).values
    head = first.receive(rows[:90]).values
    second.restore(first.snapshot())
    assert head + second.receive(rows[90:]).values == expected
    plain = Shadow(MARKET, model())
    plain.receive(rows)
    assert plain.snapshot() == {}
