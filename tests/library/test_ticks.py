"""What was read of ticks: nothing is lost on the way into a frame and back."""

import pickle

import numpy as np
import polars as pl
import pytest

import barograph as bg
from barograph.codec import EVENT, GAP, HEARTBEAT, TICK
from barograph.errors import BadInputError
from barograph.library.ticks import EVENT_COLUMNS, with_silences
from barograph.types import NS_PER_S

PACKED = np.dtype([(name, EVENT[name]) for name in EVENT.names])


def as_bytes(events):
    return events.astype(PACKED).tobytes()


def test_the_frame_of_ticks_gives_the_same_events_again(holed_ticks):
    again = bg.read_ticks(holed_ticks.frame)
    assert again.products == holed_ticks.products
    # exact: the same values, moved
    assert as_bytes(again.events) == as_bytes(holed_ticks.events)
    # exact: the same values, moved
    assert again.frame.equals(holed_ticks.frame)


def test_a_frame_has_every_kind_of_event_and_null_for_what_it_does_not_have(holed_ticks):
    frame = holed_ticks.frame
    assert set(frame.columns) == EVENT_COLUMNS
    assert set(frame["kind"].unique()) == {"tick", "heartbeat", "gap"}
    beats = frame.filter(pl.col("kind") == "heartbeat")
    assert beats["bid"].null_count() == beats["trade_id"].null_count() == len(beats)
    gaps = frame.filter(pl.col("kind") == "gap")
    assert (gaps["gap_start_ns"] < gaps["event_time_ns"]).all()
    ticks = frame.filter(pl.col("kind") == "tick")
    assert ticks["gap_start_ns"].null_count() == len(ticks)
    assert set(ticks["side"].unique()) == {"buy", "sell"}


def test_rows_that_were_taken_out_of_a_frame_leave_a_gap(holed_ticks):
    time = pl.col("event_time_ns")
    start = holed_ticks.frame["event_time_ns"].min() + 100 * NS_PER_S
    end = start + 60 * NS_PER_S
    kept = holed_ticks.frame.filter((time < start) | (time > end))
    X = bg.features(bg.read_ticks(kept))
    inside = X.frame.filter(
        pl.col("second") > start // NS_PER_S + 3, pl.col("second") < end // NS_PER_S - 3
    )
    assert len(inside) == 0
    assert len(X) > 1000


def test_only_silences_beyond_the_time_out_become_gaps():
    events = np.zeros(6, EVENT)
    events["event_time_ns"] = np.array([0, 10, 21, 11, 40, 41]) * NS_PER_S
    events["product"] = [0, 0, 0, 1, 1, 1]
    events["kind"] = [TICK, HEARTBEAT, TICK, TICK, GAP, TICK]
    assert with_silences(events, None) is events
    made = with_silences(events, 10.0)
    assert made["kind"].tolist() == [TICK, HEARTBEAT, GAP, TICK, TICK, GAP, TICK]
    assert made[2]["gap_start_ns"] == 10 * NS_PER_S
    assert made[2]["event_time_ns"] == 21 * NS_PER_S


def test_what_could_not_be_used_is_kept_with_its_reason(tmp_path, holed):
    path = tmp_path / "damaged.ndjson"
    path.write_bytes(b"not a frame\n" + holed.read_bytes())
    ticks = bg.read_ticks(path)
    assert ticks.refused == {"not_json": 1}
    [letter] = ticks.dead_letters.to_dicts()
    assert (letter["position"], letter["original"]) == ("1", b"not a frame")
    assert list(ticks.forms) == ["damaged.ndjson"]
    assert len(bg.read_ticks(holed)) == len(ticks)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (pl.col("kind").cast(pl.String).replace("tick", "quote"), "kind is one of"),
        (pl.lit(None, pl.String).alias("product"), "product is never null"),
        (-pl.col("event_time_ns"), "a time from 1970"),
        (pl.col("ask") - 10**6, "an ask that is not below it"),
        (pl.lit("x").alias("bid"), "it is not what read_ticks returned"),
    ],
)
def test_a_frame_of_events_that_was_changed_is_refused(holed_ticks, change, why):
    with pytest.raises(BadInputError, match=why):
        bg.read_ticks(holed_ticks.frame.with_columns(change))


def test_ticks_are_taken_as_a_table_and_shown(holed_ticks):
    # exact: the same values, moved
    assert pl.DataFrame(holed_ticks).equals(holed_ticks.frame)
    assert repr(holed_ticks).startswith("Ticks of 2 products (")
    some = bg.read_ticks(holed_ticks.frame, products=["ETH-USD"])
    assert some.products == ("ETH-USD",)


def test_they_stay_what_they_are_and_are_pickled(holed_ticks):
    with pytest.raises(AttributeError, match="Ticks is immutable"):
        holed_ticks.frame = 1
    again = pickle.loads(pickle.dumps(holed_ticks))  # noqa: S301 - our own bytes
    # exact: the same values, moved
    assert again.frame.equals(holed_ticks.frame)
