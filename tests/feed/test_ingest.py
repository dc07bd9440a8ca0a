"""Live entries through a feed: when they are committed, and what is no frame."""

import pytest

from barograph.feed.ingest import Batches, ingest
from barograph.types import DeadLetter, Fault
from coinbase_messages import TICKER, ticker
from homes import Clock, Home, heard, take_all
from log_contents import events, letters


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    yield home
    home.log.close()


def test_live_frames_wait_for_others_only_so_long(home):
    clock, feed = Clock(), home.feed()
    seen = []

    def frames():
        for number, pause in enumerate([0.0, 0.04, 0.02, 0.0]):
            clock.sleep(pause)
            yield heard(ticker(number), "a")
            seen.append(len(events(home.log).get("BTC-USD", [])))
        yield None
        seen.append(len(events(home.log)["BTC-USD"]))

    take_all(Batches(feed, max_delay_s=0.05, monotonic=clock), frames())
    feed.close()
    assert seen == [0, 0, 3, 3, 4]


def test_a_frame_that_was_not_taken_in_is_a_dead_letter_among_the_entries(home):
    letter = DeadLetter(
        fault=Fault.TOO_LONG, detail="", source="a", position="2", key="", original=b"", cut=True
    )
    summary = home.ingest([heard(TICKER, "a"), letter])
    assert letters(home.log) == [letter]
    assert summary.dead_letters == {"too_long": 1}
    assert summary.line() == "1 ticks, 0 heartbeats, 0 gaps, 1 dead letters"


def test_entries_that_are_there_already_are_taken_to_the_end(home):
    feed = home.feed(batch_lines=2)
    summary = ingest(feed, (heard(ticker(number), "a") for number in range(5)))
    feed.close()
    assert (summary.lines, summary.ticks, feed.connections) == (5, 5, [])
    assert len(events(home.log)["BTC-USD"]) == 5


def test_a_pause_commits_what_waits(home):
    feed = home.feed()
    batches = Batches(feed, max_delay_s=0.05)
    batches.pause()
    assert batches.take(heard(TICKER, "a")).events
    batches.commit_if_due()
    assert feed.pending == 1
    batches.pause()
    assert feed.pending == 0
    batches.end()
    feed.close()
