"""Live entries through a feed: when they are committed, and what is no frame."""

import pytest

from barograph.feed.ingest import ingest
from barograph.types import DeadLetter, Fault
from coinbase_messages import TICKER, ticker
from homes import Clock, Home, heard
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

    ingest(feed, frames(), max_delay_s=0.05, monotonic=clock)
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
