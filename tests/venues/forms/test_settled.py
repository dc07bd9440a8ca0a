import json
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from barograph.venues.entries import Dialect
from barograph.venues.forms.reader import FormReader
from recorded_forms import FORMS, exchange, flat, invented

QUOTES = invented(5)


def settled(objects, zone=UTC):
    reader = FormReader(zone)
    reader.settle(json.dumps(each).encode() for each in objects)
    (only,) = reader.forms
    return only


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("exchange", "Exchange frames, venue's clock `time`, sizes, ids"),
        ("advanced", "Advanced Trade frames, venue's clock `timestamp`, sizes, no ids"),
        ("flat", "flat, venue's clock `timestamp`, sizes, no ids"),
        ("flat ws", "flat, venue's clock `ws_timestamp`, received `received_at`, sizes, no ids"),
        (
            "flat epoch",
            "flat, venue's clock `timestamp` (ns), received `received_at` (ns), sizes, no ids",
        ),
        (
            "data",
            "Exchange frames in `data`, venue's clock `time`, received `received_at`, sizes, ids",
        ),
        ("raw", "Exchange frames in `raw`, venue's clock `time`, sizes, ids"),
        (
            "fields in data",
            "fields in `data`, venue's clock `timestamp`, received `recv_ts` (ms), sizes, no ids",
        ),
    ],
)
def test_what_was_settled_is_said_in_a_line(form, line):
    assert settled([FORMS[form](quote) for quote in QUOTES]).line == line


@pytest.mark.parametrize("zone", [UTC, ZoneInfo("Europe/Paris")], ids=str)
def test_times_without_a_zone_are_said_to_be_read_in_one(zone):
    naive = [flat(q) | {"timestamp": f"2026-02-02T02:40:0{n}"} for n, q in enumerate(QUOTES)]
    assert f"`timestamp`, times without a zone read as {zone}, " in settled(naive, zone).line
    known = [flat(q) | {"timestamp": f"2026-02-02T02:40:0{n}Z"} for n, q in enumerate(QUOTES)]
    assert "zone" not in settled(known, zone).line


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"timestamp": "2026-02-02T02:40:00Z", "price": "1", "volume": "2"}, "no product"),
        ({"unix_timestamp": 5, "bid": "1", "ask": "2"}, "no product"),
        ({"product_id": "P", "price": "1", "time": 5}, "trades without bid and ask"),
        ({"product_id": "P", "bid": "1", "ask": "2"}, "no time"),
        (
            {"timestamp": 5, "bid": 1, "ask": 2, "return_1s": 0, "ret_5s": 0, "volatility_9s": 0},
            "a table of features",
        ),
    ],
)
def test_what_makes_no_tick_says_why(row, says):
    only = settled([row] * 3)
    assert says in only.problem
    assert says in only.line
    assert only.cure


def test_ids_or_sides_make_frames_of_the_exchange_feed():
    assert settled([flat(q, trade_id=1) for q in QUOTES]).dialect is Dialect.EXCHANGE
    assert settled([flat(q, trade_id="") for q in QUOTES]).dialect is Dialect.ADVANCED


def test_a_frames_own_time_that_the_machine_cannot_read_is_written_anew():
    frames = [exchange(quote) | {"time": quote["time_ns"]} for quote in QUOTES]
    assert settled(frames).rewritten is not None
    assert settled([exchange(quote) for quote in QUOTES]).rewritten is None
