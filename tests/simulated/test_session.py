"""One reader's connection: how events become groups, bursts and numbers that begin anew."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from barograph.simulated.fault_script import FaultKind, ScriptedFault
from barograph.simulated.faults import Began, Close, Send
from barograph.simulated.session import Session
from barograph.venues.entries import Dialect
from market_events import PRODUCTS, START_NS, S, beat, message_of, minute, subscribed, trade
from random_faults import random_script


def at(seconds):
    return START_NS + int(seconds * S)


def test_a_reader_without_subscriptions_receives_nothing_but_may_be_cut_off():
    script = [ScriptedFault(FaultKind.DISCONNECT, 30.0)]
    session = Session(Dialect.EXCHANGE, PRODUCTS, script, start_ns=START_NS, opened_ns=START_NS)
    assert session.subscribed == {}
    assert session.advance(minute(), at(60)) == [Close(at(30), 0)]


def test_a_reader_hears_what_comes_after_its_subscription():
    session = subscribed()
    actions = session.advance([trade(1), beat(1.5, 1)], at(2))
    assert [action.frame.channel for action in actions] == ["matches", "ticker", "heartbeat"]
    assert [action.frame.time_ns for action in actions] == [at(1), at(1), at(1.5)]
    assert session.subscribed["ticker"] == list(PRODUCTS)


def test_trades_of_one_moment_stand_in_one_frame_of_advanced_trade():
    session = subscribed(Dialect.ADVANCED)
    actions = session.advance([trade(1, 1), trade(2, 1), trade(3, 2)], at(3))
    assert [[p.trade_id for p in action.frame.prints] for action in actions] == [[1, 2], [3]]


def test_a_window_gathers_what_follows_within_it():
    session = subscribed(Dialect.ADVANCED, window_ns=S // 4)
    times = [1.0, 1.1, 1.25, 1.26, 1.6]
    actions = session.advance([trade(n, t) for n, t in enumerate(times)], at(1.7))
    assert [[p.trade_id for p in action.frame.prints] for action in actions] == [[0, 1, 2], [3]]
    assert [action.frame.time_ns for action in actions] == [at(1.25), at(1.51)]
    (last,) = session.advance([], at(1.85))
    assert [p.trade_id for p in last.frame.prints] == [4]


def test_a_burst_of_advanced_trade_is_one_frame_of_many_tickers():
    script = [ScriptedFault(FaultKind.BURST, 10.0, seconds=5.0)]
    session = subscribed(Dialect.ADVANCED, script)
    actions = session.advance(minute(), at(60))
    sizes = [len(a.frame.prints) for a in actions if type(a) is Send and a.frame.prints]
    assert sorted(sizes)[-2:] == [1, 6]  # those of [10, 15) and the one at 15 s, when it ends
    assert Began(at(10), 0) in actions
    assert [message_of(a)["sequence_num"] for a in actions if type(a) is Send] == list(
        range(2, 2 + sum(type(a) is Send for a in actions))
    )


def test_a_burst_of_the_exchange_feed_is_frames_back_to_back():
    script = [ScriptedFault(FaultKind.BURST, 10.0, seconds=5.0)]
    session = subscribed(Dialect.EXCHANGE, script)
    assert session.advance(minute(range(10, 14)), at(14.9)) == [Began(at(10), 0)]
    actions = session.advance([], at(15))
    assert len(actions) == 12
    assert {action.frame.time_ns for action in actions} == {at(15)}
    times = [message_of(action)["time"] for action in actions]
    assert times == sorted(times)


def test_numbers_begin_anew_where_the_dialect_has_them():
    script = [ScriptedFault(FaultKind.SEQUENCE_RESTART, 10.0)]
    actions = subscribed(Dialect.ADVANCED, script).advance(minute(), at(60))
    numbers = [message_of(action)["sequence_num"] for action in actions if type(action) is Send]
    assert numbers[:20] == list(range(2, 22))
    assert numbers[20:] == list(range(100))
    assert Began(at(10), 0) in actions
    assert Began(at(10), 0) not in subscribed(Dialect.EXCHANGE, script).advance(minute(), at(60))


def test_what_a_burst_holds_when_the_line_goes_reaches_nobody():
    session = subscribed(Dialect.EXCHANGE, [ScriptedFault(FaultKind.BURST, 0.0, seconds=90.0)])
    assert session.advance(minute(), at(60)) == [Began(at(0), 0)]
    assert session.end() == []


@given(
    seed=st.integers(0, 2**32),
    n=st.integers(0, 8),
    cuts=st.lists(st.integers(0, 60), max_size=6),
    dialect=st.sampled_from(Dialect),
    window_ns=st.sampled_from([0, S // 4, 3 * S]),
)
def test_what_a_reader_receives_does_not_depend_on_how_time_was_cut(
    seed, n, cuts, dialect, window_ns
):
    script = [
        fault
        for fault in random_script(seed, n, 60, PRODUCTS)
        if fault.kind is not FaultKind.DISCONNECT and fault.kind is not FaultKind.SLOW_READER
    ]
    whole = subscribed(dialect, script, window_ns=window_ns).advance(minute(), at(61))
    session = subscribed(dialect, script, window_ns=window_ns)
    parts = []
    for start, stop in pairwise([-1, *sorted(cuts), 61]):
        events = [event for event in minute() if at(start) < event.time_ns <= at(stop)]
        parts += session.advance(events, at(max(stop, 0)))

    def sent(actions):
        return [action for action in actions if not isinstance(action, Began)]

    assert sent(parts) == sent(whole)
