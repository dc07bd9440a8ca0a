"""A feed while its log cannot be written: the lock that others hold is a real one."""

import fcntl
import os
from contextlib import closing, contextmanager, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive_contents import read_archive
from barograph.archive.files import archive_files
from barograph.archive.recall import PRODUCER
from barograph.errors import LogUnavailableError, ReplacedProducerError
from barograph.feed.ingest import Batches, ingest
from barograph.log.sqlite import SqliteLog
from barograph.log.topics import STATUS
from barograph.types import DeadLetter, Fault, FeedStatus
from barograph.venues.entries import Closing
from coinbase_messages import START, S, ticker
from homes import MESSAGES, Home, heard, take_all
from log_contents import events, heard_again, letters, values

WAIT_S = 0.02


class Outside:
    """Another program that takes and gives back the log's write lock."""

    def __init__(self, home):
        folder = home.archive.parent / "log.sqlite-locks"
        self._file = os.open(folder / "writer", os.O_RDWR | os.O_CREAT)

        self.holds = False

    def hold(self):
        self.holds = True
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def release(self):
        self.holds = False
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self):
        os.close(self._file)


@contextmanager
def hurried(path):
    """A home whose log gives up on a lock at once."""
    home = Home(path)
    home.log.close()
    home.log = SqliteLog(path / "log.sqlite", wait_s=WAIT_S)
    with closing(Outside(home)) as outside:
        try:
            yield home, outside
        finally:
            outside.release()
            home.log.close()


@pytest.fixture
def both(tmp_path):
    with hurried(tmp_path / "home") as both:
        yield both


@pytest.fixture
def home(both):
    return both[0]


@pytest.fixture
def outside(both):
    return both[1]


def begun(home, entries, *, batch_lines=None):
    """A feed that hears them and tries the log again at once."""
    feed = home.feed(batch_lines=batch_lines)
    try:
        batches = Batches(feed, patient=True, max_delay_s=0.0, retry_s=0.0)
        return take_all(batches, entries(feed))
    finally:
        feed.close()


def back(home):
    """Whether the feed has reported that it has caught up."""
    return any("can be written again" in line for line in home.warnings)


def is_away(home):
    """Whether the last report of the feed is that the log cannot be written."""
    begun = sum("the log cannot be written (" in line for line in home.warnings)
    ended = sum("can be written again" in line or "next start" in line for line in home.warnings)
    return begun > ended


def idle_until(condition):
    """Nothing is heard until a condition holds."""
    while not condition():
        yield None


@contextmanager
def full(home):
    """SQLite finds no page more for the log; the archive, elsewhere, has room."""
    connection = home.log._database._connection
    [(pages,)] = connection.execute("PRAGMA page_count")
    connection.execute(f"PRAGMA max_page_count = {pages}")
    try:
        yield
    finally:
        connection.execute("PRAGMA max_page_count = 4294967294")


@pytest.mark.slow
def test_what_is_heard_while_the_disk_of_the_log_is_full_is_archived_and_taken_up_later(home):
    def entries(feed):
        yield heard(ticker(0), "a")
        with full(home):
            for number in range(1, 200):
                yield heard(ticker(number), "a")
                assert feed.pending <= 2, "the archive has it"
            assert len(list(read_archive(home.archive))) == 1 + 200
            assert is_away(home)
        yield from idle_until(lambda: back(home))
        assert [e.trade_id for e in events(home.log)["BTC-USD"]] == [
            ticker(number)["trade_id"] for number in range(200)
        ]
        yield heard(ticker(200), "a")

    begun(home, entries)
    assert "disk is full" in home.warnings[0]
    assert events(home.log) == heard_again(home.archive)


def test_what_is_heard_while_another_holds_the_lock_is_archived_and_taken_up_later(home, outside):
    def entries(feed):
        yield heard(ticker(0), "a")
        outside.hold()
        for number in range(1, 40):
            yield heard(ticker(number), "a")
            assert feed.pending <= 2, "the archive has it"
            assert len(feed._machine.messages) <= 2
        assert len(list(read_archive(home.archive))) == 1 + 40
        assert len(events(home.log)["BTC-USD"]) == 1
        assert not back(home)
        outside.release()
        yield from idle_until(lambda: back(home))
        assert len(events(home.log)["BTC-USD"]) == 40
        yield heard(ticker(40), "a")

    summary = begun(home, entries)
    assert (summary.ticks, summary.lines) == (41, 41), "each is counted once"
    assert len(events(home.log)["BTC-USD"]) == 41
    assert events(home.log) == heard_again(home.archive)
    away, again = home.warnings
    assert away.startswith("the log cannot be written (")
    assert "another process kept it locked" in away
    assert "frames are archived meanwhile, the log takes them up when it can" in away
    assert "the log can be written again, and has what was archived" in again
    assert all(file.manifest for file in archive_files(home.archive))


def test_more_is_heard_while_the_log_catches_up(home, outside):
    def entries(_feed):
        outside.hold()
        for number in range(50):
            yield heard(ticker(number), "a")
        outside.release()
        number = 50
        while not back(home):
            yield heard(ticker(number), "a")
            number += 1

    summary = begun(home, entries, batch_lines=10)
    assert summary.ticks == len(events(home.log)["BTC-USD"])
    assert events(home.log) == heard_again(home.archive)


def test_a_feed_that_ends_while_the_log_is_away_leaves_the_rest_to_the_next(home, outside):
    def entries(_feed):
        yield heard(ticker(0), "a")
        outside.hold()
        yield heard(ticker(1), "a")
        yield heard(b"garbage", "a")

    begun(home, entries)
    assert "the next start takes it up" in home.warnings[-1]
    assert len(events(home.log)["BTC-USD"]) == 1
    outside.release()
    home.ingest([])
    assert events(home.log) == heard_again(home.archive)
    assert len(events(home.log)["BTC-USD"]) == 2
    assert len(letters(home.log)) == 1


def test_a_lock_that_is_held_for_ever_is_reported_now_and_then(home, outside, monkeypatch):
    monkeypatch.setattr("barograph.feed.outage.SAY_AGAIN_S", 0.2)

    def entries(_feed):
        outside.hold()
        yield heard(ticker(0), "a")
        yield from idle_until(lambda: len(home.warnings) == 3)

    begun(home, entries)
    assert home.warnings[1].startswith("the log cannot be written, for 0 s now (")


def test_letters_without_a_frame_and_the_last_status_are_kept(home, outside):
    letter = DeadLetter(
        source="s", position="1", key="k", original=b"x", fault=Fault.NOT_JSON, detail="d"
    )

    def status(frames):
        return FeedStatus(
            venue="v", connection="c", dialect="exchange", products=(), time_ns=1, since_ns=1,
            frames=frames, reconnects=0, queued=0, queue_full=0, open_holes=0,
        )  # fmt: skip

    def entries(feed):
        yield heard(ticker(0), "a")
        outside.hold()
        yield letter
        for frames in range(5):
            feed.report(status(frames))
            yield None
        outside.release()
        yield from idle_until(lambda: back(home))

    begun(home, entries)
    assert [each.original for each in letters(home.log)] == [b"x"]
    assert len(values(home.log, STATUS)[0]) == 1


def test_a_feed_that_was_replaced_meanwhile_ends(home, outside):
    def entries(_feed):
        yield heard(ticker(0), "a")
        outside.hold()
        yield heard(ticker(1), "a")
        outside.release()
        with closing(SqliteLog(home.archive.parent / "log.sqlite")) as other:
            other.producer_checkpoints(PRODUCER)
        yield from idle_until(lambda: False)

    with pytest.raises(ReplacedProducerError):
        begun(home, entries)


def test_a_feed_that_is_not_patient_ends(home, outside):
    feed = home.feed()
    outside.hold()
    with pytest.raises(LogUnavailableError), closing(feed):
        ingest(feed, [heard(ticker(0), "a")])


class Cut(Exception):  # noqa: N818 - no fault, but a step of the law
    """The feed is killed here."""


HELD, RELEASED, CUT, PAUSE, CLOSED = "held", "released", "cut", "pause", "closed"

ENTRIES = st.one_of(
    st.sampled_from(MESSAGES[1:]),
    st.integers(0, 60).map(ticker),
    st.sampled_from([HELD, HELD, RELEASED, RELEASED, CUT, PAUSE, CLOSED]),
)


def lived(path, steps, *, locks):
    """What is left of a feed that went through these steps."""
    with hurried(path) as (home, outside):
        left = list(steps)

        def entries(_feed):
            while left:
                step = left.pop(0)
                if step == CUT:
                    outside.release()
                    raise Cut
                if step in (HELD, RELEASED):
                    if locks:
                        outside.hold() if step == HELD else outside.release()
                    yield None
                elif step == PAUSE:
                    yield None
                    yield from idle_until(lambda: outside.holds or not is_away(home))
                elif step == CLOSED:
                    yield Closing("a")
                else:
                    yield heard(step, "a", START + S)

        while left:
            with suppress(Cut):
                begun(home, entries, batch_lines=3)
            outside.release()
            home.warnings.clear()
        home.ingest([])
        assert not locks or all(file.manifest for file in archive_files(home.archive))
        return home.traces()


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(steps=st.lists(ENTRIES, max_size=25))
def test_any_pattern_of_locks_and_cuts_gives_what_an_undisturbed_feed_gives(
    tmp_path_factory, steps
):
    path = tmp_path_factory.mktemp("lives")
    expected = lived(path / "undisturbed", steps, locks=False)
    assert lived(path / "disturbed", steps, locks=True) == expected
