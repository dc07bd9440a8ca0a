"""The books of a rehearsal: each record is due once, and what is not there or too much is named."""

from collections import Counter

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.app.runs import rehearsal_accounts
from barograph.app.runs.rehearsal_accounts import Arrival, StreamArrivals
from barograph.cases.churn import CONTRACT, invent
from barograph.cases.contract import RecordRefusedError
from barograph.cases.record_file import RecordLine
from barograph.codec import dead, encode
from barograph.types import Record, RecordPrediction, Verdict
from customers import STREAM

GOOD = list(invent(6, 1))
BAD = list(rehearsal_accounts.poisoned(CONTRACT, GOOD[0]))
MS = 10**6


def line(number, value):
    try:
        key = msgspec.json.decode(value)["customerID"]
    except msgspec.DecodeError:
        key = ""
    return RecordLine(number, key, value)


LINES = [line(number, value) for number, value in enumerate((*GOOD, *BAD, GOOD[2]))]


def arrived(topic, offset, key, value, seen_ms=0, **headers):
    headers = {"appended_time_ns": "7", **{name: str(each) for name, each in headers.items()}}
    return Arrival(Record(topic, 0, offset, key, value, headers), seen_ms * MS)


def outcome(record, seen_ms):
    """What a faultless consumer makes of a record: (which topic, its arrival)."""
    try:
        CONTRACT.decode(record.value)
    except RecordRefusedError as refused:
        letter = dead(record, refused.fault, refused.detail)
        return "dead_letters", arrived("d", record.offset, record.key, encode(letter))
    prediction = RecordPrediction(
        case="churn", key=record.key, verdict=Verdict.PREDICTED, probability=0.5, label=True,
        threshold=0.4, model="churn/1",
    )  # fmt: skip
    taken = {"seen_ms": seen_ms, "inference_ns": 9000}
    return "predictions", arrived("p", record.offset, record.key, encode(prediction), **taken)


def all_seen():
    """Everything once: record n is sent at n ms and predicted at 3n ms."""
    seen = StreamArrivals([], [], [])
    for number, each in enumerate(LINES):
        arrival = arrived("r", number, each.key, each.value, produced_time_ns=number * MS)
        seen.records.append(arrival)
        topic, made = outcome(arrival.record, 3 * number)
        getattr(seen, topic).append(made)
    return seen


def test_a_good_record_is_broken_in_each_way_that_a_contract_can_refuse():
    faults = [rehearsal_accounts.fault_of(CONTRACT, value) for value in BAD]
    assert faults == [
        "missing_field", "not_a_number", "out_of_range", "unknown_category", "too_long", "not_json",
    ]  # fmt: skip
    assert rehearsal_accounts.fault_of(CONTRACT, GOOD[0]) is None
    assert '"tenure":-1' in BAD[2].decode()
    assert len(BAD[4]) > 10**6


def test_a_contract_without_categories_is_broken_in_the_other_ways():
    good = b'{"name":"A","tenure":1,"charges":2,"calls":3}'
    broken = list(rehearsal_accounts.poisoned(STREAM.contract, good))
    faults = [rehearsal_accounts.fault_of(STREAM.contract, value) for value in broken]
    assert faults == ["missing_field", "not_a_number", "out_of_range", "too_long", "not_json"]


@given(st.integers(0, 30), st.integers(0, 8))
def test_bad_records_are_spread_and_all_keep_their_order(good, bad):
    among, records = [b"g%d" % n for n in range(good)], [b"b%d" % n for n in range(bad)]
    mixed = rehearsal_accounts.spread(records, among)
    assert [each for each in mixed if each[:1] == b"g"] == among
    assert [each for each in mixed if each[:1] == b"b"] == records
    if good > bad > 0:
        assert not {mixed[0], mixed[-1]} & set(records)


def test_where_each_record_came_to_what_it_should_the_counts_add_up():
    assert rehearsal_accounts.differences(CONTRACT, LINES, all_seen()) == (Counter(), Counter())


@given(st.data())
def test_what_is_lost_or_comes_twice_is_named(data):
    seen = all_seen()
    topic = data.draw(st.sampled_from(StreamArrivals._fields))
    arrivals = getattr(seen, topic)
    place = data.draw(st.integers(0, len(arrivals) - 1))
    key = arrivals[place].record.key or "a record without a key"
    twice = data.draw(st.booleans())
    if twice:
        arrivals.append(arrivals[place])
    else:
        del arrivals[place]
    lost, invented = rehearsal_accounts.differences(CONTRACT, LINES, seen)
    wrong, right = (invented, lost) if twice else (lost, invented)
    assert (wrong.total(), right.total()) == (1, 0)
    assert key in next(iter(wrong))


def test_a_letter_for_another_reason_is_one_lost_and_one_invented():
    seen = all_seen()
    record = seen.dead_letters[0].record
    letter = msgspec.json.decode(record.value) | {"fault": "late"}
    seen.dead_letters[0] = arrived("d", 1, record.key, msgspec.json.encode(letter))
    lost, invented = rehearsal_accounts.differences(CONTRACT, LINES, seen)
    assert (list(lost), list(invented)) == (
        ["missing_field of INVENTED-000001"],
        ["late of INVENTED-000001"],
    )


def test_the_second_record_of_a_key_goes_with_its_second_prediction():
    traces = rehearsal_accounts.traced(CONTRACT, all_seen())
    assert len(traces) == len(GOOD) + 1
    assert [trace.prediction.record.offset for trace in traces] == [
        trace.record.record.offset for trace in traces
    ]
    assert [trace.latency_ms for trace in traces] == [0, 2, 4, 6, 8, 10, 24]


def test_a_record_whose_prediction_is_lost_has_no_trace():
    seen = all_seen()
    del seen.predictions[0]
    assert len(rehearsal_accounts.traced(CONTRACT, seen)) == len(GOOD)


def test_what_no_producer_sent_has_no_trace_and_takes_no_prediction_from_others():
    seen = all_seen()
    stranger = seen.records[2].record
    seen.records[2] = arrived("r", 2, stranger.key, stranger.value)
    traces = rehearsal_accounts.traced(CONTRACT, seen)
    assert [trace.latency_ms for trace in traces] == [0, 2, 6, 8, 10, 24]


@given(st.lists(st.floats(-5, 1e6), min_size=1, max_size=50))
def test_each_latency_falls_into_its_bucket(taken_ms):
    traces = [
        rehearsal_accounts.Trace(
            arrived("r", 0, "k", b"", produced_time_ns=0),
            Arrival(Record("p", 0, 0, "k", b""), round(each * MS)),
        )
        for each in taken_ms
    ]
    latency = rehearsal_accounts.latency(traces)
    assert sum(bucket.records for bucket in latency.histogram) == latency.count == len(taken_ms)
    assert latency.p50_ms == pytest.approx(np.median(taken_ms), abs=1e-3)
    assert latency.p50_ms <= latency.p95_ms <= latency.p99_ms <= latency.max_ms
    for first, second in zip(latency.histogram, latency.histogram[1:], strict=False):
        assert first.to_ms == second.from_ms
    assert latency.histogram[-1].to_ms >= latency.max_ms * 0.999
    assert latency.histogram[0].records > 0


def test_nothing_has_no_latency_and_no_inference():
    assert rehearsal_accounts.latency([]).p99_ms is None
    assert rehearsal_accounts.inference([]).mean_us is None


def test_inference_is_what_the_header_says():
    inference = rehearsal_accounts.inference(rehearsal_accounts.traced(CONTRACT, all_seen()))
    assert (inference.mean_us, inference.p99_us) == (9.0, 9.0)


@pytest.mark.parametrize("count", [0, 1, 3, 7, 50])
def test_samples_lie_at_even_distances_and_say_where(count):
    traces = rehearsal_accounts.traced(CONTRACT, all_seen())
    samples = rehearsal_accounts.samples("stream", traces, count)
    assert len({sample.record_place for sample in samples}) == min(count, len(traces))
    for sample in samples:
        assert sample.prediction.key == sample.key
        assert sample.key in sample.record
        assert sample.prediction_place.removeprefix("p") == sample.record_place.removeprefix("r")


def test_one_letter_of_each_fault_is_shown_with_its_beginning():
    letters = [
        msgspec.json.decode(each.record.value, type=rehearsal_accounts.DeadLetter)
        for each in all_seen().dead_letters
    ]
    samples = rehearsal_accounts.refused_samples(letters * 2)
    assert len(samples) == len(BAD)
    longest = max(samples, key=lambda each: each.bytes)
    assert (longest.fault, longest.bytes > 10**6, len(longest.original) < 3000) == (
        "too_long", True, True,
    )  # fmt: skip
    assert longest.identity.startswith("r@0:")
