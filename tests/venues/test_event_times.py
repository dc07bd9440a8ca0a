"""Which event times are believed: a closed second stays closed, and its line is broken."""

import json

import pytest

from barograph.types import Fault, Frame, GapCause, Heartbeat, Tick
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.entries import Closing, Dialect, Heard, Opening
from coinbase_messages import START, TICKER, S, at, beats, envelope, heartbeat, ticker

FIRST = TICKER["trade_id"]


class Line:
    """A machine that hears one product; receipts are `delay_s` behind where one is given."""

    def __init__(self, dialect=Dialect.EXCHANGE, continuity="trade_id", **opening):
        self.machine, self.dialect, self.name = Coinbase(), dialect, "c"
        self._opening = {"dialect": dialect, "continuity": continuity} | opening
        self.machine.take(Opening(connection="c", **self._opening))

    def hear(self, *messages, received_s=None):
        events, letters = [], []
        for message in messages:
            receive_time_ns = None if received_s is None else START + int(received_s * S)
            data = json.dumps(message).encode()
            frame = Frame(data=data, connection=self.name, receive_time_ns=receive_time_ns)
            received = self.machine.take(Heard(frame, self.dialect))
            events += received.events
            letters += received.dead_letters
        return [kind(event) for event in events], [letter.fault for letter in letters]

    def reconnect(self, name):
        self.machine.take(Closing(self.name))
        self.name = name
        self.machine.take(Opening(connection=name, **self._opening))


def kind(event):
    if type(event) is Tick:
        return "tick"
    return "beat" if type(event) is Heartbeat else event.cause


@pytest.mark.parametrize("time", ["1970-01-01T00:00:00Z", at(3)])
@pytest.mark.parametrize("continuity", ["trade_id", "none"])
def test_a_late_tick_is_refused_and_breaks_its_line(time, continuity):
    line = Line(continuity=continuity)
    line.hear(ticker(0), ticker(4))
    assert line.hear(ticker(5, time=time, trade_id=FIRST + 5)) == ([], [Fault.LATE])
    assert line.hear(ticker(6)) == ([GapCause.REFUSED, "tick"], [])
    assert line.hear(ticker(7)) == (["tick"], [])


@pytest.mark.parametrize("time", ["1970-01-01T00:00:00Z", at(3)])
def test_a_late_frame_of_advanced_trade_breaks_its_lines(time):
    line = Line(Dialect.ADVANCED)
    line.hear(envelope(0, seconds=0), envelope(1, seconds=4))
    late = envelope(2, seconds=5) | {"timestamp": time}
    assert line.hear(late) == ([], [Fault.LATE])
    assert line.hear(envelope(3, seconds=6)) == ([GapCause.REFUSED, "tick"], [])


def test_a_late_frame_of_advanced_trade_ends_no_hole():
    line = Line(Dialect.ADVANCED)
    line.hear(envelope(0, seconds=0), envelope(1, seconds=4))
    late = envelope(3, seconds=5) | {"timestamp": at(1)}
    assert line.hear(late) == ([], [Fault.LATE])
    assert line.hear(envelope(4, seconds=6)) == ([GapCause.SEQUENCE, "tick"], [])


def test_a_tick_of_the_open_second_is_not_late():
    line = Line()
    line.hear(ticker(0), ticker(1))
    assert line.hear(ticker(1, time=at(0.4), trade_id=FIRST + 2)) == (["tick"], [])


def test_a_second_that_another_connection_closed_stays_closed():
    line = Line(fill=True)
    line.hear(ticker(0), ticker(1), heartbeat(9, 1))
    line.reconnect("d")
    line.hear(heartbeat(2, 1, time=at(8.8)))
    late = ticker(2, time=at(3))
    assert line.hear(late) == ([], [Fault.LATE])
    state = line.machine.snapshot()
    line.machine.restore(state)
    assert line.hear(ticker(10, trade_id=FIRST + 2)) == ([GapCause.REFUSED, "tick"], [])


def test_a_snapshot_of_an_old_trade_breaks_nothing():
    line = Line(fill=True)
    line.hear(ticker(0), ticker(1), heartbeat(9, 1))
    line.reconnect("d")
    snapshot = ticker(1, best_bid="103472.26")
    assert line.hear(snapshot) == (["tick"], [])
    assert line.hear(ticker(10, trade_id=FIRST + 2)) == (["tick"], [])


def test_a_heartbeat_that_is_late_proves_nothing_and_breaks_nothing():
    line = Line()
    line.hear(ticker(0), ticker(4, trade_id=FIRST + 1))
    late = heartbeat(0, 1, time="1970-01-01T00:00:00Z")
    assert line.hear(late) == ([], [Fault.LATE])
    assert line.hear(ticker(5, trade_id=FIRST + 2)) == (["tick"], [])
    assert line.hear(heartbeat(0, 2, time=at(4.9))) == (["beat"], [])


def test_late_heartbeats_of_advanced_trade_are_one_letter():
    line = Line(Dialect.ADVANCED)
    line.hear(envelope(0, seconds=0), envelope(1, seconds=4))
    late = beats(0, 1, seconds=0, sequence_num=2)
    assert line.hear(late) == ([], [Fault.LATE])
    assert line.hear(envelope(3, seconds=5)) == (["tick"], [])


def quiet(line, start, stop):
    """Ticks a second, each received at once."""
    for n in range(start, stop):
        heard, letters = line.hear(ticker(n), received_s=n + 0.05)
        assert (heard[-1], letters) == ("tick", [])


def test_a_tick_that_leaps_ahead_of_its_receipt_is_not_believed():
    line = Line()
    quiet(line, 0, 5)
    ahead = ticker(5, time=at(35))
    assert line.hear(ahead, received_s=5.05) == ([], [Fault.IMPLAUSIBLE])
    assert line.hear(ticker(6), received_s=6.05) == ([GapCause.REFUSED, "tick"], [])


def test_a_heartbeat_that_leaps_ahead_proves_no_quiet_second():
    line = Line()
    quiet(line, 0, 5)
    ahead = heartbeat(0, 4, time=at(35))
    assert line.hear(ahead, received_s=5.05) == ([], [Fault.IMPLAUSIBLE])
    assert line.hear(ticker(5), received_s=5.05) == (["tick"], [])


def test_a_frame_of_advanced_trade_that_leaps_ahead_is_not_believed():
    line = Line(Dialect.ADVANCED)
    for n in range(5):
        line.hear(envelope(n, seconds=n), received_s=n + 0.05)
    ahead = envelope(5, seconds=35)
    assert line.hear(ahead, received_s=5.05) == ([], [Fault.IMPLAUSIBLE])
    heard = line.hear(envelope(6, seconds=6), received_s=6.05)
    assert heard == ([GapCause.REFUSED, "tick"], [])


def test_a_clock_that_was_set_is_believed_behind_a_gap_of_every_product():
    line = Line()
    quiet(line, 0, 5)
    line.hear(ticker(4, product_id="ETH-USD"), received_s=4.05)
    for n in (5, 6):
        ahead = ticker(n, time=at(n + 30))
        assert line.hear(ahead, received_s=n + 0.05) == ([], [Fault.IMPLAUSIBLE])
    assert line.hear(ticker(7, time=at(37)), received_s=7.05) == ([GapCause.REFUSED, "tick"], [])
    other = ticker(5, product_id="ETH-USD", time=at(38))
    assert line.hear(other, received_s=8.05) == ([GapCause.REFUSED, "tick"], [])
