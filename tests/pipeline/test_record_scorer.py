"""The scorer of records: a probability for each by itself, or the reason why there is none."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph import codec
from barograph.errors import ForeignFeaturesError
from barograph.pipeline.record_scorer import RecordScorer
from barograph.types import APPENDED_TIME, Fault, Record, Verdict
from subscribers import CONTRACT, fitted, model, subscriber

MODEL = model()


def record(words, offset=0, key=None, **headers):
    value = words if isinstance(words, bytes) else json.dumps(words).encode()
    known = key if key is not None else words["id"]
    return Record("subs", 1, offset, known, value, headers)


def scorer(of=MODEL):
    return RecordScorer("subscribers", CONTRACT, of)


def predicted(machine, *records):
    outcome = machine.receive(records)
    assert outcome.dead_letters == []
    return [codec.decode_record_prediction(value) for _, value in outcome.values]


def test_a_record_gets_the_models_probability_under_its_key():
    words = {"id": "S-1", "months": 30, "plan": "full", "fee": 70.25}
    outcome = scorer().receive([record(words)])
    [(key, value)] = outcome.values
    prediction = codec.decode_record_prediction(value)
    x = np.array([[1.0, 30.0, 70.25]], np.float32)
    assert key == prediction.key == "S-1"
    assert prediction.probability == pytest.approx(fitted().predict(x)[0], abs=1e-9)
    assert prediction.label is (prediction.probability >= 0.5)
    assert (prediction.case, prediction.model) == ("subscribers", "subscribers/1")
    assert (prediction.verdict, prediction.threshold) == (Verdict.PREDICTED, 0.5)


def test_null_is_the_number_that_the_contract_says():
    null, zero = (subscriber(1) | {"fee": fee} for fee in (None, 0))
    assert len({each.probability for each in predicted(scorer(), record(null), record(zero))}) == 1


def test_the_label_says_that_the_threshold_is_reached():
    words = record(subscriber(5))
    [at] = predicted(scorer(), words)
    for threshold, label in [(at.probability, True), (math.nextafter(at.probability, 1), False)]:
        [again] = predicted(scorer(model(threshold=threshold)), words)
        assert again.label is label


def test_a_model_may_use_some_features_only():
    few = predicted(scorer(model(features=("fee",))), record(subscriber(7)))
    assert few[0].verdict is Verdict.PREDICTED


@given(st.lists(st.integers(0, 10**5), max_size=20), st.lists(st.integers(0, 20), max_size=5))
def test_any_batches_give_the_same_bytes(numbers, cuts):
    records = [record(subscriber(number), place) for place, number in enumerate(numbers)]
    whole = scorer().receive(records).values
    parts = []
    for start, stop in zip(edges := sorted({0, *cuts, len(records)}), edges[1:], strict=False):
        parts += scorer().receive(records[start:stop]).values
    assert parts == whole


POISON = {
    "missing field": ({"id": "p", "months": 1, "plan": "full"}, Fault.MISSING_FIELD),
    "text for a number": (subscriber(1) | {"id": "p", "months": "x"}, Fault.NOT_A_NUMBER),
    "unknown category": (subscriber(1) | {"id": "p", "plan": "gold"}, Fault.UNKNOWN_CATEGORY),
    "below its range": (subscriber(1) | {"id": "p", "months": -1}, Fault.OUT_OF_RANGE),
    "a megabyte": (subscriber(1) | {"id": "p", "plan": "x" * 10**6}, Fault.TOO_LONG),
    "not JSON": (b"no json", Fault.NOT_JSON),
    "not UTF-8": (b'{"id": "\xff"}', Fault.NOT_UTF8),
    "a list": (b'["p", "1"]', Fault.WRONG_SHAPE),
}


@pytest.mark.parametrize(("words", "fault"), POISON.values(), ids=POISON)
def test_a_record_that_breaks_its_contract_becomes_a_dead_letter(words, fault):
    bad = record(words, 7, key="p")
    outcome = scorer().receive([record(subscriber(1)), bad, record(subscriber(2))])
    assert [key for key, _ in outcome.values] == ["S-00001", "S-00002"]
    [letter] = outcome.dead_letters
    assert (letter.fault, letter.original, letter.key) == (fault, bad.value, "p")
    assert (letter.source, letter.position) == ("subs", "1:7")
    assert 0 < len(letter.detail) < 500


def test_a_record_under_another_key_than_its_own_becomes_a_dead_letter():
    outcome = scorer().receive([record(subscriber(1), key="S-9")])
    [letter] = outcome.dead_letters
    assert (outcome.values, letter.fault) == ([], Fault.WRONG_SHAPE)
    assert letter.detail == "$.id: the record of 'S-00001' lies under the key 'S-9'"


def test_without_a_model_the_verdict_says_so():
    [none] = predicted(scorer(None), record(subscriber(1)))
    assert (none.verdict, none.model) == (Verdict.NO_MODEL, "")
    assert (none.probability, none.label, none.threshold) == (None, False, None)


def test_a_model_says_nothing_of_records_that_the_log_took_after_it_expired():
    machine = scorer(model(expires_time_ns=1000))
    in_time, late, unknown = predicted(
        machine,
        record(subscriber(1), **{APPENDED_TIME: "1000"}),
        record(subscriber(2), **{APPENDED_TIME: "1001"}),
        record(subscriber(3)),
    )
    assert (in_time.verdict, unknown.verdict) == (Verdict.PREDICTED, Verdict.PREDICTED)
    assert (late.verdict, late.probability, late.label) == (Verdict.MODEL_EXPIRED, None, False)
    assert (late.model, late.threshold) == ("subscribers/1", 0.5)


def test_a_model_is_swapped_between_two_records():
    machine = scorer(None)
    labels = [predicted(machine, record(subscriber(1)))[0].model]
    for each in (MODEL, model("subscribers/2", ("months",)), None):
        machine.swap(each)
        labels.append(predicted(machine, record(subscriber(1)))[0].model)
    assert labels == ["", "subscribers/1", "subscribers/2", ""]


def test_a_model_of_another_contract_is_refused_and_the_present_one_stays():
    machine = scorer()
    with pytest.raises(ForeignFeaturesError):
        machine.swap(model("subscribers/2", feature_set="another"))
    assert predicted(machine, record(subscriber(1)))[0].model == "subscribers/1"


def test_there_is_nothing_to_remember():
    machine = scorer()
    machine.receive([record(subscriber(1))])
    assert machine.snapshot() == {}
    machine.restore({})
