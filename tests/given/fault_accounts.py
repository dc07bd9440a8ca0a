"""Does a home account for all that a simulated exchange made and sent? Its ledger knows.

Nothing is lost: every trade that was made while we listened is in the log, inside a gap, or in a
dead letter; every frame that was received stands in the archive, byte for byte. Nothing is
invented: every tick and trade of the log was made, each once, and every gap has a reason.
"""

from collections import Counter
from itertools import pairwise

from archive_contents import read_archive
from barograph.types import Gap, Heartbeat, Tick, Trade
from barograph.venues.entries import Dialect, Heard, Opening
from log_contents import events, heard_again, letters

S = 1_000_000_000


def account(exchange, log, archive):
    """Assert all of the above; returns {product: its events}."""
    ledger, logged, refused = exchange.ledger, events(log), letters(log)
    dialect = ledger.connections[0].dialect
    lost_frames = frames_account(ledger, archive)
    assert logged == heard_again(archive), "the archive gives other events than the log has"
    for product, logged_events in logged.items():
        made = ledger.trades[product]
        nothing_invented(logged_events, made, dialect)
        if dialect is Dialect.EXCHANGE:
            nothing_lost_by_ids(logged_events, made)
        else:
            nothing_lost_by_time(logged_events, made, refused_trades(ledger, refused))
        if not ledger.deeds and not any(line.deeds for line in ledger.connections):
            assert not [event for event in logged_events if type(event) is Gap]
    if not ledger.deeds and not any(line.deeds for line in ledger.connections):
        assert not refused
        assert not lost_frames
    return logged


def frames_account(ledger, archive):
    """Each connection's frames in the archive are the first ones that were sent on it, in order.

    The last connection may be missing there, where we stopped during its handshake.
    """
    received = {}
    for entry in read_archive(archive):
        if isinstance(entry, Opening):
            received[entry.connection] = []
        elif isinstance(entry, Heard):
            received[entry.frame.connection].append(entry.frame.data)
    heard, unheard = ledger.connections[: len(received)], ledger.connections[len(received) :]
    assert len(unheard) <= 1
    assert not any(ledger.sent.get(line.number) for line in unheard)
    lost = 0
    for line, frames in zip(heard, received.values(), strict=True):
        sent = [each.data for each in ledger.sent[line.number]]
        assert frames == sent[: len(frames)]
        lost += len(sent) - len(frames)
    return lost


def nothing_invented(logged_events, made, dialect):
    """Every tick and trade is one that was made; on the Exchange feed by its number, and once."""
    if dialect is Dialect.EXCHANGE:
        by_id = {each.trade_id: each for each in made}
        numbers = [event.trade_id for event in logged_events if type(event) in {Tick, Trade}]
        assert numbers == sorted(set(numbers))
        for event in logged_events:
            if type(event) is Tick:
                assert _quote(event) == _quote(by_id[event.trade_id])
                assert (event.price, event.last_size, event.side) == _trade(by_id[event.trade_id])
            elif type(event) is Trade:
                assert (event.price, event.size, event.side) == _trade(by_id[event.trade_id])
        return
    fresh = Counter(
        _quote(event) for event in logged_events if type(event) is Tick and not event.snapshot
    )
    assert not fresh - Counter(map(_quote, made))


def nothing_lost_by_ids(logged_events, made):
    """Between two ticks stand as many trades and missing ones as the venue's numbers say."""
    ticks = [place for place, event in enumerate(logged_events) if type(event) is Tick]
    for one, other in pairwise(ticks):
        between = logged_events[one + 1 : other]
        trades = sum(type(event) is Trade for event in between)
        missing = sum(event.missing or 0 for event in between if type(event) is Gap)
        numbers = logged_events[other].trade_id - logged_events[one].trade_id - 1
        assert numbers == trades + missing, (logged_events[one], between, logged_events[other])
    last = max(
        event.last_trade_id if type(event) is Heartbeat else event.trade_id
        for event in logged_events
        if type(event) is not Gap
    )
    assert last == made[-1].trade_id


def refused_trades(ledger, refused):
    """(product, number) of all that stood in frames that are dead letters."""
    originals = {letter.original for letter in refused}
    return {
        (each.product, each.trade_id)
        for sent in ledger.sent.values()
        for send in sent
        if send.data in originals
        for each in send.frame.prints
    }


def nothing_lost_by_time(logged_events, made, refused):
    """A trade that no tick tells lies in a gap, or its frame is a dead letter."""
    fresh = Counter(_quote(event) for event in logged_events if type(event) is Tick)
    first = next(event.event_time_ns for event in logged_events if type(event) is Tick)
    last = max(event.event_time_ns for event in logged_events if type(event) is not Gap)
    gaps = [event for event in logged_events if type(event) is Gap]
    for each in made:
        quote = _quote(each)
        if fresh[quote]:
            fresh[quote] -= 1
        elif first < each.time_ns <= last:
            in_gap = any(gap.start_ns <= each.time_ns <= gap.end_ns for gap in gaps)
            assert in_gap or (each.product, each.trade_id) in refused, each


def _quote(of):
    """What a quote and its trade's price are, of a tick or of what was made."""
    return (of.price, of.bid, of.ask, of.bid_size, of.ask_size, of.volume_24h)


def _trade(made):
    return (made.price, made.size, made.side)
