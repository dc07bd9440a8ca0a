"""Recordings of one product in any order are sessions: the same rows, whatever came first."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph import codec
from barograph.feature_set.catalogue import FEATURES, LONGEST_WINDOW_S
from barograph.feature_set.featurizer import Featurizer
from barograph.log.topics import TICKS
from barograph.types import NS_PER_S, Fault, Gap, GapCause, Reason, Record, Tick
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.entries import Closing, Dialect, Heard, Opening
from barograph.venues.sessions import MAX_SPANS
from coinbase_messages import frame, ticker
from recorded_sessions import session

HOUR_S = 3600
UNTIL = {str(int(Reason.GAP)): str(int(Reason.WARMUP))}
"""What a session waits for at its beginning is the start, or a gap where something came before."""


def heard(machine, messages, name, *, recorded=True):
    """The events of a recording after which everything else has ended; and its dead letters."""
    events, letters = [], []
    for connection in machine.connections:
        received = machine.take(Closing(connection))
        events += received.events
    machine.take(
        Opening(connection=name, dialect=Dialect.EXCHANGE, continuity="trade_id", recorded=recorded)
    )
    for message in messages:
        received = machine.take(Heard(frame(message, name), Dialect.EXCHANGE))
        events += received.events
        letters += received.dead_letters
    return events, letters


def rows_of(recordings, *, restart=False):
    """The rows that recordings give, in the order of time; and all dead letters."""
    machine, featurizer, rows, letters = Coinbase(), Featurizer(), [], []
    for number, messages in recordings:
        events, refused = heard(machine, messages, f"recording-{number}")
        letters += refused
        records = [
            Record(TICKS, 0, offset, event.product, codec.encode(event))
            for offset, event in enumerate(events)
        ]
        outcome = featurizer.receive(records)
        letters += outcome.dead_letters
        rows += [codec.decode_row(value) for _, value in outcome.values]
        if restart:
            state, machine = machine.snapshot(), Coinbase()
            machine.restore(state)
            checkpoints, featurizer = featurizer.snapshot(), Featurizer()
            featurizer.restore(checkpoints)
    return sorted(rows, key=lambda row: row.second), letters


def settled(rows):
    """Rows whose reasons do not tell whether a session is the first that was heard."""
    return [
        codec.encode(
            msgspec.structs.replace(row, reasons=row.reasons.translate(str.maketrans(UNTIL)))
        )
        for row in rows
    ]


def without_what_carries_on(rows):
    """Rows without the windows that carry on over holes."""
    kept = [place for place, feature in enumerate(FEATURES) if not feature.window_s]
    return [
        msgspec.structs.replace(
            row,
            values=[row.values[place] for place in kept],
            reasons="".join(row.reasons[place] for place in kept),
        )
        for row in rows
    ]


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(
    order=st.permutations(range(4)),
    lengths=st.lists(st.integers(30, 400), min_size=4, max_size=4),
    holes=st.sampled_from([(120, 2000), (LONGEST_WINDOW_S, 6000)]).flatmap(
        lambda hole: st.lists(st.integers(*hole), min_size=4, max_size=4)
    ),
    restart=st.booleans(),
)
def test_any_order_of_sessions_gives_the_same_rows_with_the_same_bits(
    order, lengths, holes, restart
):
    start, sessions = 0, []
    for number, (length, hole) in enumerate(zip(lengths, holes, strict=True)):
        sessions.append((number, session(start, length, number)))
        start += length + hole
    expected, none = rows_of(sessions)
    rows, letters = rows_of([sessions[place] for place in order], restart=restart)
    assert not none
    assert not letters
    if min(holes) < LONGEST_WINDOW_S:
        # A later session knows what came before it, and one that comes before it does not.
        rows, expected = without_what_carries_on(rows), without_what_carries_on(expected)
    assert settled(rows) == settled(expected)
    assert len({row.second for row in rows}) == len(rows)


def test_recordings_in_order_begin_no_session():
    machine = Coinbase()
    events = []
    for number in range(3):
        found, letters = heard(machine, session(number * HOUR_S, 100, number), f"r{number}")
        events += found
        assert not letters
    gaps = [event for event in events if isinstance(event, Gap)]
    assert len(gaps) == 2
    assert all(gap.cause is not GapCause.SESSION for gap in gaps)


def test_a_late_tick_within_a_session_stays_late():
    machine = Coinbase()
    heard(machine, session(HOUR_S, 100, 1), "later")
    messages = session(0, 100, 2)
    disordered = [*messages[:50], *messages[60:], *messages[50:60]]
    events, letters = heard(machine, disordered, "earlier")
    assert {letter.fault for letter in letters} <= {Fault.LATE, Fault.DUPLICATE}
    times = [event.event_time_ns for event in events if isinstance(event, Tick)]
    assert all(before // NS_PER_S <= after // NS_PER_S for before, after in pairwise(times))


def test_a_tick_of_the_minute_before_a_recording_is_late_and_no_session():
    machine = Coinbase()
    heard(machine, session(HOUR_S, 100, 1), "later")
    events, letters = heard(machine, [ticker(HOUR_S - 30, trade_id=10**7)], "earlier")
    assert not [event for event in events if isinstance(event, Tick)]
    assert len(letters) == 1


def test_no_second_is_heard_of_two_recordings():
    later, earlier = session(200, 200, 1), session(0, 300, 2)
    rows, letters = rows_of([(1, later), (2, earlier)])
    seconds = [row.second for row in rows]
    assert len(set(seconds)) == len(seconds)
    assert {letter.fault for letter in letters} == {Fault.LATE}
    assert any("another recording" in letter.detail for letter in letters)
    alone, _ = rows_of([(1, later)])
    assert [row for row in rows if row.second >= alone[0].second] == alone


def test_a_live_product_goes_on_where_it_was_left():
    live, older, again = session(HOUR_S, 100, 1), session(0, 100, 2), session(2 * HOUR_S, 50, 3)
    machine, alone = Coinbase(), Coinbase()
    heard(machine, live, "live-1", recorded=False)
    heard(alone, live, "live-1", recorded=False)
    heard(machine, older, "recording")
    events, letters = heard(machine, again, "live-2", recorded=False)
    expected, _ = heard(alone, again, "live-2", recorded=False)
    assert not letters
    assert events[0].cause is GapCause.SESSION
    assert events[1:] == expected


def test_an_older_tick_of_a_live_connection_is_late_as_ever():
    machine = Coinbase()
    heard(machine, session(HOUR_S, 100, 1), "live-1", recorded=False)
    events, letters = heard(machine, [ticker(0, trade_id=10**7)], "live-2", recorded=False)
    assert not [event for event in events if isinstance(event, Tick)]
    assert letters


def test_a_session_gap_that_is_owed_survives_a_restart():
    machine = Coinbase()
    heard(machine, session(HOUR_S, 100, 1), "live-1", recorded=False)
    heard(machine, session(0, 100, 2), "recording")
    # The first event of the live connection is late, so the gap is owed.
    old = session(HOUR_S, 100, 1)[50] | {"trade_id": 10**7}
    _, letters = heard(machine, [old], "live-2", recorded=False)
    assert letters
    state, machine = machine.snapshot(), Coinbase()
    machine.restore(state)
    events, _ = heard(machine, session(2 * HOUR_S, 10, 3), "live-3", recorded=False)
    assert [event.cause for event in events if isinstance(event, Gap)][:1] == [GapCause.SESSION]


def test_what_is_remembered_of_a_product_is_bounded():
    machine = Coinbase()
    for number in range(MAX_SPANS + 50):
        start = (MAX_SPANS + 50 - number) * 200
        heard(machine, [ticker(start, trade_id=start), ticker(start + 1, trade_id=start + 1)], "r")
    (line,) = machine.continuity.lines.values()
    assert len(line.spans) == MAX_SPANS


@pytest.mark.parametrize("cause", ["session", "disconnect"])
def test_only_a_session_gap_may_end_before_it_starts(cause):
    gap = Gap(product="BTC-USD", start_ns=9, end_ns=4, cause=GapCause(cause))
    if cause == "session":
        assert codec.decode_event(codec.encode(gap)) == gap
        return
    with pytest.raises(codec.UnreadableError, match="ends before it starts"):
        codec.decode_event(codec.encode(gap))


def test_a_session_gap_that_is_owed_comes_before_the_next_trade():
    machine, newest = Coinbase(), session(HOUR_S, 100, 1)
    # The newest line is left for an older session; what takes it up again is a repeat, and refused.
    again = newest[-1] | {"trade_id": newest[-1]["trade_id"] + 1}
    messages = [*newest, *session(0, 100, 2), newest[-1], again]
    events, letters = heard(machine, messages, "recording")
    assert [letter.fault for letter in letters] == [Fault.DUPLICATE]
    gap, tick = events[-2:]
    assert (gap.cause, tick.trade_id) == (GapCause.SESSION, again["trade_id"])
