"""What a feed left behind, for tests: the log's records, and the archive heard again."""

from archive_contents import read_archive
from barograph.codec import decode_dead_letter, decode_event, decode_prediction, encode
from barograph.log.topics import DEAD_LETTERS, TICKS
from barograph.types import DeadLetter
from barograph.venues.coinbase.machine import Coinbase


def values(log, topic):
    """{partition: [(key, value), …]} of a topic."""
    return {
        extent.partition: [
            (record.key, record.value)
            for record in log.read(topic, extent.partition, extent.oldest, 10**9)
        ]
        for extent in log.extents(topic)
    }


def events(log):
    """{product: its events in order}."""
    by_product = {}
    for records in values(log, TICKS).values():
        for key, value in records:
            by_product.setdefault(key, []).append(decode_event(value))
    return by_product


def letters(log):
    """All dead letters in order."""
    return [decode_dead_letter(value) for _, value in values(log, DEAD_LETTERS)[0]]


def heard_again(archive):
    """{product: the events} that the archive gives through a fresh venue machine."""
    entries, by_product = list(read_archive(archive)), {}
    assert not any(isinstance(entry, DeadLetter) for entry in entries)
    for event in Coinbase().hear(entries, lambda _letter: None):
        by_product.setdefault(event.product, []).append(event)
    return by_product


def traces(log, archive):
    """Everything that two runs of a feed must agree on."""
    return {
        "ticks": values(log, TICKS),
        "letters": [encode(letter) for letter in letters(log)],
        "archive": list(read_archive(archive)),
    }


def total(log, topic):
    """How many records a topic keeps."""
    return sum(extent.next - extent.oldest for extent in log.extents(topic))


def models_in(log, topic):
    """The models whose predictions a topic holds."""
    return {
        decode_prediction(record.value).model
        for extent in log.extents(topic)
        for record in log.read(topic, extent.partition, 0, 1000)
    }
