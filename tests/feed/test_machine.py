"""The feed's venue machine: what entries come to, as messages and in figures."""

import json
from contextlib import closing

import msgspec
import pytest

from barograph.archive.files import archive_files
from barograph.archive.writer import ArchiveWriter
from barograph.codec import decode_dead_letter, decode_event
from barograph.feed.machine import FeedMachine
from barograph.log.topics import DEAD_LETTERS, TICKS
from barograph.venues.entries import Dialect, Heard, Opening, Rules
from coinbase_messages import START, TICKER, S, frame, ticker
from homes import MESSAGES, heard


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


@pytest.mark.parametrize("fill", [False, True])
def test_frames_come_to_the_same_one_by_one_and_together(tmp_path, fill):
    opening = Opening(connection="a", dialect=Dialect.EXCHANGE, fill=fill)
    frames = [frame(message, "a", START + n * S) for n, message in enumerate(MESSAGES)]
    places = list(range(1, len(frames) + 1))
    alone, together = FeedMachine(Rules()), FeedMachine(Rules())
    manifests = []
    for name, machine in (("alone", alone), ("together", together)):
        machine.take(opening)
        writer = ArchiveWriter(tmp_path / name)
        writer.write(opening)
        if machine is together:
            assert writer.write_frames(frames, opening.dialect) == len(frames)
            letters = machine.take_frames(frames, opening, ("file", places), writer)
            assert len(letters) == sum(machine.summary.dead_letters.values()) > 0
        else:
            for place, each in zip(places, frames, strict=True):
                entry = Heard(each, opening.dialect)
                writer.write(entry)
                received = machine.take(entry, ("file", place))
                writer.note(received.events, received.dead_letters)
        manifests.append(msgspec.json.encode(writer.flush().counts))
        writer.close()
    assert together.messages == alone.messages
    assert together.summary == alone.summary
    assert together.venue.snapshot() == alone.venue.snapshot()
    assert manifests[0] == manifests[1]


def test_plain_lines_come_to_what_the_frames_come_to(tmp_path):
    opening = Opening(connection="a", dialect=Dialect.EXCHANGE)
    lines = [
        json.dumps(ticker(n, product_id=product)).encode()
        for n in range(60)
        for product in ("BTC-USD", "ETH-USD")
    ]
    alone, plain = FeedMachine(Rules()), FeedMachine(Rules())
    for name, machine in (("alone", alone), ("plain", plain)):
        machine.take(opening)
        with closing(ArchiveWriter(tmp_path / name)) as writer:
            first, rest = lines[:4], lines[4:]
            for some in (first, rest):
                if machine is plain and some is rest:
                    assert machine.take_plain([*rest, b"{}"], opening, writer) == len(rest)
                    continue
                frames = [frame(line, "a") for line in some]
                writer.write_frames(frames, opening.dialect)
                machine.take_frames(frames, opening, ("file", range(len(frames))), writer)
            writer.flush()
            writer.acknowledge()
    assert plain.messages == alone.messages
    assert plain.summary == alone.summary
    assert plain.venue.snapshot() == alone.venue.snapshot()
    assert [file.manifest for file in archive_files(tmp_path / "plain")] == [
        file.manifest for file in archive_files(tmp_path / "alone")
    ]
