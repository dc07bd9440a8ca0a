from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.feature_set.featurizer import Featurizer
from barograph.times import format_time
from barograph.types import MAX_PRODUCTS, Fault, Gap, GapCause, Tick
from barograph.venues.coinbase.advanced import AdvancedTrade
from barograph.venues.coinbase.exchange import ExchangeFeed
from barograph.venues.continuity import Continuity
from barograph.venues.entries import Dialect, Opening, Rules
from barograph.venues.holes import Holes
from coinbase_messages import (
    START,
    TICKER,
    S,
    beats,
    envelope,
    faults,
    feed,
    frame,
    gaps,
    heartbeat,
    match,
    ticker,
)

# Holes.


def test_a_jump_of_the_trade_id_is_a_gap_before_the_tick_that_shows_it():
    events, _ = feed(ExchangeFeed(), ticker(0), ticker(1), ticker(5))
    assert [type(event) for event in events] == [Tick, Tick, Gap, Tick]
    assert events[2] == Gap(
        product="BTC-USD",
        start_ns=START + S,
        end_ns=START + 5 * S,
        cause=GapCause.TRADE_ID,
        connection="c",
        missing=3,
    )


def test_a_jump_of_the_exchange_sequence_is_normal():
    events, _ = feed(ExchangeFeed(), ticker(0, sequence=5), ticker(1, sequence=5000))
    assert gaps(events) == []


def test_where_trade_ids_prove_nothing_a_jump_is_no_gap():
    machine = ExchangeFeed()
    machine.open(Opening(connection="c", dialect=Dialect.EXCHANGE, continuity="none"))
    same = TICKER["trade_id"]
    events, letters = feed(
        machine, ticker(0), ticker(1, trade_id=same, best_bid="1"), ticker(9), ticker(9, trade_id=7)
    )
    assert (gaps(events), letters) == ([], [])


def test_a_heartbeat_that_knows_of_a_later_trade_is_one_gap():
    events, letters = feed(ExchangeFeed(), ticker(0), heartbeat(1, 2), heartbeat(2, 2), ticker(3))
    (gap,) = gaps(events)
    assert (gap.cause, gap.missing) == (GapCause.HEARTBEAT, 2)
    assert (gap.start_ns, gap.end_ns) == (START, START + S)
    assert letters == []


def test_a_trade_that_a_heartbeat_overtook_is_still_a_tick():
    events, letters = feed(ExchangeFeed(), ticker(0), heartbeat(1, 2), ticker(1), ticker(2))
    assert letters == []
    assert sum(isinstance(event, Tick) for event in events) == 3


def test_heartbeats_keep_a_quiet_product_from_silence():
    events, _ = feed(
        ExchangeFeed(),
        ticker(0),
        heartbeat(9, 0),
        heartbeat(18, 0),
        ticker(1, time=format_time(START + 27 * S)),
    )
    assert gaps(events) == []


def test_a_silence_is_a_gap_from_the_last_event_to_the_next():
    events, _ = feed(ExchangeFeed(), ticker(0), ticker(1, time=format_time(START + 10 * S + 1)))
    (gap,) = gaps(events)
    assert (gap.cause, gap.start_ns, gap.end_ns) == (GapCause.SILENCE, START, START + 10 * S + 1)
    assert gap.missing == 0, "the trade ids say that nothing was traded"


def test_ten_seconds_are_not_yet_silence():
    events, _ = feed(ExchangeFeed(), ticker(0), ticker(1, time=format_time(START + 10 * S)))
    assert gaps(events) == []


def test_the_silence_that_counts_can_be_set_and_switched_off():
    later = ticker(1, time=format_time(START + 3 * S))
    shorter, _ = feed(ExchangeFeed(Rules(silence_timeout_s=2.0)), ticker(0), later)
    off, _ = feed(
        ExchangeFeed(Rules(silence_timeout_s=None)),
        ticker(0),
        ticker(0 + 1, time=format_time(START + 10**6 * S)),
    )
    assert (len(gaps(shorter)), len(gaps(off))) == (1, 0)


def test_a_tick_from_before_is_no_end_of_a_silence():
    events, _ = feed(
        ExchangeFeed(),
        ticker(0),
        ticker(1, time=format_time(START - 60 * S)),
        ticker(2, time=format_time(START + S)),
    )
    assert [gap.cause for gap in gaps(events)] == [GapCause.REFUSED]


def test_a_lost_connection_is_a_gap_for_every_product_of_it_and_no_other():
    machine = ExchangeFeed()
    feed(machine, ticker(0), ticker(0, product_id="ETH-USD"))
    feed(machine, ticker(0, product_id="XRP-USD"), connection="other")
    machine.holes.close("c")
    events, _ = feed(
        machine, ticker(3), ticker(1, product_id="ETH-USD"), ticker(1, product_id="XRP-USD"),
        connection="new",
    )  # fmt: skip
    assert [(gap.product, gap.cause, gap.missing) for gap in gaps(events)] == [
        ("BTC-USD", GapCause.DISCONNECT, 2),
        ("ETH-USD", GapCause.DISCONNECT, 0),
    ]
    assert gaps(events)[0].connection == "new"


def test_a_heartbeat_after_a_reconnect_ends_the_gap():
    machine = ExchangeFeed()
    feed(machine, ticker(0))
    machine.holes.close("c")
    events, _ = feed(machine, heartbeat(2, 4), ticker(5), connection="new")
    (gap,) = gaps(events)
    assert (gap.cause, gap.end_ns, gap.missing) == (GapCause.DISCONNECT, START + 2 * S, 4)


def test_a_quote_after_a_reconnect_is_fresh_and_its_trade_is_not():
    machine = ExchangeFeed()
    feed(machine, ticker(0))
    machine.holes.close("c")
    events, letters = feed(
        machine, ticker(2, trade_id=TICKER["trade_id"], best_bid="103470"), connection="new"
    )
    assert letters == []
    assert [type(event) for event in events] == [Gap, Tick]
    assert events[1].trade_id == TICKER["trade_id"]


def test_a_hole_is_seen_from_one_dialect_to_the_other():
    holes = Holes(Continuity())
    exchange, advanced = ExchangeFeed(holes=holes), AdvancedTrade(holes=holes)
    feed(exchange, ticker(0))
    holes.close("c")
    events, _ = feed(advanced, envelope(5), connection="new")
    assert [gap.cause for gap in gaps(events)] == [GapCause.DISCONNECT]


def test_a_jump_of_the_sequence_num_is_a_gap_for_every_product_of_the_connection():
    machine = AdvancedTrade()
    feed(machine, envelope(0, ("BTC-USD", "ETH-USD")))
    events, _ = feed(machine, envelope(3))
    assert [type(event) for event in events] == [Gap, Gap, Tick]
    assert {(gap.product, gap.cause, gap.missing) for gap in gaps(events)} == {
        ("BTC-USD", GapCause.SEQUENCE, 2),
        ("ETH-USD", GapCause.SEQUENCE, 2),
    }
    assert {(gap.start_ns, gap.end_ns) for gap in gaps(events)} == {(START, START + 3 * S)}


def test_the_sequence_num_counts_all_channels():
    subscriptions = {
        "channel": "subscriptions",
        "timestamp": "2025-11-12T07:20:12Z",
        "sequence_num": 1,
        "events": [],
    }
    events, letters = feed(AdvancedTrade(), envelope(0), subscriptions, beats(2, 1), envelope(3))
    assert (gaps(events), letters) == ([], [])


def test_a_frame_that_comes_late_was_counted_as_a_hole_and_is_a_dead_letter():
    events, letters = feed(AdvancedTrade(), envelope(0), envelope(2), envelope(1), envelope(3))
    assert (len(gaps(events)), faults(letters)) == (1, [Fault.DUPLICATE])


def test_a_connection_that_was_replaced_unseen_is_a_disconnect_and_counts_anew():
    restart = envelope(0, kind="snapshot", seconds=6)
    events, letters = feed(
        AdvancedTrade(), envelope(4), envelope(5), restart, envelope(1, seconds=7)
    )
    assert [(gap.cause, gap.missing) for gap in gaps(events)] == [(GapCause.DISCONNECT, None)]
    assert letters == []


def test_without_sequence_numbers_the_heartbeat_counter_tells():
    messages = [envelope(0), beats(1, 7), beats(2, 9)]
    for message in messages:
        del message["sequence_num"]
    events, _ = feed(AdvancedTrade(), *messages)
    assert [gap.cause for gap in gaps(events)] == [GapCause.HEARTBEAT]


# Repeats.


def test_an_exact_repeat_is_a_dead_letter():
    _, letters = feed(ExchangeFeed(), TICKER, TICKER)
    assert faults(letters) == [Fault.DUPLICATE]


def test_the_same_trade_and_quote_again_is_a_dead_letter():
    _, letters = feed(ExchangeFeed(), ticker(0), ticker(1, trade_id=TICKER["trade_id"]))
    assert faults(letters) == [Fault.DUPLICATE]


def test_a_trade_that_comes_late_or_again_is_a_dead_letter():
    events, letters = feed(ExchangeFeed(), ticker(0), ticker(1), ticker(0), ticker(2))
    assert faults(letters) == [Fault.DUPLICATE]
    assert gaps(events) == []


def test_without_numbers_only_the_same_content_is_a_repeat():
    plain = {"trade_id": None, "sequence": None}
    _, letters = feed(ExchangeFeed(), ticker(0, **plain), ticker(0, **plain), ticker(1, **plain))
    assert faults(letters) == [Fault.DUPLICATE]


def test_several_trades_at_one_time_are_no_repeats():
    same = format_time(START)
    _, letters = feed(ExchangeFeed(), ticker(0), ticker(1, time=same), ticker(2, time=same))
    assert letters == []


# State.


STEPS = [
    ticker(0), ticker(0, product_id="ETH-USD"), heartbeat(1, 0), ticker(3), ticker(3), b"garbage",
    ticker(4, price="NaN"), ticker(5), heartbeat(30, 9), ticker(11),
]  # fmt: skip
ADVANCED_STEPS = [
    envelope(0, ("A", "B"), kind="snapshot"), envelope(1), b"garbage", envelope(3, ("A",)),
    beats(4, 1), envelope(4), envelope(9, ("B",)), envelope(0, kind="snapshot", seconds=50),
]  # fmt: skip


@given(st.sampled_from([(ExchangeFeed, STEPS), (AdvancedTrade, ADVANCED_STEPS)]), st.data())
def test_a_machine_restored_anywhere_goes_on_as_if_never_stopped(what, drawn):
    make, steps = what
    cuts = drawn.draw(st.sets(st.integers(0, len(steps))))
    whole, machine, parts = make(), make(), []
    for number, step in enumerate(steps):
        if number in cuts:
            state = machine.holes.continuity.snapshot()
            machine = make()
            machine.holes.continuity.restore(state)
        parts.append(machine.receive(frame(step)))
    assert [tuple(map(list, part)) for part in parts] == [
        tuple(map(list, whole.receive(frame(step)))) for step in steps
    ]


steps = st.one_of(
    st.builds(ticker, st.integers(0, 6)),
    st.builds(lambda n: ticker(n, best_bid="1"), st.integers(0, 6)),
    st.builds(lambda n: ticker(n, time=format_time(START + 60 * S)), st.integers(0, 6)),
    st.just(ticker(0, trade_id=None)),
    st.builds(heartbeat, st.integers(0, 20), st.integers(0, 6)),
    st.builds(match, st.integers(0, 6)),
)


@given(
    st.lists(st.tuples(steps, st.sampled_from("cccd")), max_size=25),
    st.sampled_from(["trade_id", "none"]),
    st.booleans(),
)
def test_the_short_way_for_the_next_trade_gives_what_the_long_one_gives(drawn, continuity, fill):
    short, long = Continuity(), Continuity()
    with patch.object(long, "advance", lambda _tick, _opening: False):
        machines = [ExchangeFeed(holes=Holes(each)) for each in (short, long)]
        for machine in machines:
            for name in "cd":
                opening = {"continuity": continuity, "fill": fill}
                machine.open(Opening(connection=name, dialect=Dialect.EXCHANGE, **opening))
        for message, name in [(ticker(0), "c"), *drawn]:
            ours, theirs = (machine.receive(frame(message, name)) for machine in machines)
            assert tuple(map(list, ours)) == tuple(map(list, theirs))
        assert short.snapshot() == long.snapshot()


def test_what_is_no_state_is_refused():
    with pytest.raises(msgspec.DecodeError):
        Continuity().restore(b"{}")


@pytest.mark.slow
def test_no_more_than_so_many_products_are_remembered_and_the_featurizer_has_room_for_each():
    machine = ExchangeFeed()
    names = [f"X{n}-USD" for n in range(MAX_PRODUCTS + 3)]
    events, letters = feed(machine, *(ticker(0, product_id=name) for name in names))
    assert faults(letters) == [Fault.UNKNOWN_PRODUCT] * 3
    assert "there are 4,096 products already" in letters[0].detail
    featurizer = Featurizer()
    places = [featurizer.product_index(event.product) for event in events]
    assert places == list(range(MAX_PRODUCTS))
    events, _ = feed(machine, ticker(1, product_id="X1-USD"))
    assert len(events) == 1


@pytest.mark.parametrize("number", [2**63 - 1, 10**12, 50_000])
def test_one_sequence_num_that_leaps_costs_its_frame_and_no_more(number):
    events, letters = feed(
        AdvancedTrade(), envelope(0), envelope(number, seconds=1), envelope(1, seconds=2),
        envelope(2, seconds=3),
    )  # fmt: skip
    assert faults(letters) == [Fault.IMPLAUSIBLE]
    assert [type(event) for event in events] == [Tick, Gap, Tick, Tick]
    assert events[1].cause is GapCause.REFUSED


def test_sequence_nums_that_begin_again_are_believed_when_three_follow_each_other():
    again = [envelope(n, seconds=n + 20) for n in range(1, 6)]
    events, letters = feed(AdvancedTrade(), envelope(9, seconds=9), *again)
    assert faults(letters) == [Fault.IMPLAUSIBLE] * 2
    assert [type(event) for event in events] == [Tick, Gap, Tick, Tick, Tick]


def test_a_negative_sequence_num_is_a_refused_tick():
    events, letters = feed(
        AdvancedTrade(), envelope(0), envelope(-1, seconds=1), envelope(1, seconds=2)
    )
    assert faults(letters) == [Fault.WRONG_SHAPE]
    assert [gap.cause for gap in gaps(events)] == [GapCause.REFUSED]


def test_the_settled_trade_id_is_stored_under_its_first_name():
    state = b'{"connections":{},"lines":{"A":{"connection":"c","last_ns":1,"told":7}}}'
    continuity = Continuity()
    continuity.restore(state)
    assert continuity.lines["A"].settled_trade_id == 7
    assert b'"told":7' in continuity.snapshot()
