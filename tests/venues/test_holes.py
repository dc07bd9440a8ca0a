"""Holes that are asked for: what fills them, what ends them, and what waits meanwhile."""

import json

import pytest

from barograph.types import Fault, Frame, Gap, GapCause, Side, Tick, Trade
from barograph.venues import continuity, holes
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.entries import Answer, Closing, Dialect, Heard, Opening, Settlement
from coinbase_messages import (
    START,
    TICKER,
    S,
    at,
    envelope,
    faults,
    gaps,
    heartbeat,
    ids,
    match,
    page,
    ticker,
)

FIRST = TICKER["trade_id"]


class Line:
    """One connection of a machine whose holes are filled, for tests."""

    def __init__(self, name="c", machine=None, **opening):
        self.machine = machine or Coinbase()
        self.name = name
        opening = {"dialect": Dialect.EXCHANGE, "fill": True} | opening
        self.machine.take(Opening(connection=name, **opening))

    def hear(self, *messages):
        """All events and letters of some frames."""
        return self._all(Heard(self._frame(m), Dialect.EXCHANGE) for m in messages)

    def answer(self, body, product="BTC-USD"):
        return self._all([Answer(product, self._frame(body))])

    def settle(self, product="BTC-USD"):
        return self._all([Settlement(connection=self.name, product=product)])

    def close(self):
        return self._all([Closing(self.name)])

    def _frame(self, message):
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        return Frame(data=data, connection=self.name)

    def _all(self, entries):
        events, letters = [], []
        for entry in entries:
            received = self.machine.take(entry)
            events += received.events
            letters += received.dead_letters
        return events, letters


# What is recovered.


def test_a_ticker_that_was_only_late_stands_in_its_place_and_there_is_no_hole():
    line = Line()
    events, letters = line.hear(ticker(0), ticker(2), ticker(3))
    assert ids(events) == [0]
    assert [hole[2:5] for hole in line.machine.holes()] == [(FIRST + 1, FIRST + 1, 1)]
    events, more = line.hear(ticker(1))
    assert ids(events) == [1, 2, 3]
    assert (letters + more, line.machine.holes()) == ([], [])


def test_a_page_of_trades_fills_a_hole_with_what_the_venue_says():
    line = Line()
    line.hear(ticker(0), ticker(3, time=at(0.9)))
    lost = [match(n, time=at(0.8), price=f"10{n}", size="0.5") for n in (1, 2)]
    events, _ = line.answer(page(match(0), *lost, match(3)))
    assert ids(events) == [1, 2, 3]
    assert events[0] == Trade(
        product="BTC-USD",
        event_time_ns=START + int(0.8 * S),
        price="101",
        size="0.5",
        side=Side.BUY,
        trade_id=FIRST + 1,
        connection="c",
        filled=True,
    )


def test_trades_of_an_earlier_second_stand_behind_a_gap_because_its_close_is_unknown():
    line = Line()
    line.hear(ticker(0), ticker(3))
    events, _ = line.answer(page(match(1), match(2)))
    assert ids(events) == ["Gap", 1, 2, 3]
    assert events[0] == Gap(
        product="BTC-USD",
        start_ns=START,
        end_ns=START + 3 * S,
        cause=GapCause.TRADE_ID,
        connection="c",
        missing=0,
        filled=2,
    )


def test_what_stays_unknown_is_a_gap_and_what_was_found_is_in_it():
    line = Line()
    line.hear(ticker(0), ticker(4), ticker(5))
    assert line.answer(page(match(2))) == ([], [])
    assert [hole[2:5] for hole in line.machine.holes()] == [(FIRST + 1, FIRST + 3, 2)]
    events, _ = line.settle()
    assert ids(events) == ["Gap", 2, 4, 5]
    assert (events[0].missing, events[0].filled) == (2, 1)


def test_a_late_ticker_keeps_its_quote_between_what_is_missing():
    line = Line()
    line.hear(ticker(0), ticker(6), ticker(3))
    events, _ = line.settle()
    assert ids(events) == ["Gap", 3, "Gap", 6]
    assert [gap.missing for gap in gaps(events)] == [2, 2]


def test_a_heartbeat_that_knows_of_a_trade_waits_for_its_ticker():
    line = Line()
    assert ids(line.hear(ticker(0), heartbeat(1, 2))[0]) == [0]
    assert ids(line.hear(ticker(1))[0]) == []
    assert ids(line.hear(ticker(2), ticker(3))[0]) == [1, 2, "Heartbeat", 3]


def test_a_heartbeat_waits_for_the_quote_behind_trades_that_came_as_matches_only():
    line = Line()
    line.hear(ticker(0), match(1), match(2), heartbeat(2, 2))
    (hole,) = line.machine.holes()
    assert (hole.unknown, hole.last_trade_id) == (0, FIRST + 2)
    assert ids(line.hear(ticker(2, time=at(1.99)))[0]) == ["Gap", 1, 2, "Heartbeat"]


def test_a_heartbeats_hole_that_is_settled_is_a_gap_and_its_tickers_come_too_late():
    line = Line()
    line.hear(ticker(0), heartbeat(1, 2))
    events, _ = line.settle()
    assert ids(events) == ["Gap", "Heartbeat"]
    assert (events[0].cause, events[0].missing) == (GapCause.HEARTBEAT, 2)
    events, letters = line.hear(ticker(2, time=at(1)), ticker(3))
    assert (ids(events), faults(letters)) == ([3], [Fault.DUPLICATE])


def test_the_next_hole_opens_when_the_queue_runs_into_it():
    line = Line()
    line.hear(ticker(0), ticker(2), ticker(3), ticker(6), ticker(7), ticker(4))
    assert ids(line.settle()[0]) == ["Gap", 2, 3]
    assert [hole[2:5] for hole in line.machine.holes()] == [(FIRST + 5, FIRST + 5, 1)]
    events, letters = line.hear(ticker(5))
    assert (ids(events), letters) == ([4, 5, 6, 7], [])


def test_late_tickers_pass_in_the_order_of_their_trades():
    line = Line()
    line.hear(ticker(0), ticker(4), ticker(2), ticker(1))
    assert ids(line.hear(ticker(3))[0]) == [1, 2, 3, 4]


def test_a_heartbeat_in_the_queue_needs_no_quote_that_is_there_already():
    line = Line()
    line.hear(ticker(0), ticker(2), match(3), heartbeat(3, 3), ticker(4))
    assert ids(line.settle()[0]) == ["Gap", 2, "Heartbeat", "Gap", 3, 4]
    assert line.machine.holes() == []


def test_a_second_heartbeat_is_no_quote_for_the_trades_before_the_first():
    line = Line()
    line.hear(ticker(0), match(1), heartbeat(1, 1))
    assert line.hear(heartbeat(2, 1)) == ([], [])
    assert ids(line.hear(ticker(1))[0]) == [1, "Heartbeat", "Heartbeat"]


def test_a_heartbeat_whose_trades_stay_without_a_quote_is_behind_their_gap():
    line = Line()
    line.hear(ticker(0), match(1), heartbeat(2, 1))
    assert ids(line.settle()[0]) == ["Gap", 1, "Heartbeat"]


def test_a_heartbeat_in_the_second_of_its_trades_leaves_them_to_their_ticker():
    line = Line()
    line.hear(ticker(0), match(1), heartbeat(1, 1))
    assert ids(line.settle()[0]) == ["Heartbeat"]
    assert ids(line.hear(ticker(2, time=at(1)), match(2))[0]) == [1, 2]


def test_a_product_that_is_held_holds_no_other():
    line = Line()
    line.hear(ticker(0), ticker(0, product_id="ETH-USD"), ticker(5))
    assert ids(line.hear(ticker(1, product_id="ETH-USD"))[0]) == [1]


# Matches.


def test_trades_that_one_ticker_told_together_are_trades_before_its_tick():
    same = {"time": at(0.5)}
    line = Line()
    events, _ = line.hear(
        ticker(0), match(1, **same), match(2, **same), match(3, **same), ticker(3, **same)
    )
    assert ids(events) == [0, 1, 2, 3]
    assert [type(event) for event in events] == [Tick, Trade, Trade, Tick]
    assert events[1].side is Side.BUY, "a match tells the maker's side"
    assert not events[1].filled


def test_a_match_whose_ticker_came_already_and_an_old_match_are_no_news():
    line = Line()
    events, letters = line.hear(
        match(0),
        ticker(0),
        match(0),
        ticker(1),
        match(1),
        match(1),
        {**match(3), "type": "last_match"},
    )
    assert (ids(events), letters) == ([0, 1], [])
    assert ids(line.hear(ticker(4))[0]) == []


def test_without_filling_matches_still_tell_what_a_hole_is():
    line = Line(fill=False)
    events, _ = line.hear(ticker(0), match(1), match(2), ticker(2), match(4), ticker(5))
    assert ids(events) == [0, "Gap", 1, 2, "Gap", 4, 5]
    assert [(gap.missing, gap.filled) for gap in gaps(events)] == [(0, 1), (1, 1)]


def test_a_match_that_tells_a_trade_otherwise_is_a_dead_letter():
    _, letters = Line().hear(ticker(0), match(1), match(1, price="1"))
    assert faults(letters) == [Fault.CONTRADICTION]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"price": "0"}, Fault.NOT_POSITIVE),
        ({"size": "-1"}, Fault.NOT_POSITIVE),
        ({"size": "NaN"}, Fault.NOT_A_NUMBER),
        ({"time": "soon"}, Fault.BAD_TIME),
        ({"trade_id": None}, Fault.WRONG_SHAPE),
    ],
)
def test_a_match_that_is_not_sound_is_a_dead_letter(changes, fault):
    events, letters = Line().hear(ticker(0), match(1, **changes))
    assert (ids(events), faults(letters)) == ([0], [fault])


def test_no_more_trades_wait_than_are_allowed(monkeypatch):
    monkeypatch.setattr(continuity, "MAX_WAITING", 3)
    line = Line()
    line.hear(ticker(0), *(match(n) for n in range(1, 9)))
    assert list(line.machine.continuity.lines["BTC-USD"].waiting) == [FIRST + n for n in (1, 2, 3)]


# Pages that are none.


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", Fault.NOT_JSON),
        (b"[" * 100_000, Fault.NOT_JSON),
        (b'{"message":"NotFound"}', Fault.WRONG_SHAPE),
        ([{"trade_id": FIRST + 1}], Fault.WRONG_SHAPE),
        (page(match(1, price="-1")), Fault.NOT_POSITIVE),
        (page(match(1), match(0, price="2.5")), Fault.CONTRADICTION),
        (page(match(1), match(3, price="2.5")), Fault.CONTRADICTION),
        (page(match(1), match(1, size="9")), Fault.CONTRADICTION),
    ],
)
def test_a_page_that_is_unreadable_or_foreign_is_a_dead_letter_and_the_hole_stays(body, fault):
    line = Line()
    line.hear(ticker(0), ticker(3))
    events, (letter,) = line.answer(body)
    assert (events, letter.fault, letter.source, letter.position) == ([], fault, "c", "3")
    assert letter.original == (body if isinstance(body, bytes) else json.dumps(body).encode())
    assert [hole.unknown for hole in line.machine.holes()] == [2]


def test_a_page_for_no_hole_is_nothing():
    line = Line()
    line.hear(ticker(0))
    assert line.answer(page(match(1))) == ([], [])
    assert line.answer(page(match(1)), product="ETH-USD") == ([], [])
    assert line.settle() == ([], [])
    line.close()
    assert line.answer(b"garbage") == ([], [])


# Ends.


def test_a_lost_connection_ends_its_holes_with_what_there_is():
    line = Line()
    line.hear(ticker(0), ticker(3), ticker(4), ticker(8), ticker(7))
    events, _ = line.close()
    assert ids(events) == ["Gap", 3, 4, "Gap", 7, 8]
    assert line.machine.holes() == []


def test_a_hole_after_a_reconnect_is_filled_and_its_gap_names_the_disconnect():
    line = Line()
    line.hear(ticker(0))
    line.close()
    again = Line("new", line.machine)
    again.hear(ticker(3), ticker(4))
    events, _ = again.answer(page(match(1), match(2)))
    assert ids(events) == ["Gap", 1, 2, 3, 4]
    (gap,) = gaps(events)
    assert (gap.cause, gap.missing, gap.filled) == (GapCause.DISCONNECT, 0, 2)


def test_an_opening_of_an_open_name_ends_its_holes_first():
    line = Line()
    line.hear(ticker(0), ticker(3))
    opening = Opening(connection="c", dialect=Dialect.EXCHANGE, fill=True)
    assert ids(line.machine.take(opening).events) == ["Gap", 3]


@pytest.mark.parametrize("dialect", list(Dialect))
def test_a_product_that_is_heard_on_another_connection_is_held_no_longer(dialect):
    line = Line()
    line.hear(ticker(0), ticker(3))
    message = ticker(4) if dialect is Dialect.EXCHANGE else envelope(5)
    other = Heard(Frame(data=json.dumps(message).encode(), connection="o"), dialect)
    events = line.machine.take(other).events
    assert [type(event) for event in events] == [Gap, Tick, Tick]
    assert line.machine.holes() == []


def test_a_queue_that_is_full_ends_every_hole_in_it(monkeypatch):
    monkeypatch.setattr(holes, "MAX_QUEUE", 4)
    line = Line()
    events, _ = line.hear(ticker(0), *(ticker(n) for n in (2, 4, 6, 8, 10)))
    assert ids(events) == [0, "Gap", 2, "Gap", 4, "Gap", 6, "Gap", 8, "Gap", 10]
    assert line.machine.holes() == []


def test_what_is_refused_after_it_was_held_keeps_its_bytes_and_its_place():
    line = Line()
    line.hear(ticker(0), ticker(3), ticker(4), ticker(4))
    events, (letter,) = line.settle()
    assert ids(events) == ["Gap", 3, 4]
    assert (letter.fault, letter.position) == (Fault.DUPLICATE, "4")
    assert letter.original == json.dumps(ticker(4)).encode()


def test_a_trade_repeated_in_a_hole_is_a_dead_letter():
    line = Line()
    line.hear(ticker(5))
    line.close()
    again = Line("new", line.machine)
    # This venue knows of fewer trades than it did before.
    again.hear(heartbeat(6, 3), ticker(7), ticker(5))
    events, letters = again.settle()
    assert (ids(events), faults(letters)) == (["Gap", 7], [Fault.DUPLICATE])


def test_late_tickers_of_a_hole_are_bounded_too(monkeypatch):
    monkeypatch.setattr(holes, "MAX_QUEUE", 4)
    line = Line()
    line.hear(ticker(0), ticker(9, trade_id=FIRST + 9000))
    events, _ = line.hear(*(ticker(n) for n in range(2, 10, 2)))
    assert ids(events) == ["Gap", 2, "Gap", 4, "Gap", 6, "Gap", 8, "Gap", 9000]


def test_usdc_is_another_name_of_the_same_series():
    line = Line()
    events, _ = line.hear(ticker(0), ticker(1, product_id="BTC-USDC"), ticker(3))
    assert {event.product for event in events} == {"BTC-USD"}
    assert ids(line.answer(page(match(2)), product="BTC-USDC")[0]) == ["Gap", 2, 3]


def test_a_lost_connection_in_which_the_ids_say_that_nothing_was_traded_left_no_hole():
    for heard in ([heartbeat(2, 1), ticker(2)], [ticker(2), ticker(3)]):
        line = Line()
        line.hear(ticker(0), ticker(1))
        line.close()
        events, letters = Line("new", line.machine).hear(*heard)
        assert (gaps(events), letters) == ([], [])
        assert len(events) == 2


def test_of_a_recording_a_lost_connection_is_a_hole_whatever_the_ids_say():
    line = Line(fill=False)
    line.hear(ticker(0), ticker(1))
    line.close()
    events, _ = Line("new", line.machine, fill=False).hear(ticker(2))
    assert [gap.cause for gap in gaps(events)] == [GapCause.DISCONNECT]


def test_the_bytes_behind_a_hole_are_bounded_too(monkeypatch):
    monkeypatch.setattr(holes, "MAX_QUEUE_BYTES", 2000)
    line = Line()
    line.hear(ticker(0), ticker(5))
    events, _ = line.hear(ticker(6, note="x" * 1000), ticker(7, note="x" * 1000))
    assert ids(events) == ["Gap", 5, 6, 7]


@pytest.mark.parametrize("n", [2, 60])
def test_tickers_that_are_all_refused_behind_a_hole_are_refused_once_each(n):
    """A venue that begins again a day ago: no line moves, so each ticker seems to reveal a hole."""
    before = Line("before")
    before.hear(*map(ticker, range(4)))
    before.close()
    line = Line("after", before.machine)
    late = [ticker(20 + k, time=at(-86_400 + k / 100)) for k in range(n)]
    events, letters = line.hear(*late)
    more, rest = line.close()
    assert {type(event) for event in events + more} <= {Gap}
    assert [letter.fault for letter in letters + rest] == [Fault.LATE] * n
    assert len({letter.identity for letter in letters + rest}) == n
