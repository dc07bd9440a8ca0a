"""The files of several logs in one archive, as one stream."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive_contents import read_archive
from barograph.archive.joined import whole
from barograph.types import Gap, Tick
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.entries import Closing, Heard
from coinbase_messages import ticker
from homes import MESSAGES, Home, heard, interrupted, recorded


@pytest.fixture
def two(tmp_path):
    """One home with two logs: the second one lies elsewhere."""
    first = Home(tmp_path / "home")
    second = Home(tmp_path / "home", f"sqlite:///{tmp_path}/second.sqlite")
    yield first, second
    first.log.close()
    second.log.close()


def market_events(archive):
    return list(Coinbase().hear(whole(archive), lambda _letter: None))


def frames(entries):
    return [entry.frame.data for entry in entries if isinstance(entry, Heard)]


def test_of_one_log_nothing_is_changed(tmp_path, two):
    first, _ = two
    first.replay(recorded(tmp_path, *MESSAGES))
    first.ingest([heard(ticker(40), "live")])
    assert list(whole(first.archive)) == list(read_archive(first.archive))


def test_a_recording_of_two_logs_gives_its_ticks_once(tmp_path, two):
    first, second = two
    path = recorded(tmp_path, *MESSAGES)
    first.replay(path)
    once = market_events(first.archive)
    second.replay(path)
    assert len(frames(read_archive(first.archive))) == 2 * len(frames(whole(first.archive)))
    assert market_events(first.archive) == once


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(cuts=st.tuples(st.integers(0, 12), st.integers(0, 12)))
def test_wherever_the_two_were_interrupted_each_frame_comes_once(tmp_path_factory, cuts):
    folder = tmp_path_factory.mktemp("two")
    homes = [Home(folder / "home"), Home(folder / "home", f"sqlite:///{folder}/second.sqlite")]
    messages = [ticker(n) for n in range(12)]
    path = recorded(folder, *messages)
    for home, cut in zip(homes, cuts, strict=True):
        feed = home.feed(batch_lines=1)
        interrupted(feed, path, cut)
        feed.close()
    for home in homes:
        home.replay(path)
        home.log.close()
    data = frames(whole(homes[0].archive))
    assert len(data) == len(set(data)) == 12
    ticks = [event for event in market_events(homes[0].archive) if isinstance(event, Tick)]
    assert len(ticks) == 12


def test_between_the_files_of_two_logs_nobody_knows_what_passed(two):
    """Else a product that the other log heard on would have no gap where nobody listened."""
    first, second = two
    first.ingest([heard(ticker(0), "a")])
    feed = first.feed()
    feed.take(heard(ticker(1), "b"))
    feed.commit()
    feed.close()  # with `b` open, as a kill leaves it
    second.ingest([heard(ticker(2), "c")])
    entries = list(whole(first.archive))
    assert [entry for entry in entries if entry == Closing("b")]
    kinds = [type(event) for event in market_events(first.archive)]
    assert kinds == [Tick, Gap, Tick, Gap, Tick]
