"""Records as typed frames, whatever their words are."""

import polars as pl
import pytest

from barograph import codec
from barograph.alert_records import HealthSample
from barograph.cases.hourly import HOURLY
from barograph.errors import BadInputError
from barograph.feature_set.catalogue import FEATURE_SET_HASH, NAMES
from barograph.library.record_frames import family_of, frame_of_words, time_ns
from barograph.types import DeadLetter, Fault, FeatureRow, Gap, GapCause, Record, Trade

NS = 10**9
COLUMNS = len(NAMES)


def record(value):
    return Record("a.topic", 0, 7, "BTC-USD", value)


def row(second=100, *, feature_set=FEATURE_SET_HASH, columns=COLUMNS):
    return FeatureRow(
        product="BTC-USD",
        second=second,
        feature_set=feature_set,
        receive_time_ns=None,
        values=[None, *([0.5] * (columns - 1))],
        reasons="1" + "0" * (columns - 1),
    )


def framed(*words, case=None):
    family = family_of(record(codec.encode(words[0])))
    return frame_of_words(family, words, case)


def test_features_stand_under_their_names():
    frame = framed(row(), row(101))
    assert frame.columns[-len(NAMES) :] == list(NAMES)
    assert frame[NAMES[0]].to_list() == [None, None]
    assert frame[NAMES[1]].dtype == pl.Float64
    assert time_ns(family_of(record(codec.encode(row()))), row()) == 101 * NS


def test_those_of_another_case_do_too():
    live = HOURLY.live
    of_hours = row(feature_set=live.feature_set, columns=len(live.columns))
    assert framed(of_hours).columns[-1] == live.columns[-1]
    assert framed(of_hours, case=HOURLY).columns[-1] == live.columns[-1]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([row(feature_set="another")], "of another version or of a case of your own"),
        ([row(), row(150, feature_set="another")], "several feature sets. Read later ones"),
        ([row(columns=3)], "another number of values"),
    ],
)
def test_features_whose_names_are_not_known_are_refused(words, why):
    with pytest.raises(BadInputError, match=why):
        framed(*words)


def test_the_words_of_a_family_share_a_frame_and_say_which_they_are():
    gap = Gap(product="A", start_ns=1, end_ns=2, cause=GapCause.SILENCE, filled=3)
    trade = Trade(
        product="A", event_time_ns=2, price="1.10", size="2", side="buy", trade_id=5, filled=True
    )
    frame = framed(gap, trade)
    assert frame["type"].to_list() == ["gap", "trade"]
    assert frame["price"].to_list() == [None, "1.10"]
    assert frame["filled"].to_list() == [3, 1]
    assert frame["cause"].dtype == pl.Enum([each.value for each in GapCause])
    assert time_ns(family_of(record(codec.encode(gap))), gap) == 2


def test_what_is_nested_is_json_and_bytes_stay_bytes():
    health = HealthSample(time_ns=5, source="monitor", measures={"lag_s": 1.5, "age_s": None})
    assert framed(health)["measures"].to_list() == ['{"lag_s":1.5,"age_s":null}']
    letter = DeadLetter(
        fault=Fault.LATE, detail="", source="s", position="1", key="k", original=b"\xff"
    )
    assert framed(letter)["original"].to_list() == [b"\xff"]
    assert time_ns(family_of(record(codec.encode(letter))), letter) is None


@pytest.mark.parametrize("value", [b"{}", b"no JSON", b'{"type":"quote/1"}'])
def test_a_record_of_another_program_is_refused(value):
    with pytest.raises(BadInputError, match=r"a.topic/0, offset 7: its record is of no type"):
        family_of(record(value))
