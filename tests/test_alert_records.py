"""Alerts and health samples as records of a log: bounds, keys and identities."""

import inspect
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph import alert_records, codec
from barograph.alert_records import AlertRecord, Change, HealthSample, Undelivered, identity
from barograph.codec import UnreadableError
from barograph.types import Record

ALERT = AlertRecord(
    id=identity("probability", "spikes", "BTC-USD", 7, "spikes/1"),
    rule="probability",
    subject="BTC-USD",
    change=Change.BEGAN,
    time_ns=9,
    started_ns=7,
    probability=0.5,
)
SAMPLE = HealthSample(time_ns=3, source="monitor", measures={"feed_age_s": 1.5, "lag_s:x": None})
WORDS = [
    (codec.decode_alert, ALERT, ALERT.id),
    (codec.decode_health, SAMPLE, "monitor"),
    (codec.decode_undelivered, Undelivered(sink="w", reason="500", attempts=2, alert=ALERT), "w"),
]


def record(key, value):
    return Record("alerts", 0, 0, key, value)


@pytest.mark.parametrize(("decode", "word", "key"), WORDS)
def test_a_word_comes_back_from_its_bytes_under_its_own_key_only(decode, word, key):
    assert decode.of(record(key, codec.encode(word))) == word
    with pytest.raises(UnreadableError, match="lies under the key"):
        decode.of(record("another", codec.encode(word)))


@pytest.mark.parametrize(("decode", "word"), [each[:2] for each in WORDS])
def test_words_are_frozen_and_say_their_kind_and_version(decode, word):
    config = type(word).__struct_config__
    assert config.frozen
    assert re.fullmatch(r"[a-z]+/1", config.tag)
    with pytest.raises(UnreadableError):
        decode(codec.encode(word).replace(b"/1", b"/9"))


def test_a_measure_that_is_no_finite_number_is_refused():
    value = codec.encode(SAMPLE).replace(b"1.5", b"1e39")
    with pytest.raises(UnreadableError):
        codec.decode_health(value)


@given(st.lists(st.text(), min_size=1, max_size=4), st.lists(st.text(), min_size=1, max_size=4))
def test_identities_are_short_ascii_and_differ_with_their_parts(one, other):
    assert re.fullmatch("[0-9a-f]{24}", identity(*one))
    differ = "\0".join(one) != "\0".join(other)
    assert (identity(*one) != identity(*other)) is differ


def test_the_changes_of_one_alert_have_keys_of_their_own():
    keys = {msgspec.structs.replace(ALERT, change=change).key for change in Change}
    assert len(keys) == len(Change)
    assert all(key.startswith(ALERT.id) for key in keys)


def test_every_time_says_its_unit():
    for _, word in inspect.getmembers(alert_records, inspect.isclass):
        if issubclass(word, msgspec.Struct):
            names = [field.name for field in msgspec.structs.fields(word) if "time" in field.name]
            assert all(name.endswith("_ns") for name in names)
