"""Alerts about predictions as a worker's machine: the same records, wherever it was cut."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph import codec
from barograph.alert_records import Change, Judgement
from barograph.errors import ForeignStateError
from barograph.pipeline.alerts import STATE, PredictionAlerts, Series
from barograph.types import MAX_PRODUCTS, Prediction, Record, Verdict
from watched_predictions import NS, prediction

SERIES = Series(case="toy", step_s=1, horizon_s=4, value="volatility", unit="bps/√s", scale=1e4)


def records(predictions):
    return [
        Record("p", 0, offset, each.product, codec.encode(each))
        for offset, each in enumerate(predictions)
    ]


def row(second, probability, product="A", **more):
    return prediction(product, second, probability, **{"horizon_s": 4, **more})


def alerts_of(predictions, machine=None):
    machine = machine or PredictionAlerts(SERIES)
    return [codec.decode_alert(value) for _, value in machine.receive(records(predictions)).values]


def test_an_alert_is_told_in_three_records_with_one_id():
    levels = [0.1, 0.6, 0.9, 0.2, 0.1, 0.1, 0.1, 0.1]
    began, ended, judged = alerts_of(row(n, p) for n, p in enumerate(levels))
    assert [each.change for each in (began, ended, judged)] == [*Change]
    assert began.id == ended.id == judged.id
    assert (began.case, began.subject, began.rule) == ("toy", "A", "probability")
    assert (began.time_ns, began.started_ns, began.ended_ns) == (2 * NS, 2 * NS, None)
    assert (ended.time_ns, ended.ended_ns) == (4 * NS, 4 * NS)
    assert (judged.judgement, judged.right, judged.wrong) == (Judgement.WRONG, 0, 1)
    assert began.text == (
        "A: probability 60% (threshold 50%) that volatility reaches tau, 1 bps/√s, within 4 s, "
        "since 00:00:02 UTC."
    )
    assert ended.text == (
        "A: the alert since 00:00:02 UTC ended after 2 s; its highest probability was 90%."
    )
    assert "false alarm: volatility stayed below 1 bps/√s" in judged.text


def test_what_the_models_alarms_were_worth_so_far_goes_with_each_alert():
    value = {7: 2e-4}
    levels = [0.6, 0.1, 0.1, 0.6, 0.1, 0.1, 0.1, 0.1, 0.1, 0.6]
    made = alerts_of(row(n, p, value_now=value.get(n, 5e-5)) for n, p in enumerate(levels))
    began = [each for each in made if each.change is Change.BEGAN]
    assert [(each.right, each.wrong) for each in began] == [(0, 0), (0, 0), (1, 1)]


def test_an_alert_that_ends_unknown_says_why():
    peak = "its highest probability was 60%."
    made = alerts_of([row(0, 0.6), row(1, None, verdict=Verdict.GAP)])
    assert made[1].text.endswith(f"after 1 s (then there was no probability: GAP); {peak}")
    made = alerts_of([row(0, 0.6), row(1, 0.6, model="spikes/9")])
    assert made[1].text.endswith(f"after 1 s (then another model spoke); {peak}")


def test_a_product_that_is_silent_beside_others_ends_as_unknown():
    made = alerts_of([row(0, 0.6), *(row(n, 0.1, product="B") for n in range(1, 60))])
    assert [each.change for each in made] == [Change.BEGAN, Change.ENDED, Change.JUDGED]
    assert made[1].why == "silent"


def test_what_is_no_prediction_becomes_a_dead_letter():
    outcome = PredictionAlerts(SERIES).receive([Record("p", 0, 3, "A", b"{}")])
    assert [letter.position for letter in outcome.dead_letters] == ["0:3"]


@pytest.mark.parametrize("state", [b"", b"\x93\x01\x02\x03", msgspec.msgpack.encode({"a": 1})])
def test_a_foreign_state_is_refused(state):
    with pytest.raises(ForeignStateError):
        PredictionAlerts(SERIES).restore({STATE: state})


@pytest.mark.slow
def test_as_many_products_as_are_followed_fit_a_checkpoint():
    machine = PredictionAlerts(SERIES)
    machine.receive(records(row(0, 0.6, product=f"P{n}") for n in range(MAX_PRODUCTS)))
    assert len(machine.snapshot()[STATE]) < 4 << 20


@st.composite
def streams(draw):
    """Predictions of two products, with holes, other models and unknown seconds."""
    made = []
    for product in ("A", "B"):
        second = 0
        for _ in range(draw(st.integers(0, 40))):
            second += draw(st.sampled_from([1, 1, 1, 1, 1, 1, 2, 70]))
            probability = draw(st.sampled_from([None, 0.1, 0.3, 0.45, 0.6, 0.6, 0.9]))
            made.append(
                row(
                    second,
                    probability,
                    product=product,
                    value_now=draw(st.sampled_from([None, 5e-5, 5e-5, 2e-4])),
                    model=draw(st.sampled_from(["m/1", "m/1", "m/1", "m/2"])),
                )
            )
    return sorted(made, key=lambda each: each.second)


@pytest.mark.slow
@given(streams(), st.sampled_from([0.0, 1.0, 3.0]))
def test_each_alert_begins_once_ends_once_and_is_judged_at_most_once(rows, after_s):
    made = alerts_of(rows, PredictionAlerts(SERIES, after_s=after_s))
    seen = {}
    for each in made:
        changes = seen.setdefault(each.id, [])
        assert each.change not in changes
        assert changes or each.change is Change.BEGAN
        changes.append(each.change)
    for subject in ("A", "B"):
        standing = 0
        for each in made:
            if each.subject == subject and each.change is not Change.JUDGED:
                standing += 1 if each.change is Change.BEGAN else -1
                assert standing in {0, 1}
    assert all(
        each.time_ns - each.started_ns >= after_s * NS
        for each in made
        if each.change is Change.BEGAN
    )


@pytest.mark.slow
@given(streams(), st.lists(st.integers(0, 80), max_size=4), st.sampled_from([0.0, 2.0]))
def test_a_machine_cut_and_restored_anywhere_makes_the_same_records(rows, cuts, after_s):
    whole = PredictionAlerts(SERIES, after_s=after_s).receive(records(rows))
    machine, parts = PredictionAlerts(SERIES, after_s=after_s), []
    places = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    of = records(rows)
    for start, stop in pairwise(places):
        parts += machine.receive(of[start:stop]).values
        state, machine = machine.snapshot(), PredictionAlerts(SERIES, after_s=after_s)
        machine.restore(state)
    assert parts == whole.values


FORECAST_SERIES = Series(
    case="hourly", step_s=3600, horizon_s=3600, value="volatility", unit="%/√h", scale=1e2,
    limit=0.008,
)  # fmt: skip


def forecasts(values, outcomes=None, **more):
    """Records of one forecast an hour; `outcomes` are what came in the hour before each."""
    words = [
        Prediction(
            product="BTC-USD", second=3600 * (n + 1) - 1, event_time_ns=3600 * (n + 1) * 10**9,
            receive_time_ns=None, verdict="PREDICTED" if value is not None else "GAP",
            probability=None if value is None else 0.1, alarm=False, threshold=0.5, tau=0.009,
            horizon_s=3600, value_now=(outcomes or values)[n], mid=None, model="hourly/1",
            forecast=value, **more,
        )
        for n, value in enumerate(values)
    ]  # fmt: skip
    return [
        Record("candles.predictions", 0, n, word.product, codec.encode(word))
        for n, word in enumerate(words)
    ]


def forecast_alerts(*arguments, series=FORECAST_SERIES):
    outcome = PredictionAlerts(series, release=0.8).receive(forecasts(*arguments))
    return [codec.decode_alert(value) for _, value in outcome.values]


def test_a_forecast_over_its_limit_is_one_alert_however_it_trembles():
    began, judged, ended = forecast_alerts(
        [0.004, 0.0085, 0.0079, 0.0081, 0.0066, 0.0063], [0.004, 0.004, 0.009, 0.004, 0.004, 0.004]
    )
    # exact: as they came
    assert (began.rule, began.change, began.value, began.limit) == (
        "forecast", Change.BEGAN, 0.0085, 0.008,
    )  # fmt: skip
    assert (
        "volatility is forecast to be 0.85 %/√h (limit 0.8 %/√h) in the next 60 min" in began.text
    )
    assert (judged.change, judged.judgement) == (Change.JUDGED, "right")
    assert judged.text.endswith("was right: volatility reached 0.8 %/√h.")
    # exact: as it came
    assert (ended.change, ended.ending, ended.peak, ended.alarms) == (
        Change.ENDED, "calm", 0.0085, 2,
    )  # fmt: skip
    assert "its highest forecast was 0.85 %/√h" in ended.text
    assert {each.id for each in (judged, ended)} == {began.id}
    assert began.probability is began.threshold is began.tau is None


def test_a_forecast_that_did_not_come_true_was_a_false_alarm_and_a_gap_ends_it():
    began, ended, judged = forecast_alerts([0.009, None, 0.001], [0.001, 0.001, 0.001])
    assert (ended.ending, ended.why) == ("unknown", "GAP")
    assert judged.judgement == "wrong"
    assert judged.text.endswith("was a false alarm: volatility stayed below 0.8 %/√h.")
    assert began.id == judged.id


def test_without_a_limit_or_a_forecast_there_is_no_forecast_alert():
    assert (
        forecast_alerts([0.009, 0.009], series=msgspec.structs.replace(FORECAST_SERIES, limit=None))
        == []
    )
    records = forecasts([None, None])
    assert PredictionAlerts(FORECAST_SERIES).receive(records).values == []


def test_cut_anywhere_forecast_alerts_are_the_same_and_older_states_are_taken():
    stream = forecasts([0.004, 0.0085, 0.0079, 0.009, 0.001, 0.009, 0.001, 0.001])
    whole = PredictionAlerts(FORECAST_SERIES).receive(stream).values
    for cut in range(len(stream)):
        first, second = PredictionAlerts(FORECAST_SERIES), PredictionAlerts(FORECAST_SERIES)
        values = first.receive(stream[:cut]).values
        second.restore(first.snapshot())
        assert values + second.receive(stream[cut:]).values == whole
    older = msgspec.msgpack.decode(PredictionAlerts(FORECAST_SERIES).snapshot()["alerts"])
    del older["forecasts"]
    PredictionAlerts(FORECAST_SERIES).restore({"alerts": msgspec.msgpack.encode(older)})
