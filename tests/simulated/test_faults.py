"""What each fault does to frames: the machines alone, without a socket."""

import json
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.simulated.fault_script import FaultKind, ScriptedFault
from barograph.simulated.faults import (
    Began,
    Close,
    ExchangeFaults,
    Freeze,
    Lack,
    LineFaults,
    Send,
    Withhold,
)
from barograph.simulated.tape import exchange_frame, exchange_match
from barograph.simulated.voices import OutgoingFrame
from barograph.times import parse_time
from barograph.venues.entries import Dialect
from market_events import PRODUCTS, START_NS, S, beat, heard, minute, trade
from random_faults import random_script


def frame(event, channel=None):
    prints = (event,) if hasattr(event, "price") else ()
    write = exchange_match if channel == "matches" else exchange_frame
    channel = channel or ("ticker" if prints else "heartbeat")
    return OutgoingFrame(write(event), event.time_ns, channel, (event.product,), prints)


def minute_of_frames():
    return [frame(event) for event in minute()]


def at(seconds):
    return START_NS + int(seconds * S)


def line(*script, connection=1, opened_ns=START_NS):
    return LineFaults(script, connection, start_ns=START_NS, opened_ns=opened_ns)


def ids(actions):
    return [action.frame.prints[0].trade_id for action in actions if action.frame.prints]


def test_without_a_fault_frames_pass_as_they_are():
    frames = minute_of_frames()
    assert line().take(frames, at(60)) == [Send(each.data, each) for each in frames]


def test_dropped_frames_are_withheld_and_no_others():
    fault = ScriptedFault(FaultKind.DROP, 10.0, count=3, channel="ticker")
    actions = line(fault).take(minute_of_frames(), at(60))
    assert ids([each for each in actions if type(each) is Withhold]) == [10, 11, 12]
    assert {each.fault for each in actions if type(each) is Withhold} == {0}
    assert len(actions) == 120


def test_a_duplicate_follows_its_original():
    actions = line(ScriptedFault(FaultKind.DUPLICATE, 5.0)).take([frame(trade(5))], at(6))
    first, again = actions
    assert (first.data, first.fault) == (again.data, None)
    assert again.fault == 0


def test_reordered_frames_come_backwards_once_all_are_there():
    fault = ScriptedFault(FaultKind.REORDER, 5.0, count=3, channel="ticker")
    faults = line(fault)
    assert faults.take([frame(trade(5)), frame(trade(6))], at(6)) == []
    actions = faults.take([frame(beat(6.5, 6)), frame(trade(7)), frame(trade(8))], at(8))
    assert ids(actions) == [7, 6, 5, 8]
    assert [action.fault for action in actions] == [None, 0, 0, 0, None]


@pytest.mark.parametrize("leave", ["end", "disconnect"])
def test_what_waits_for_others_when_the_line_goes_never_came(leave):
    faults = line(
        ScriptedFault(FaultKind.REORDER, 5.0, count=3), ScriptedFault(FaultKind.DISCONNECT, 7.0)
    )
    faults.take([frame(trade(5)), frame(trade(6))], at(6))
    actions = faults.end() if leave == "end" else faults.take([frame(trade(8))], at(8))
    assert ids(actions[:2]) == [5, 6]
    assert {type(action) for action in actions[:2]} == {Withhold}
    assert actions[2:] == ([] if leave == "end" else [Close(at(7), 1)])


def test_garbage_is_no_json_by_turns_as_text_and_as_bytes():
    actions = line(ScriptedFault(FaultKind.GARBAGE, 0.0, count=4)).take(minute_of_frames(), at(60))
    for n, action in enumerate(actions[:4]):
        assert action.fault == 0
        with pytest.raises((json.JSONDecodeError, UnicodeDecodeError)):
            json.loads(action.data.decode())
        assert n % 2 == (action.data[:1] == b"\xff")
    assert len(heard(Dialect.EXCHANGE, [action.data for action in actions[:4]])[1]) == 4


@pytest.mark.parametrize("event", [trade(1), beat(1, 1)], ids=["ticker", "heartbeat"])
def test_wrong_types_are_json_that_the_feed_refuses(event):
    (action,) = line(ScriptedFault(FaultKind.WRONG_TYPES, 0.0)).take([frame(event)], at(2))
    assert set(json.loads(action.data)) == set(json.loads(action.frame.data))
    events, letters = heard(Dialect.EXCHANGE, [action.data])
    assert (events, len(letters)) == ([], 1)


@pytest.mark.parametrize("size_bytes", [1, 5000])
def test_an_oversized_frame_says_the_same_at_length(size_bytes):
    fault = ScriptedFault(FaultKind.OVERSIZED, 0.0, size_bytes=size_bytes)
    (action,) = line(fault).take([frame(trade(1))], at(2))
    message = json.loads(action.data)
    assert len(action.data) == max(size_bytes, len(action.frame.data) + len(',"pad":""'))
    del message["pad"]
    assert message == json.loads(action.frame.data)


def test_silence_withholds_all_frames_for_its_seconds():
    fault = ScriptedFault(FaultKind.SILENCE, 10.0, seconds=5.0)
    actions = line(fault).take(minute_of_frames(), at(60))
    silent = [action.frame.time_ns for action in actions if type(action) is Withhold]
    assert silent == [
        each.time_ns for each in minute_of_frames() if at(10) <= each.time_ns < at(15)
    ]


def test_a_half_open_line_says_nothing_more_not_even_answers():
    faults = line(
        ScriptedFault(FaultKind.DUPLICATE, 10.0, count=100),
        ScriptedFault(FaultKind.HALF_OPEN, 10.0),
    )
    actions = faults.take(minute_of_frames(), at(60))
    assert actions[20] == Freeze(at(10), 1)
    assert {type(action) for action in actions[:20]} == {Send}
    assert {type(action) for action in actions[21:]} == {Withhold}
    answer = OutgoingFrame(b"{}", at(61), "subscriptions")
    assert faults.take([answer], at(61)) == [Withhold(answer, 1)]


@pytest.mark.parametrize(
    ("fault", "code", "reason"),
    [
        (ScriptedFault(FaultKind.DISCONNECT, 10.0), None, ""),
        (ScriptedFault(FaultKind.DISCONNECT, 10.0, code=1012), 1012, ""),
        (ScriptedFault(FaultKind.SLOW_READER, 10.0), 1008, "slow reader"),
    ],
)
def test_nothing_follows_a_close(fault, code, reason):
    faults = line(fault)
    actions = faults.take(minute_of_frames(), at(60))
    assert actions[-1] == Close(at(10), 0, code, reason)
    assert len(actions) == 21
    assert faults.closed


def test_time_alone_closes_a_line_on_which_nothing_is_sent():
    faults = line(ScriptedFault(FaultKind.DISCONNECT, 10.0))
    assert faults.take([], at(9.9)) == []
    assert faults.take([], at(10)) == [Close(at(10), 0)]


def test_a_clock_that_jumped_shifts_all_later_event_times():
    faults = line(ScriptedFault(FaultKind.CLOCK_JUMP, 10.0, seconds=-3.5))
    actions = faults.take(minute_of_frames(), at(60))
    assert actions[20] == Began(at(10), 0)
    for action in actions[21:]:
        shown = parse_time(json.loads(action.data)["time"])
        assert shown - action.frame.time_ns == -3.5 * S
        assert action.fault == 0
    assert [action.data for action in actions[:20]] == [
        each.data for each in minute_of_frames()[:20]
    ]


def test_jumps_of_the_clock_add_up_and_stay_for_later_connections():
    jumps = [ScriptedFault(FaultKind.CLOCK_JUMP, at_s, seconds=2.0) for at_s in (1.0, 3.0)]
    (*_, action) = line(*jumps, opened_ns=at(8)).take([frame(trade(9))], at(10))
    assert parse_time(json.loads(action.data)["time"]) == at(9 + 4)


def test_a_fault_strikes_the_product_and_the_channel_that_it_names():
    fault = ScriptedFault(FaultKind.DROP, 0.0, count=99, product="ETH-USD", channel="matches")
    events = [trade(1), trade(1, product="ETH-USD")]
    frames = [frame(event, channel) for event in events for channel in ("matches", "ticker")]
    withheld = [
        action.frame for action in line(fault).take(frames, at(5)) if isinstance(action, Withhold)
    ]
    assert withheld == [frames[2]]


def test_answers_are_spared_where_no_channel_is_named():
    answer = OutgoingFrame(b'{"type":"subscriptions"}', at(1), "subscriptions")
    drop = ScriptedFault(FaultKind.DROP, 0.0)
    assert line(drop).take([answer], at(1)) == [Send(answer.data, answer)]
    named = ScriptedFault(FaultKind.DROP, 0.0, channel="subscriptions")
    assert line(named).take([answer], at(1)) == [Withhold(answer, 0)]


def test_a_fault_of_one_connection_counts_from_its_opening():
    fault = ScriptedFault(FaultKind.DISCONNECT, 2.0, connection=2)
    assert line(fault, connection=1).take([], at(60)) == []
    assert line(fault, connection=2, opened_ns=at(30)).take([], at(60)) == [Close(at(32), 0)]


def test_a_later_connection_is_spared_what_is_over_and_shares_what_lasts():
    script = [
        ScriptedFault(FaultKind.DROP, 1.0),
        ScriptedFault(FaultKind.DISCONNECT, 2.0),
        ScriptedFault(FaultKind.SILENCE, 3.0, seconds=20.0),
    ]
    actions = line(*script, opened_ns=at(10)).take(minute_of_frames()[20:], at(60))
    assert {action.fault for action in actions if type(action) is Withhold} == {2}
    assert actions[-1] == Send(minute_of_frames()[-1].data, minute_of_frames()[-1])


@given(
    seed=st.integers(0, 2**32),
    n=st.integers(0, 12),
    cuts=st.lists(st.integers(0, 120), max_size=4),
    opened_s=st.integers(0, 40),
)
def test_every_frame_is_accounted_for_however_it_is_cut(seed, n, cuts, opened_s):
    """Until the line closes each frame is sent or withheld, and cuts in time change nothing."""
    script = random_script(seed, n, 60, PRODUCTS)
    frames = [each for each in minute_of_frames() if each.time_ns >= at(opened_s)]
    whole = line(*script, opened_ns=at(opened_s))
    expected = whole.take(frames, at(60)) + whole.end()
    parts, actions = line(*script, opened_ns=at(opened_s)), []
    places = [0, *sorted(min(cut, len(frames)) for cut in cuts), len(frames)]
    for start, stop in pairwise(places):
        if not parts.closed:
            part = frames[start:stop]
            actions += parts.take(part, part[-1].time_ns if part else at(opened_s))
    if not parts.closed:
        actions += parts.take([], at(60)) + parts.end()
    assert actions == expected
    accounted = {id(action.frame) for action in expected if isinstance(action, Send | Withhold)}
    until_ns = next((a.time_ns for a in expected if isinstance(a, Close)), at(60))
    assert accounted == {id(each) for each in frames if each.time_ns < until_ns}


def test_a_halted_product_trades_no_more_and_beats_on():
    fault = ScriptedFault(FaultKind.HALT, 10.0, seconds=5.0, product="BTC-USD")
    events = sorted(minute() + minute(product="ETH-USD"), key=lambda event: event.time_ns)
    kept, struck = ExchangeFaults([fault], START_NS).take(events)
    assert struck == {0}
    btc = [event for event in kept if event.product == "BTC-USD"]
    prints = [event for event in btc if hasattr(event, "price")]
    assert not [p for p in prints if at(10) <= p.time_ns < at(15)]
    assert [p.trade_id for p in prints] == list(range(55))
    beats = [event for event in btc if not hasattr(event, "price")]
    assert [b.last_trade_id for b in beats[8:17]] == [8, 9, 9, 9, 9, 9, 9, 10, 11]
    assert [event for event in kept if event.product == "ETH-USD"] == minute(product="ETH-USD")


def test_so_many_connections_are_refused_from_then_on():
    faults = ExchangeFaults([ScriptedFault(FaultKind.REFUSE, 10.0, count=2)], START_NS)
    assert faults.refuses(at(9)) is None
    assert [faults.refuses(at(10)) for _ in range(3)] == [0, 0, None]


def test_the_trades_endpoint_is_down_or_lacks_some_for_its_seconds():
    script = [
        ScriptedFault(FaultKind.REST_DOWN, 10.0, seconds=5.0),
        ScriptedFault(FaultKind.REST_PARTIAL, 20.0, seconds=5.0, product="ETH-USD", count=4),
    ]
    faults = ExchangeFaults(script, START_NS)
    assert faults.rest("BTC-USD", at(9.9)) is None
    assert faults.rest("BTC-USD", at(10)) == Lack(0, 0)
    assert faults.rest("BTC-USD", at(15)) is None
    assert faults.rest("BTC-USD", at(20)) is None
    assert faults.rest("ETH-USD", at(24.9)) == Lack(1, 4)


def test_a_frame_of_several_products_is_struck_for_each_of_them():
    both = OutgoingFrame(b"{}", at(1), "ticker", PRODUCTS, (trade(1), trade(1, product="ETH-USD")))
    for product in PRODUCTS:
        fault = ScriptedFault(FaultKind.DROP, 0.0, product=product)
        assert line(fault).take([both], at(1)) == [Withhold(both, 0)]


def test_a_fault_does_not_change_the_frame_that_it_tells_of():
    original = frame(trade(1))
    before = msgspec.structs.astuple(original)
    for kind in (FaultKind.GARBAGE, FaultKind.WRONG_TYPES, FaultKind.OVERSIZED):
        (action,) = line(ScriptedFault(kind, 0.0)).take([original], at(2))
        assert action.data != original.data
        assert msgspec.structs.astuple(action.frame) == before
