import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.types import Fault, Gap, GapCause, Heartbeat, Tick
from barograph.venues.coinbase.exchange import ExchangeFeed
from barograph.venues.continuity import Continuity
from barograph.venues.entries import Dialect, Opening
from barograph.venues.holes import Holes
from coinbase_messages import START, TICKER, S, at, faults, feed, gaps, heartbeat, match, ticker

FIRST = TICKER["trade_id"]


def kinds(events):
    return [type(event) for event in events]


def test_an_id_that_leaps_is_refused_and_the_next_tick_stands_behind_a_gap():
    events, letters = feed(
        ExchangeFeed(), ticker(0), ticker(1, trade_id=2**63 - 1), ticker(2), ticker(3)
    )
    assert faults(letters) == [Fault.IMPLAUSIBLE]
    assert kinds(events) == [Tick, Gap, Tick, Tick]
    assert (events[1].cause, events[1].start_ns) == (GapCause.REFUSED, START)


def test_a_heartbeat_that_leaps_is_refused_and_mutes_nothing():
    events, letters = feed(
        ExchangeFeed(), ticker(0), heartbeat(1, 10**15), ticker(1), ticker(2), heartbeat(2, 2)
    )
    assert faults(letters) == [Fault.IMPLAUSIBLE]
    assert kinds(events) == [Tick, Tick, Tick, Heartbeat]


def test_ids_that_begin_again_are_believed_when_three_follow_each_other():
    again = [ticker(n, trade_id=n) for n in range(1, 6)]
    events, letters = feed(ExchangeFeed(), ticker(0), *again)
    assert faults(letters) == [Fault.IMPLAUSIBLE] * 2
    assert kinds(events) == [Tick, Gap, Tick, Tick, Tick]
    gap = events[1]
    assert (gap.cause, gap.missing) == (GapCause.REFUSED, None)
    assert (gap.start_ns, gap.end_ns) == (START, START + 3 * S)


def test_ids_that_go_back_a_little_with_news_begin_again_too():
    again = [ticker(9 + n, trade_id=FIRST + n) for n in range(1, 6)]
    events, letters = feed(ExchangeFeed(), ticker(0), ticker(5, trade_id=FIRST + 9), *again)
    assert faults(letters) == [Fault.IMPLAUSIBLE] * 2
    assert [event.trade_id - FIRST for event in events[3:] if isinstance(event, Tick)] == [3, 4, 5]


def test_a_repeat_and_a_late_ticker_have_their_old_times_and_break_nothing():
    events, letters = feed(ExchangeFeed(), *(ticker(n) for n in (0, 1, 2, 1, 0, 2, 3)))
    assert faults(letters) == [Fault.DUPLICATE] * 3
    assert gaps(events) == []


def test_two_counts_in_turn_let_the_believed_one_pass_behind_a_gap_each_time():
    turns = [ticker(n, trade_id=FIRST + n if n % 2 else n) for n in range(1, 9)]
    events, letters = feed(ExchangeFeed(), ticker(0), *turns)
    assert faults(letters) == [Fault.IMPLAUSIBLE] * 4
    assert kinds(events) == [Tick, Tick, Gap, Tick, Gap, Tick, Gap, Tick]


def test_heartbeats_of_another_count_are_believed_when_three_follow_each_other():
    beats = [heartbeat(n, 0, last_trade_id=n) for n in range(1, 5)]
    events, letters = feed(ExchangeFeed(), ticker(0), *beats, ticker(5, trade_id=6))
    assert faults(letters) == [Fault.IMPLAUSIBLE] * 2
    assert kinds(events) == [Tick, Gap, Heartbeat, Gap, Heartbeat, Gap, Tick]
    assert [gap.missing for gap in gaps(events)] == [None, 1, 1]


def test_behind_a_reconnect_an_id_may_be_any_and_what_a_leap_misses_is_not_known():
    machine = ExchangeFeed()
    feed(machine, ticker(0))
    machine.holes.close("c")
    events, letters = feed(machine, ticker(1, trade_id=2**63 - 1), connection="new")
    assert letters == []
    assert [(gap.cause, gap.missing) for gap in gaps(events)] == [(GapCause.DISCONNECT, None)]
    events, letters = feed(machine, *(ticker(n) for n in range(2, 6)), connection="new")
    assert faults(letters) == [Fault.IMPLAUSIBLE] * 2
    assert kinds(events) == [Gap, Tick, Tick]


def test_a_product_that_moves_with_a_leap_has_a_gap():
    machine = ExchangeFeed()
    feed(machine, ticker(0))
    events, _ = feed(machine, ticker(1, trade_id=10**15), connection="other")
    assert [(gap.cause, gap.missing) for gap in gaps(events)] == [(GapCause.TRADE_ID, None)]
    events, _ = feed(machine, heartbeat(2, 2 * 10**15))
    assert [(gap.cause, gap.missing) for gap in gaps(events)] == [(GapCause.HEARTBEAT, None)]


def test_a_match_that_leaps_does_not_wait():
    continuity = Continuity()
    _, letters = feed(
        ExchangeFeed(holes=Holes(continuity)), ticker(0), match(1, trade_id=2**63 - 1)
    )
    assert faults(letters) == [Fault.IMPLAUSIBLE]
    assert continuity.lines["BTC-USD"].waiting == {}


def test_a_hole_before_an_id_that_leaps_is_not_asked_for():
    machine = ExchangeFeed()
    machine.open(Opening(connection="c", dialect=Dialect.EXCHANGE, fill=True))
    events, _ = feed(machine, ticker(0), ticker(1, trade_id=10**15), heartbeat(1, 10**15))
    assert kinds(events) == [Tick]
    events, _ = feed(machine, heartbeat(2, 0), ticker(1, time=at(3)))
    assert kinds(events) == [Gap, Heartbeat, Tick]


def test_the_recorders_clock_tells_no_repeat_from_news_but_how_far_an_id_goes_back_does():
    machine = ExchangeFeed()
    machine.open(Opening(connection="c", dialect=Dialect.EXCHANGE, event_clock="recorder"))
    _, letters = feed(machine, ticker(0), ticker(1), ticker(2, trade_id=FIRST))
    assert faults(letters) == [Fault.DUPLICATE]
    events, letters = feed(machine, *(ticker(n, trade_id=n) for n in range(3, 7)))
    assert faults(letters) == [Fault.IMPLAUSIBLE] * 2
    assert kinds(events) == [Gap, Tick, Tick]


@pytest.mark.parametrize(
    "bad", [{"trade_id": -5}, {"price": "NaN"}, {"best_bid": "1e9"}, {"price": ["1"]}]
)
@pytest.mark.parametrize("fill", [True, False])
def test_a_ticker_that_is_refused_breaks_its_line_where_ids_tell_nothing(bad, fill):
    machine = ExchangeFeed()
    machine.open(Opening(connection="c", dialect=Dialect.EXCHANGE, fill=fill))
    plain = {"trade_id": None}
    feed(machine, ticker(0, **plain))
    events, _ = feed(machine, ticker(1) | bad, heartbeat(2, 0, last_trade_id=None))
    assert [gap.cause for gap in gaps(events)] == [GapCause.REFUSED]


def test_a_refused_ticker_ends_the_hole_that_its_product_is_held_for():
    machine = ExchangeFeed()
    machine.open(Opening(connection="c", dialect=Dialect.EXCHANGE, fill=True))
    feed(machine, ticker(0), ticker(5))
    events, letters = feed(machine, ticker(6, price="NaN"), ticker(7, trade_id=FIRST + 6))
    assert kinds(events) == [Gap, Tick, Gap, Tick]
    assert faults(letters) == [Fault.NOT_A_NUMBER]


def test_a_state_from_before_numbers_were_doubted_is_taken_up_and_is_not_muted():
    machine = ExchangeFeed()
    feed(machine, ticker(0))
    state = msgspec.json.decode(machine.holes.continuity.snapshot())
    for part in (*state["lines"].values(), *state["connections"].values()):
        for name in ("doubt", "beat_doubt"):
            part.pop(name, None)
    state["lines"]["BTC-USD"]["trade_id"] = 2**63 - 1
    state["lines"]["BTC-USD"]["tick"]["trade_id"] = 2**63 - 1
    machine.holes.continuity.restore(msgspec.json.encode(state))
    events, letters = feed(machine, *(ticker(n) for n in range(1, 5)))
    assert faults(letters) == [Fault.IMPLAUSIBLE] * 2
    assert kinds(events) == [Gap, Tick, Tick]


def connected(fill=True):
    machine = ExchangeFeed()
    machine.open(Opening(connection="c", dialect=Dialect.EXCHANGE, fill=fill))
    return machine


def reconnect(machine):
    machine.holes.close("c")
    machine.open(Opening(connection="new", dialect=Dialect.EXCHANGE, fill=True))


ANOTHER = [
    {"time": at(0.8)},
    {"price": "103472.27"},
    {"last_size": "0.5"},
    {"time": at(0.8), "price": "103470", "last_size": "0.7"},
]


@pytest.mark.parametrize("other", ANOTHER)
def test_ids_that_stand_still_across_a_reconnect_prove_nothing(other):
    """The last id before and the first one after are one, and the trades are two."""
    machine = connected()
    feed(machine, ticker(0))
    reconnect(machine)
    events, letters = feed(machine, ticker(0, **other), connection="new")
    assert letters == []
    assert kinds(events) == [Gap, Tick]
    assert (events[0].cause, events[0].missing) == (GapCause.DISCONNECT, None)


def test_a_volume_that_grew_by_more_than_the_one_trade_tells_of_others():
    machine = connected()
    feed(machine, ticker(0))
    reconnect(machine)
    once_more = ticker(0, volume_24h="5461.75")
    events, letters = feed(machine, once_more, heartbeat(0, 0, time=at(0.3)), connection="new")
    assert letters == []
    assert kinds(events) == [Gap, Tick, Heartbeat]


def test_an_id_that_only_a_heartbeat_named_is_no_trade_of_later():
    machine = connected()
    feed(machine, heartbeat(0, 0))
    reconnect(machine)
    events, letters = feed(machine, ticker(0, time=at(1.2)), connection="new")
    assert letters == []
    assert [(gap.cause, gap.missing) for gap in gaps(events)] == [(GapCause.DISCONNECT, None)]


def test_ids_that_begin_again_behind_a_reconnect_prove_nothing():
    machine = connected()
    feed(machine, ticker(0), ticker(1, time=at(0.3)))
    reconnect(machine)
    events, _ = feed(machine, ticker(0, time=at(0.6)), connection="new")
    assert [(gap.cause, gap.missing) for gap in gaps(events)] == [(GapCause.DISCONNECT, None)]


@pytest.mark.parametrize("quote", [{}, {"best_bid": "103472.20"}])
def test_the_same_trade_repeated_behind_a_reconnect_still_proves_a_hole_whole(quote):
    machine = connected()
    feed(machine, ticker(0))
    reconnect(machine)
    old = match(0, type="last_match")
    events, _ = feed(
        machine, old, ticker(0, **quote), heartbeat(0, 0, time=at(0.3)), connection="new"
    )
    assert gaps(events) == []


@pytest.mark.parametrize("name", ["price", "last_size", "best_bid"])
def test_ids_that_stand_still_on_one_connection_are_refused_and_mute_nothing(name):
    still = [ticker(0, **{name: f"{n}.5", "time": at(n)}) for n in range(1, 7)]
    events, letters = feed(connected(), ticker(0), *still)
    assert faults(letters) == [Fault.IMPLAUSIBLE] * 4
    assert kinds(events) == [Tick, Gap, Tick, Gap, Tick]


@pytest.mark.parametrize(
    "news",
    [match(0, price="103470"), match(0, size="0.5"), match(-1, time=at(2.5))],
)
def test_a_match_that_is_news_under_a_known_id_takes_the_proof_from_the_next_heartbeat(news):
    machine = connected()
    feed(machine, ticker(-1), ticker(0))
    reconnect(machine)
    _, letters = feed(machine, news, connection="new")
    assert faults(letters) == [Fault.IMPLAUSIBLE]
    events, letters = feed(machine, heartbeat(3, 0), heartbeat(4, 0), connection="new")
    assert kinds(events) == [Gap, Heartbeat, Heartbeat]
    assert events[0].missing is None


def test_a_count_that_was_in_doubt_when_its_connection_was_lost_proves_nothing():
    machine = connected()
    feed(machine, ticker(0), ticker(10**6, time=at(0.2)))
    reconnect(machine)
    events, _ = feed(machine, heartbeat(0, 0, time=at(0.9)), connection="new")
    assert [gap.missing for gap in gaps(events)] == [None]


@given(
    st.integers(0, 4),
    st.booleans(),
    st.lists(st.tuples(st.sampled_from(["beat", "match", "tick"]), st.integers(0, 3)), max_size=4),
    st.integers(-3, 0),
)
def test_whatever_is_heard_first_no_other_trade_under_a_known_id_passes_without_a_gap(
    before, beaten, first, back
):
    """The ids after a reconnect are those of before, and so many trades happened between."""
    machine = connected()
    feed(machine, *(ticker(n, time=at(n / 10)) for n in range(before + 1)))
    if beaten:
        feed(machine, heartbeat(0, before, time=at(before / 10 + 0.01)))
    reconnect(machine)
    heard = []
    for n, (kind, late) in enumerate(first, 1):
        when = {"time": at(5 + n - late / 10)}
        number = before + back
        message = {
            "beat": heartbeat(0, before, **when),
            "match": match(number, **when, price="103471"),
            "tick": ticker(number, **when, price="103471"),
        }[kind]
        events, letters = feed(machine, message, connection="new")
        proven = kind == "beat" and n == 1
        if kind == "tick" and not letters:
            assert Gap in kinds(heard + events)
        if not proven:
            heard += events
    after = [event for event in heard if isinstance(event, Gap)]
    if any(isinstance(event, Tick) for event in heard):
        assert after
