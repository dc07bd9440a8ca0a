"""Every form gives the ticks that the venue's own frames give, as far as it kept what they need."""

import json
from contextlib import suppress
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.types import Fault, Frame, Gap, GapCause
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.entries import Dialect, Heard, Opening
from barograph.venues.forms.reader import FormReader
from barograph.venues.refusals import FrameRefusedError
from recorded_forms import FORMS, WITH_IDS, advanced, exchange, flat, invented, iso, shuffled


def events(objects, zone=None):
    """What the machine makes of recorded objects."""
    texts = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in objects]
    reader = FormReader(zone) if zone else FormReader()
    reader.settle(texts)
    reader.restart()
    machine, heard = Coinbase(), []
    for text in texts:
        frame, dialect, form, received_ns, clock = reader.read(text)
        if form not in machine.connections:
            machine.take(Opening(connection=form, dialect=dialect, event_clock=clock))
        taken = machine.take(
            Heard(Frame(data=frame, connection=form, receive_time_ns=received_ns), dialect)
        )
        assert not taken.dead_letters
        heard += taken.events
    return heard


def values(ticks, *left_out):
    fixed = {"connection": "", "receive_time_ns": None, **dict.fromkeys(left_out)}
    return [msgspec.structs.replace(tick, **fixed) for tick in ticks]


IDS = ("trade_id", "last_size", "side", "sequence")


@pytest.mark.parametrize("form", FORMS)
@given(seed=st.integers(0, 99))
def test_every_form_gives_the_ticks_of_the_bare_frames(form, seed):
    quotes = invented(5)
    recorded = [shuffled(FORMS[form](quote), seed) for quote in quotes]
    if form in WITH_IDS:
        left_out = ("sequence",) if form == "flat ids" else ()
        bare = values(events(map(exchange, quotes)), *left_out)
        assert values(events(recorded), *left_out) == bare
    else:
        assert values(events(recorded)) == values(events(map(advanced, quotes)))


@pytest.mark.parametrize("form", sorted(WITH_IDS))
def test_lost_trades_are_a_gap_in_every_form_with_ids(form):
    recorded = [FORMS[form](quote) for quote in invented(16, lost=range(6, 10))]
    gaps = [event for event in events(recorded) if isinstance(event, Gap)]
    assert [(gap.cause, gap.missing) for gap in gaps] == [(GapCause.TRADE_ID, 4)]


@pytest.mark.parametrize("form", ["flat ws", "data", "payload", "fields in data", "pair"])
def test_the_time_of_receipt_is_kept(form):
    quotes = invented(3)
    received = [tick.receive_time_ns for tick in events(map(FORMS[form], quotes))]
    step = 1000 if form != "fields in data" else 1_000_000
    assert [ns // step for ns in received] == [q["received_ns"] // step for q in quotes]


def test_numbers_exponents_and_texts_are_the_same():
    def tiny(write):
        return [
            {"product_id": "P", "price": write("6.44e-06"), "best_bid": write("6.43e-06"),
             "best_ask": write("6.44e-06"), "timestamp": iso(quote["time_ns"])}
            for quote in invented(3)
        ]  # fmt: skip

    first = events(tiny(str))
    assert first == events(tiny(float))
    assert first[0].price == "0.00000644"


def test_a_recorders_clock_says_so():
    quotes = invented(3)
    recorded = [flat(quote) | {"timestamp": quote["time_ns"] / 1e9} for quote in quotes]
    assert {tick.event_clock for tick in events(recorded)} == {"recorder"}
    assert {tick.event_clock for tick in events(map(flat, quotes))} == {"venue"}


def test_a_value_of_another_unit_is_refused():
    reader = FormReader()
    lines = [json.dumps(flat(q) | {"timestamp": q["time_ns"]}).encode() for q in invented(3)]
    reader.settle(lines)
    reader.read(lines[0])
    in_ms = json.dumps(flat(invented(1)[0]) | {"timestamp": 1_770_000_000_008}).encode()
    for line in (in_ms, json.dumps(flat(invented(1)[0])).encode()):
        with pytest.raises(FrameRefusedError) as refused:
            reader.read(line)
        assert refused.value.fault is Fault.BAD_TIME


def test_a_snapshot_stays_one():
    first, *others = (flat(quote) for quote in invented(3))
    ticks = events([first | {"type": "snapshot"}, *(each | {"type": "update"} for each in others)])
    assert [tick.snapshot for tick in ticks] == [True, False, False]


@pytest.mark.parametrize("odd", [{"time": 1_770_000_000_008}, {"time": "2026-02-02 02:40:00.008"}])
def test_a_frame_whose_time_is_not_the_venues_text_is_read(odd):
    (tick,) = events([exchange(invented(1)[0]) | odd])
    assert tick.event_time_ns == 1_770_000_000_008_000_000


def test_local_times_follow_the_order_of_the_file():
    local = ["2025-11-02T01:59:59.5", "2025-11-02T01:00:00.2", "2025-11-02T01:00:00.9"]
    recorded = [
        {"timestamp": text, "raw": advanced(quote)["events"][0]["tickers"][0]}
        for text, quote in zip(local, invented(3), strict=True)
    ]
    ticks = events(recorded, ZoneInfo("America/New_York"))
    first_ns = ticks[0].event_time_ns
    assert [tick.event_time_ns - first_ns for tick in ticks] == [0, 700_000_000, 1_400_000_000]


def test_forms_of_a_file_have_connections_of_their_own():
    quote = invented(1)[0]
    several = ("exchange", "advanced", "flat", "data", "payload", "raw", "pair", "deep")
    lines = [json.dumps(FORMS[form](quote)).encode() for form in several]
    reader = FormReader()
    reader.settle(lines)
    names = [reader.read(line).wrapper for line in lines]
    assert len(set(names)) == len(reader.forms) == len(several)
    assert all(name.replace("-", "").isalnum() for name in names)


def test_plain_frames_pass_untouched_and_only_where_nothing_stands_beside_them():
    reader = FormReader()
    line = json.dumps(exchange(invented(1)[0])).encode()
    reader.settle([line])
    assert reader.exchange_is_plain
    assert reader.read(line).frame is line
    late = json.dumps(exchange(invented(1)[0]) | {"received_at": 1_770_000_000}).encode()
    other = FormReader()
    other.settle([late])
    assert not other.exchange_is_plain
    assert other.read(late).receive_time_ns == 1_770_000_000_000_000_000


members = st.dictionaries(
    st.sampled_from(["type", "channel", "time", "timestamp", "raw", "data", "product_id", "price",
                     "best_bid", "best_ask", "events", "trade_id", "received_at"]),
    st.none() | st.integers() | st.text(max_size=5) | st.just("ticker") | st.just("1.5")
    | st.just("2026-02-02T02:40:00Z") | st.lists(st.just({}), max_size=2),
)  # fmt: skip


@given(st.lists(st.binary(max_size=20) | members.map(msgspec.json.encode), max_size=6))
def test_any_lines_are_read_or_refused(lines):
    reader = FormReader()
    reader.settle(lines[:3])
    for line in lines:
        with suppress(FrameRefusedError):
            unwrapped = reader.read(line)
            assert isinstance(unwrapped.frame, bytes)
            assert unwrapped.dialect in Dialect
    assert all(settled.line for settled in reader.forms)
