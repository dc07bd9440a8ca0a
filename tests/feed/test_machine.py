"""The feed's venue machine: what entries come to, as messages and in figures."""

from barograph.codec import decode_dead_letter, decode_event
from barograph.feed.machine import FeedMachine
from barograph.log.topics import DEAD_LETTERS, TICKS
from barograph.venues.entries import Dialect, Opening, Rules
from coinbase_messages import TICKER
from homes import heard


def test_entries_come_to_messages_and_are_counted():
    machine = FeedMachine(Rules())
    machine.take(Opening(connection="a", dialect=Dialect.EXCHANGE))
    machine.take(heard(TICKER, "a"))
    machine.take(heard({"type": "subscriptions"}, "a"))
    machine.take(heard(b"garbage", "a"), ("file", 7))
    tick, letter = machine.messages
    assert (tick.topic, tick.key) == (TICKS, "BTC-USD")
    assert decode_event(tick.value).product == "BTC-USD"
    refused = decode_dead_letter(letter.value)
    assert (letter.topic, refused.source, refused.position) == (DEAD_LETTERS, "file", "7")
    assert (machine.summary.ticks, machine.summary.quiet) == (1, 1)
    assert sum(machine.summary.dead_letters.values()) == 1
