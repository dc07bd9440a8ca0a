"""What an archive has that a log has not, into the log."""

import json
import shutil
from contextlib import closing, suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.archive.files import archive_files
from barograph.errors import BadInputError
from barograph.feed.feed import PRODUCER
from barograph.feed.recover import recover
from barograph.files.lines import file_sha256
from barograph.log import open_log
from barograph.types import Tick
from coinbase_messages import ticker
from homes import MESSAGES, Home, die, heard, interrupted, recorded
from log_contents import events, heard_again, letters


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    yield home
    home.log.close()


def lose(home):
    """Remove the log."""
    home.log.close()
    for path in home.archive.parent.glob("log.sqlite*"):
        if path.is_file():
            path.unlink()
    home.log = open_log(home.archive.parent)


def copy(home, name):
    """A copy of the log."""
    home.log.close()
    kept = home.archive.parent / name
    shutil.copy(home.archive.parent / "log.sqlite", kept)
    home.log = open_log(home.archive.parent)
    return kept


def restore(home, kept):
    """Put a copy in the log's place."""
    home.log.close()
    shutil.copy(kept, home.archive.parent / "log.sqlite")
    home.log = open_log(home.archive.parent)


def contents(home):
    return {path.name: path.read_bytes() for path in home.archive.glob("*.gz")}


def test_a_log_that_was_lost_comes_back_as_the_archive_gives_it(tmp_path, home):
    home.replay(recorded(tmp_path, *MESSAGES))
    home.ingest([heard(ticker(40), "live"), heard(ticker(45), "live")])
    before, files = events(home.log), contents(home)
    lose(home)
    assert home.unknown() == ["000001.ndjson.gz", "000002.ndjson.gz"]
    done = home.recover()
    assert done.files == ["000001.ndjson.gz", "000002.ndjson.gz"]
    assert events(home.log) == before == heard_again(home.archive)
    assert contents(home) == files
    assert home.unknown() == []
    assert home.recover().files == []
    home.ingest([heard(ticker(50), "later")])
    assert events(home.log) == heard_again(home.archive)


def test_a_log_that_was_restored_gets_what_came_after(tmp_path, home):
    """A log in the place of a later one: finished files were deleted without a word."""
    home.ingest([heard(ticker(0), "a")])
    kept = copy(home, "yesterday.sqlite")
    home.replay(recorded(tmp_path, *MESSAGES[4:]))
    home.ingest([heard(ticker(40), "live")])
    files, before = contents(home), events(home.log)
    restore(home, kept)
    assert home.unknown() == ["000002.ndjson.gz", "000003.ndjson.gz"]
    assert contents(home) == files
    assert home.recover().files == ["000002.ndjson.gz", "000003.ndjson.gz"]
    assert events(home.log) == before == heard_again(home.archive)


def test_a_log_restored_from_the_middle_of_a_file_gets_its_rest(home):
    feed = home.feed()
    feed.take(heard(ticker(0), "a"))
    feed.commit()
    kept = copy(home, "yesterday.sqlite")
    feed._log = home.log
    feed.take(heard(ticker(1), "a"))
    home.log.producer_checkpoints("feed")
    feed.commit()
    feed.close()
    before = events(home.log)
    restore(home, kept)
    assert len(events(home.log)["BTC-USD"]) == 1
    assert home.recover().files == ["000001.ndjson.gz"]
    assert events(home.log) == before == heard_again(home.archive)


def test_a_connection_that_was_open_where_the_log_stood_is_lost_in_what_is_recovered(home):
    """The log had the last file whole and took it for one of which it had nothing."""
    feed = home.feed()
    feed.take(heard(ticker(0), "a"))
    feed.commit()
    feed.close()  # as if killed: "a" was open
    kept = copy(home, "yesterday.sqlite")
    home.ingest([heard(ticker(1), "b")])
    restore(home, kept)
    home.ingest([heard(ticker(2), "c")])
    restore(home, kept)
    assert home.recover().files == ["000002.ndjson.gz", "000003.ndjson.gz"]
    assert events(home.log) == heard_again(home.archive)
    assert len(events(home.log)["BTC-USD"]) == 5, "three ticks and the gaps between"


def test_a_log_with_later_events_refuses_and_its_cure_works(home):
    home.ingest([heard(ticker(0), "a")])
    kept = copy(home, "yesterday.sqlite")
    home.ingest([heard(ticker(1), "b")])
    restore(home, kept)
    home.ingest([heard(ticker(2), "c")])
    before, files = events(home.log), contents(home)
    with pytest.raises(BadInputError, match="later events than those of 1 files") as refused:
        home.recover()
    assert (events(home.log), contents(home)) == (before, files)
    address = refused.value.cure.rpartition("--log ")[2].removesuffix("`)")
    with closing(open_log(address)) as rebuilt:
        assert len(recover(rebuilt, home.archive).files) == 3
        assert len(events(rebuilt)["BTC-USD"]) == 5, "three ticks and the gaps between"


def test_a_new_log_elsewhere_takes_in_the_files_of_all_logs_each_recording_once(tmp_path, home):
    path = recorded(tmp_path, *MESSAGES)
    home.replay(path)
    other = Home(home.archive.parent, f"sqlite:///{tmp_path}/other.sqlite")
    other.replay(path)
    assert (home.unknown(), other.unknown()) == ([], [])
    with closing(open_log(f"sqlite:///{tmp_path}/third.sqlite")) as third:
        assert len(recover(third, home.archive).files) == 2
        assert events(third) == events(home.log) == events(other.log)
    other.log.close()


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.integers(1, 30), st.booleans())
def test_a_recovery_that_was_killed_goes_on_where_it_stopped(tmp_path_factory, batch, elsewhere):
    folder = tmp_path_factory.mktemp("killed")
    home = Home(folder / "home")
    for run in range(3):
        home.ingest([heard(ticker(20 * run + n), f"c{run}") for n in range(8)])
    before = events(home.log)
    if elsewhere:
        other = Home(home.archive.parent, f"sqlite:///{folder}/other.sqlite")
        home.log.close()
        home.log = other.log
    else:
        lose(home)
    append, left = home.log.append, 2

    def dying(messages, **rest):
        nonlocal left
        append(messages, **rest)
        left -= bool(messages)
        if not left:
            raise KeyboardInterrupt

    feed = home.feed(batch_lines=batch)
    home.log.append = dying
    files = feed.unknown or [file for file in archive_files(home.archive) if file.there]
    with suppress(KeyboardInterrupt):
        feed.take_in(files, whole=elsewhere)
    feed.close()
    home.log.append = append
    assert home.unknown() or events(home.log) == before
    home.recover()
    assert events(home.log) == before
    home.log.close()


def without_ids(number):
    """As recorders write it that keep no ids; the same one may come again."""
    message = ticker(number)
    del message["trade_id"], message["sequence"]
    return message


STEPS = st.one_of(
    st.tuples(st.just("replay"), st.integers(0, 12), st.sampled_from(["close", "die", "tail"])),
    st.sampled_from([(step,) for step in ("lose and recover", "lose", "recover", "live")]),
    st.sampled_from([("copy",), ("restore",)]),
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    st.booleans(),
    st.lists(st.integers(0, 40), min_size=1, max_size=10).map(sorted),
    st.sets(st.integers(1, 9), max_size=3),
    st.lists(STEPS, max_size=8),
)
def test_each_line_of_a_recording_is_taken_once_whatever_became_of_its_log(
    tmp_path_factory, ids, numbers, blanks, steps
):
    """Replayed in part, killed, its log lost or restored and recovered, in any order; then whole.

    What was recovered was taken a second time: without ids as second ticks.
    """
    folder = tmp_path_factory.mktemp("once")
    make = ticker if ids else without_ids
    lines = [{"type": "subscriptions"}, *map(make, sorted(set(numbers)) if ids else numbers)]
    for place in blanks:
        lines.insert(place, b"")
    path, home = recorded(folder, *lines), Home(folder / "home")
    kept, live = None, 1000
    for step, *how in steps:
        if step == "replay":
            feed = home.feed(batch_lines=2)
            interrupted(feed, path, how[0])
            if how[1] == "tail":
                feed._writer.flush()
            if how[1] == "close":
                feed.close()
            else:
                die(feed)
        elif step == "live":
            live += 1
            home.ingest([heard(ticker(live, product_id="ETH-USD"), f"live-{live}")])
        elif step == "copy":
            kept = copy(home, "kept.sqlite")
        elif step == "restore" and kept is not None:
            lose(home)
            restore(home, kept)
        if step.startswith("lose"):
            lose(home)
        if step.endswith("recover"):
            with suppress(BadInputError):  # no archive yet, or later events: tested elsewhere
                home.recover()
    home.replay(path)
    ticks = [each for each in events(home.log)["BTC-USD"] if isinstance(each, Tick)]
    fresh = Home(folder / "fresh")
    fresh.replay(path)
    expected = [each for each in events(fresh.log)["BTC-USD"] if isinstance(each, Tick)]
    assert ticks == expected
    ours, theirs = (
        sorted((each.fault, each.original) for each in letters(each_home.log))
        for each_home in (home, fresh)
    )
    assert ours == theirs
    assert home.replay(path).skipped == ["recording.ndjson"]
    home.log.close()
    fresh.log.close()


def test_a_recording_that_was_recovered_is_skipped_and_goes_on_when_it_grows(tmp_path, home):
    path = recorded(tmp_path, *map(without_ids, range(5)))
    home.replay(path)
    lose(home)
    home.recover()
    assert home.replay(path).skipped == ["recording.ndjson"]
    path = recorded(tmp_path, *map(without_ids, range(8)))
    lose(home)
    home.recover()
    summary = home.replay(path)
    assert (summary.resumed_at, summary.ticks, summary.gaps) == (5, 3, {})
    assert len(events(home.log)["BTC-USD"]) == 8


def test_a_recording_that_an_older_version_began_is_known_after_it_was_recovered(tmp_path, home):
    path = recorded(tmp_path, *map(without_ids, range(5)))
    kept = {f"file:{file_sha256(path)}": msgspec.json.encode({"lines": 0, "done": False})}
    home.feed().close()
    home.log.append([], producer=PRODUCER, checkpoints=kept)
    home.replay(path)
    lose(home)
    home.recover()
    assert home.replay(path).skipped == ["recording.ndjson"]
    with path.open("ab") as file:
        file.write(b"\n" + json.dumps(without_ids(5)).encode())
    assert home.replay(path).ticks == 1
    assert home.replay(path).skipped == ["recording.ndjson"]


def test_another_recording_that_begins_like_one_that_was_recovered_is_refused(tmp_path, home):
    home.replay(recorded(tmp_path, *map(ticker, range(5))))
    lose(home)
    home.recover()
    other = recorded(tmp_path, ticker(0), ticker(9), name="other")
    with pytest.raises(BadInputError, match=r"other: .* took 5 frames from the archive.* fresh"):
        home.replay(other)
    assert len(events(home.log)["BTC-USD"]) == 5


def test_without_an_archive_one_line_says_so(home):
    with pytest.raises(BadInputError, match="there is no archive"):
        home.recover()
