import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.archive import Closing, Recording, archive_end, read_archive
from barograph.errors import BadInputError
from barograph.feed import Feed, Pace, ingest, replay
from barograph.log import Topic, open_log
from barograph.log.topics import TICKS
from barograph.types import Fault, Gap, GapCause, Tick
from barograph.venues.continuity import Dialect, Opening, Rules
from barograph.venues.timestamps import format_time
from coinbase_messages import START, TICKER, S, envelope, frame, gaps, heartbeat, ticker
from hearing import events, heard_again, letters, traces


class KilledError(Exception):
    """Stands for the end of a process: nothing of the feed runs after it."""


class Home:
    """A log and an archive in one folder, as a user has them."""

    def __init__(self, path):
        path.mkdir(parents=True, exist_ok=True)
        self.archive = path / "archive"
        self.log = open_log(path)

    def feed(self, rules=None, batch_lines=None):
        feed = Feed(self.log, self.archive, rules)
        if batch_lines:
            feed.batch_lines = batch_lines
        return feed

    def replay(self, *paths, **options):
        feed = self.feed(**options)
        try:
            return replay(feed, paths)
        finally:
            feed.close()

    def ingest(self, frames, dialect=Dialect.EXCHANGE):
        feed = self.feed()
        try:
            return ingest(feed, frames, dialect)
        finally:
            feed.close()

    def traces(self):
        return traces(self.log, self.archive)


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    yield home
    home.log.close()


def lines_of(*messages):
    return b"\n".join(
        each if isinstance(each, bytes) else json.dumps(each).encode() for each in messages
    )


def recorded(tmp_path, *messages, name="recording.ndjson"):
    path = tmp_path / name
    path.write_bytes(lines_of(*messages))
    return path


def test_a_recording_becomes_events_by_product_and_a_summary(tmp_path, home):
    path = recorded(
        tmp_path,
        {"type": "subscriptions"},
        ticker(0),
        ticker(0, product_id="ETH-USD"),
        b"",
        heartbeat(1, 0),
        ticker(4),
        b"garbage",
        ticker(5, price="NaN"),
    )
    summary = home.replay(path)
    assert (summary.files, summary.lines, summary.quiet, summary.blank_lines) == (
        ["recording.ndjson"], 7, 1, 1
    )  # fmt: skip
    assert (summary.ticks, summary.heartbeats) == (3, 1)
    assert summary.gaps == {"trade_id": 1}
    assert summary.dead_letters == {"not_json": 1, "not_a_number": 1}
    assert summary.products == {"BTC-USD": 2, "ETH-USD": 1}
    assert (summary.first_event_time_ns, summary.last_event_time_ns) == (START, START + 4 * S)
    assert {product: len(each) for product, each in events(home.log).items()} == {
        "BTC-USD": 4,
        "ETH-USD": 1,
    }


def test_dead_letters_name_the_file_and_the_line_and_keep_the_bytes(tmp_path, home):
    path = recorded(tmp_path, TICKER, b"garbage", b"{", ticker(1, price="0"), b"[" * 2000)
    home.replay(path)
    found = letters(home.log)
    assert [(x.fault, x.source, x.position) for x in found] == [
        (Fault.NOT_JSON, path.name, "2"),
        (Fault.NOT_JSON, path.name, "3"),
        (Fault.NOT_POSITIVE, path.name, "4"),
        (Fault.NOT_JSON, path.name, "5"),
    ]
    assert found[0].original == b"garbage"
    assert found[2].key == "BTC-USD"


def test_every_bad_line_of_a_recording_is_accounted_for(tmp_path, home):
    path = recorded(
        tmp_path,
        TICKER,
        TICKER,
        b"\xff",
        ticker(1, price=None),
        ticker(1, price="-1"),
        ticker(1, best_bid="999999"),
        ticker(1, product_id="DOGE-USD"),
        ticker(1, time=format_time(START - S)),
        b'{"x":"' + b"y" * 10_000_000 + b'"}',
        ticker(2),
    )
    summary = home.replay(path, rules=Rules(products=frozenset({"BTC-USD"})))
    assert summary.dead_letters == {
        "duplicate": 1,
        "not_utf8": 1,
        "wrong_shape": 1,
        "not_positive": 1,
        "crossed_quote": 1,
        "unknown_product": 1,
        "too_long": 1,
    }
    assert (summary.ticks, summary.lines) == (3, 10)


def test_a_file_that_was_replayed_is_skipped_whatever_its_name(tmp_path, home):
    first = recorded(tmp_path, TICKER)
    again = recorded(tmp_path, TICKER, name="copy.ndjson")
    home.replay(first)
    before = home.traces()
    summary = home.replay(again)
    assert (summary.files, summary.skipped, summary.lines) == ([], ["copy.ndjson"], 0)
    assert home.traces() == before


def test_between_two_files_lies_a_gap(tmp_path, home):
    paths = [recorded(tmp_path, ticker(0), name="a"), recorded(tmp_path, ticker(9), name="b")]
    home.replay(*paths)
    (gap,) = gaps(events(home.log)["BTC-USD"])
    assert (gap.cause, gap.start_ns, gap.end_ns) == (GapCause.DISCONNECT, START, START + 9 * S)


def test_two_files_in_one_call_or_in_two_leave_the_same(tmp_path, home):
    paths = [recorded(tmp_path, ticker(0), name="a"), recorded(tmp_path, ticker(9), name="b")]
    home.replay(*paths)
    apart = Home(tmp_path / "apart")
    for path in paths:
        apart.replay(path)
    assert apart.traces() == home.traces()
    apart.log.close()


def test_an_empty_or_absent_file_stops_the_replay_before_it_begins(tmp_path, home):
    good, empty = recorded(tmp_path, TICKER), recorded(tmp_path, name="empty")
    for bad in (empty, tmp_path / "absent"):
        with pytest.raises(BadInputError, match=bad.name):
            home.replay(good, bad)
    assert events(home.log) == {}


MESSAGES = [
    {"type": "subscriptions"}, ticker(0), ticker(0, product_id="ETH-USD"), b"garbage", ticker(1),
    envelope(0, ("BTC-USD", "ETH-USD"), seconds=2), ticker(7), b"", ticker(7), heartbeat(8, 9),
    b"\xff\n", ticker(8, price="NaN"), envelope(4, ("ETH-USD",), seconds=9), ticker(10), ticker(30),
]  # fmt: skip


def interrupted(home, paths, kills, batch_lines):
    """Replay, and be killed after so many commits, once for each of `kills`; then to the end."""
    for kill in [*kills, None]:
        commits = 0

        def progress(*_, kill=kill):
            nonlocal commits
            commits += 1
            if commits == kill:
                raise KilledError

        feed = home.feed(batch_lines=batch_lines)
        try:
            replay(feed, paths, progress=progress)
        except KilledError:
            pass
        finally:
            feed._writer._lines.clear()
            feed.close()


@settings(max_examples=25)
@given(st.lists(st.integers(1, 6), max_size=5), st.integers(1, 9))
def test_a_replay_killed_after_any_commits_leaves_what_an_unkilled_one_leaves(
    tmp_path_factory, kills, batch_lines
):
    path = tmp_path_factory.mktemp("replay")
    paths = [
        recorded(path, *MESSAGES, name="a"),
        recorded(path, *(m if isinstance(m, bytes) else m | {"x": 1} for m in MESSAGES), name="b"),
    ]
    whole, home = Home(path / "whole"), Home(path / "home")
    whole.replay(*paths)
    interrupted(home, paths, kills, batch_lines)
    assert home.traces() == whole.traces()
    whole.log.close()
    home.log.close()


def test_a_replay_killed_between_archive_and_log_repeats_and_misses_nothing(tmp_path, home):
    path = recorded(tmp_path, *MESSAGES)
    whole = Home(tmp_path / "whole")
    whole.replay(path)
    feed = home.feed()
    for entry in list(Recording(path))[:3]:
        feed.open(entry.opening)
        feed.receive(entry.frame, entry.opening.dialect)
    feed._writer.flush()
    feed.close()
    assert list(read_archive(home.archive)), "the archive is ahead of the log"
    summary = home.replay(path)
    assert summary.resumed_at == 0
    assert home.traces() == whole.traces()
    whole.log.close()


def test_the_archive_heard_again_gives_exactly_the_logged_events(tmp_path, home):
    home.replay(recorded(tmp_path, *MESSAGES))
    home.ingest([frame(ticker(40), "live"), frame(ticker(45), "live"), Closing("live")])
    home.ingest([frame(ticker(50), "live-2")])
    assert heard_again(home.archive) == events(home.log)


def test_an_archive_without_its_log_is_kept(tmp_path, home):
    path = recorded(tmp_path, TICKER)
    home.replay(path)
    before = list(read_archive(home.archive))
    fresh = Home(tmp_path / "fresh")
    fresh.archive = home.archive
    fresh.replay(path)
    assert list(read_archive(home.archive)) == before + before
    fresh.log.close()


def test_a_log_without_its_archive_goes_on_in_a_new_file(tmp_path, home):
    home.replay(recorded(tmp_path, TICKER))
    for path in home.archive.iterdir():
        path.unlink()
    home.replay(recorded(tmp_path, ticker(1), name="second"))
    assert len(events(home.log)["BTC-USD"]) == 3, "two ticks and the gap between"
    assert archive_end(home.archive).size > 0


def test_two_feeds_of_one_home_are_refused(home):
    feed = home.feed()
    with pytest.raises(BadInputError, match="another feed"):
        home.feed()
    feed.close()


# Live.


def test_live_frames_take_the_same_path(home):
    summary = home.ingest(
        [
            Opening(connection="a", dialect=Dialect.EXCHANGE),
            frame(ticker(0), "a", START + 1),
            Closing("a"),
            frame(ticker(5), "b", START + 6 * S),
        ]
    )
    first, gap, second = events(home.log)["BTC-USD"]
    assert (first.receive_time_ns, second.receive_time_ns) == (START + 1, START + 6 * S)
    assert (gap.cause, gap.missing) == (GapCause.DISCONNECT, 4)
    assert (summary.lines, summary.ticks, summary.gaps) == (2, 2, {"disconnect": 1})


def test_a_dead_letter_of_a_live_frame_names_connection_and_count(home):
    home.ingest([frame(TICKER, "a"), frame(b"garbage", "a")])
    (letter,) = letters(home.log)
    assert (letter.source, letter.position) == ("a", "2")


def test_a_new_run_of_the_feed_is_a_gap(home):
    home.ingest([frame(ticker(0), "a")])
    home.ingest([frame(ticker(1), "b")])
    assert [type(event).__name__ for event in events(home.log)["BTC-USD"]] == [
        "Tick",
        "Gap",
        "Tick",
    ]


def test_live_frames_that_were_archived_and_not_logged_are_taken_from_the_archive(home):
    feed = home.feed()
    feed.open(Opening(connection="a", dialect=Dialect.EXCHANGE))
    feed.receive(frame(ticker(0), "a"), Dialect.EXCHANGE)
    feed.commit()
    feed.receive(frame(ticker(1), "a"), Dialect.EXCHANGE)
    feed.receive(frame(b"garbage", "a"), Dialect.EXCHANGE)
    feed.close()
    assert len(events(home.log)["BTC-USD"]) == 1
    summary = home.ingest([frame(ticker(2), "b")])
    assert [type(event) for event in events(home.log)["BTC-USD"]] == [Tick, Tick, Gap, Tick]
    assert len(letters(home.log)) == 1
    assert summary.ticks == 2
    assert heard_again(home.archive) == events(home.log)


def test_a_torn_end_of_the_archive_gives_its_whole_lines_and_a_dead_letter(home):
    feed = home.feed()
    feed.open(Opening(connection="a", dialect=Dialect.EXCHANGE))
    for number in range(50):
        feed.receive(frame(ticker(number), "a"), Dialect.EXCHANGE)
    feed.close()
    (path,) = home.archive.glob("*.gz")
    path.write_bytes(path.read_bytes()[:-100])
    home.ingest([])
    ticks = events(home.log)["BTC-USD"]
    assert 0 < len(ticks) < 50
    assert [event.event_time_ns for event in ticks] == [START + n * S for n in range(len(ticks))]
    assert [letter.fault for letter in letters(home.log)] == [Fault.TRUNCATED]


class Clock:
    """Seconds that pass when somebody sleeps."""

    def __init__(self):
        self.now = 100.0
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def test_live_frames_wait_for_others_only_so_long(home):
    clock, feed = Clock(), home.feed()
    seen = []

    def frames():
        for number, pause in enumerate([0.0, 0.04, 0.02, 0.0]):
            clock.sleep(pause)
            yield frame(ticker(number), "a")
            seen.append(len(events(home.log).get("BTC-USD", [])))
        yield None
        seen.append(len(events(home.log)["BTC-USD"]))

    ingest(feed, frames(), Dialect.EXCHANGE, max_delay_s=0.05, monotonic=clock)
    feed.close()
    assert seen == [0, 0, 3, 3, 4]


# Pace.


def paced(home, path, speed, watch=None):
    clock, feed = Clock(), home.feed()
    sleep = clock.sleep if watch is None else lambda s: (watch(), clock.sleep(s))
    replay(feed, [path], Pace(speed, sleep, clock))
    feed.close()
    return clock


def test_speed_divides_the_recordings_own_time(tmp_path, home):
    clock = paced(home, recorded(tmp_path, *(ticker(n) for n in range(9))), 4.0)
    assert clock.slept == pytest.approx([0.25] * 8)


def test_what_came_before_a_pause_is_written_before_it(tmp_path, home):
    seen = []
    path = recorded(tmp_path, ticker(0), ticker(1), ticker(2))
    paced(home, path, 1.0, lambda: seen.append(len(events(home.log)["BTC-USD"])))
    assert seen == [1, 2]


def test_the_receive_time_sets_the_pace_where_it_is_known(tmp_path, home):
    wrapped = [{"ts": 5.0 + n, "raw": json.dumps(ticker(60 * n))} for n in range(3)]
    assert paced(home, recorded(tmp_path, *wrapped), 1.0).slept == pytest.approx([1.0, 1.0])


def test_a_pace_changes_no_byte(tmp_path, home):
    path = recorded(tmp_path, *MESSAGES)
    paced(home, path, 3.0)
    fast = Home(tmp_path / "fast")
    fast.replay(path)
    assert fast.traces() == home.traces()
    fast.log.close()


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_a_speed_is_above_zero(speed):
    with pytest.raises(BadInputError, match="speed"):
        Pace(speed)


def test_progress_tells_bytes_and_ticks(tmp_path, home):
    told, feed = [], home.feed(batch_lines=2)
    path = recorded(tmp_path, *(ticker(n) for n in range(5)))
    replay(feed, [path], progress=lambda *said: told.append(said))
    feed.close()
    size = path.stat().st_size
    assert [ticks for _, _, ticks in told] == [2, 4, 5]
    assert told[-1] == (size, size, 5)


def test_keys_are_products_and_ticks_come_back_as_words(tmp_path, home):
    home.replay(recorded(tmp_path, TICKER))
    (tick,) = events(home.log)["BTC-USD"]
    assert isinstance(tick, Tick)
    assert tick.price == TICKER["price"]


def test_a_feed_lets_the_log_go_what_its_topics_need_not_keep(home):
    home.log.create(Topic(name=TICKS, partitions=3, retention_bytes=1000))
    home.ingest([frame(ticker(n)) for n in range(100)])
    home.ingest([frame(ticker(n)) for n in range(100, 110)])
    kept = [extent for extent in home.log.extents(TICKS) if extent.next]
    assert all(extent.oldest > 50 for extent in kept)
    assert sum(map(len, heard_again(home.archive).values())) >= 110
