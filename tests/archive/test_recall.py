"""What lies behind a log's standing: a crash's tail, or what this log should know and does not."""

import pytest

from barograph.archive.files import archive_files
from barograph.archive.joined import entries_in_log
from barograph.archive.recall import Recall, compare, is_read_again
from barograph.archive.recording import Recording
from barograph.archive.standing import ArchivePosition
from barograph.archive.writer import ArchiveWriter
from barograph.feed.feed import PRODUCER
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.entries import Closing, Heard
from coinbase_messages import ticker
from homes import Home, die, heard, recorded
from log_contents import events, heard_again


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    yield home
    home.log.close()


def left_open(home, entry, *, archived):
    """A run that committed one entry, archived others, and was killed."""
    feed = home.feed()
    feed.take(entry)
    feed.commit()
    for each in archived:
        feed.take(each)
    feed._writer.flush()
    die(feed)


def recorded_frame(path, number):
    entry = list(Recording(path))[number]
    return Heard(entry.frame, entry.opening.dialect)


def test_live_frames_behind_closings_of_a_recording_are_recalled(tmp_path, home):
    """The first line decided: a live run begins with closing what a replay left open."""
    path = recorded(tmp_path, ticker(0), ticker(1))
    replayed = recorded_frame(path, 0)
    left_open(home, replayed, archived=[])
    live = [Closing(replayed.frame.connection), heard(ticker(5), "live")]
    feed = home.feed()
    for entry in live:
        feed.take(entry)
    feed._writer.flush()
    die(feed)
    feed = home.feed()
    feed.close()
    assert home.warnings == []
    assert len(events(home.log)["BTC-USD"]) == 3, "two ticks and the gap between"
    assert events(home.log) == heard_again(home.archive)


def test_what_a_killed_replay_left_is_moved_aside_and_reported(tmp_path, home):
    path = recorded(tmp_path, ticker(0), ticker(1), ticker(2))
    one, two = recorded_frame(path, 0), recorded_frame(path, 1)
    left_open(home, one, archived=[two])
    whole = (home.archive / "000001.ndjson.gz").read_bytes()
    home.feed().close()
    (warning,) = home.warnings
    assert "what a killed replay left in 1 file was moved to" in warning
    (aside,) = (home.archive / "aside").iterdir()
    assert (home.archive / "000001.ndjson.gz").read_bytes() + aside.read_bytes() == whole


def test_a_copy_of_a_log_that_is_used_too_is_a_log_of_its_own(tmp_path, home):
    home.ingest([heard(ticker(0), "a")])
    home.log.close()
    (tmp_path / "copy.sqlite").write_bytes((tmp_path / "home" / "log.sqlite").read_bytes())
    home.log = Home(tmp_path / "home").log
    other = Home(tmp_path / "home", f"sqlite:///{tmp_path}/copy.sqlite")
    left_open(other, heard(ticker(1), "b"), archived=[heard(ticker(2), "b")])
    files = {path.name: path.read_bytes() for path in home.archive.glob("*.gz")}
    home.ingest([heard(ticker(3), "c")])
    other.ingest([heard(ticker(4), "d")])
    for each in (home, other):
        assert each.warnings == []
        saved = each.log.producer_checkpoints(PRODUCER, take=False)
        recalled = compare(each.archive, saved, "elsewhere")
        entries = entries_in_log(each.archive, recalled.standing)
        market_events = list(Coinbase().hear(entries, lambda _letter: None))
        assert market_events == events(each.log)["BTC-USD"]
    now = {path.name: path.read_bytes() for path in home.archive.glob("*.gz")}
    assert now.items() >= files.items()
    other.log.close()


def test_an_archive_older_than_the_log_goes_on_behind_what_the_log_knows(home):
    for run in range(3):
        home.ingest([heard(ticker(run), f"c{run}")])
    (home.archive / "000003.ndjson.gz").unlink()
    (home.archive / "000003.manifest.json").unlink()
    home.ingest([heard(ticker(9), "d")])
    assert home.warnings == [f"{home.archive} lacks 1 file that the log knows (000003); it goes on"]
    assert [file.number for file in archive_files(home.archive)] == [1, 2, 4]


def test_an_archive_that_was_emptied_is_reported_and_the_log_goes_on(home):
    home.ingest([heard(ticker(0), "a")])
    for path in home.archive.iterdir():
        path.unlink()
    home.ingest([heard(ticker(1), "b")])
    (warning,) = home.warnings
    assert "the log knows another archive" in warning


def test_a_book_that_was_lost_is_made_again_from_what_the_log_has(home):
    home.ingest([heard(ticker(0), "a")])
    left_open(home, heard(ticker(1), "b"), archived=[heard(ticker(2), "b")])
    (home.archive / "book.json").unlink()
    home.ingest([heard(ticker(3), "c")])
    assert home.warnings == []
    assert home.unknown() == []
    assert events(home.log) == heard_again(home.archive)


def test_reading_can_begin_after_any_line_and_the_counts_are_those_of_the_whole(tmp_path):
    writer = ArchiveWriter(tmp_path)
    for number in range(6):
        writer.write(heard(ticker(number), "a"))
        writer.flush()
    writer.close()
    (file,) = archive_files(tmp_path)
    whole = Recall(ArchivePosition(), [file])
    lines = list(whole.entries())
    for cut in range(len(lines) + 1):
        first = Recall(ArchivePosition(), [file])
        entries = first.entries()
        taken = [next(entries) for _ in range(cut)]
        rest = Recall(first.checkpoint(), [file])
        assert [*taken, *rest.entries()] == lines
        assert rest.checkpoint() == whole.checkpoint()


def test_a_tail_that_says_nothing_is_taken(tmp_path):
    writer = ArchiveWriter(tmp_path)
    writer.write(Closing("replay:x"))
    writer.close()
    assert not is_read_again(archive_files(tmp_path), ArchivePosition())
