"""The feed's one path: archive, log and recovery, for recordings and live entries alike."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive_contents import archive_end, read_archive
from barograph.archive.recall import PRODUCER
from barograph.errors import BadInputError, CorruptLogError
from barograph.feed.feed import BATCH_BYTES
from barograph.feed.ingest import Batches
from barograph.log.topics import STATUS
from barograph.times import format_time
from barograph.types import Fault, FeedStatus, Frame, Gap, GapCause, Tick, Trade
from barograph.venues.continuity import Received
from barograph.venues.entries import Answer, Closing, Dialect, Opening, Settlement
from coinbase_messages import START, TICKER, S, ticker
from homes import MESSAGES, Home, heard, recorded, take_all
from log_contents import events, heard_again, letters, values


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    yield home
    home.log.close()


def test_the_archive_heard_again_gives_exactly_the_logged_events(tmp_path, home):
    home.replay(recorded(tmp_path, *MESSAGES))
    home.ingest([heard(ticker(40), "live"), heard(ticker(45), "live"), Closing("live")])
    home.ingest([heard(ticker(50), "live-2")])
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
    assert len(events(home.log)["BTC-USD"]) == 2, "two ticks whose ids run on"
    assert archive_end(home.archive).size > 0


def test_two_feeds_of_one_home_are_refused(home):
    feed = home.feed()
    with pytest.raises(BadInputError, match="another feed"):
        home.feed()
    feed.close()


def test_live_frames_take_the_same_path(home):
    summary = home.ingest(
        [
            Opening(connection="a", dialect=Dialect.EXCHANGE),
            heard(ticker(0), "a", START + 1),
            Closing("a"),
            heard(ticker(5), "b", START + 6 * S),
        ]
    )
    first, gap, second = events(home.log)["BTC-USD"]
    assert (first.receive_time_ns, second.receive_time_ns) == (START + 1, START + 6 * S)
    assert (gap.cause, gap.missing) == (GapCause.DISCONNECT, 4)
    assert (summary.lines, summary.ticks, summary.gaps) == (2, 2, {"disconnect": 1})


def test_a_dead_letter_of_a_live_frame_names_connection_and_count(home):
    home.ingest([heard(TICKER, "a"), heard(b"garbage", "a")])
    (letter,) = letters(home.log)
    assert (letter.source, letter.position) == ("a", "2")


def test_a_new_run_of_the_feed_is_a_gap(home):
    home.ingest([heard(ticker(0), "a")])
    home.ingest([heard(ticker(1), "b")])
    assert [type(event).__name__ for event in events(home.log)["BTC-USD"]] == [
        "Tick",
        "Gap",
        "Tick",
    ]


def test_live_frames_that_were_archived_and_not_logged_are_taken_from_the_archive(home):
    feed = home.feed()
    feed.take(Opening(connection="a", dialect=Dialect.EXCHANGE))
    feed.take(heard(ticker(0), "a"))
    feed.commit()
    feed.take(heard(ticker(1), "a"))
    feed.take(heard(b"garbage", "a"))
    feed.close()
    assert len(events(home.log)["BTC-USD"]) == 1
    summary = home.ingest([heard(ticker(2), "b")])
    assert [type(event) for event in events(home.log)["BTC-USD"]] == [Tick, Tick, Gap, Tick]
    assert len(letters(home.log)) == 1
    assert summary.ticks == 2
    assert heard_again(home.archive) == events(home.log)


def test_a_torn_end_of_the_archive_gives_its_whole_lines_and_a_dead_letter(home):
    feed = home.feed()
    feed.take(Opening(connection="a", dialect=Dialect.EXCHANGE))
    for number in range(50):
        feed.take(heard(ticker(number), "a"))
    feed.close()
    (path,) = home.archive.glob("*.gz")
    path.write_bytes(path.read_bytes()[:-100])
    home.ingest([])
    ticks = events(home.log)["BTC-USD"]
    assert 0 < len(ticks) < 50
    assert [event.event_time_ns for event in ticks] == [START + n * S for n in range(len(ticks))]
    assert [letter.fault for letter in letters(home.log)] == [Fault.TRUNCATED]


def test_keys_are_products_and_ticks_come_back_as_words(tmp_path, home):
    home.replay(recorded(tmp_path, TICKER))
    (tick,) = events(home.log)["BTC-USD"]
    assert isinstance(tick, Tick)
    assert tick.price == TICKER["price"]


# Holes of a live connection.

TRADE = {"price": "103472.30", "size": "0.5", "side": "sell"}


def answer(*numbers):
    """A page with these trades, a tenth of a second after where their tickers would be."""
    page = [
        TRADE
        | {
            "trade_id": TICKER["trade_id"] + n,
            "time": format_time(START + n * S + S // 10),
        }
        for n in numbers
    ]
    body = json.dumps(page).encode()
    return Answer("BTC-USD", Frame(data=body, connection="a", receive_time_ns=START))


FILLING = [
    Opening(connection="a", dialect=Dialect.EXCHANGE, fill=True),
    heard(ticker(0), "a", START),
    heard(ticker(3), "a", START + 3 * S),
    heard(ticker(4), "a", START + 4 * S),
    answer(2),
    Settlement(connection="a", product="BTC-USD", receive_time_ns=START + 5 * S),
    heard(ticker(5), "a", START + 5 * S),
]


def test_a_hole_is_open_until_it_is_settled_and_its_trades_are_in_the_log(home):
    feed, open_holes = home.feed(), []
    for entry in FILLING:
        feed.take(entry)
        open_holes.append([(hole.first_trade_id, hole.unknown) for hole in feed.holes()])
    feed.commit()
    feed.close()
    first = TICKER["trade_id"] + 1
    assert open_holes == [[], [], [(first, 2)], [(first, 2)], [(first, 1)], [], []]
    kinds = [type(event) for event in events(home.log)["BTC-USD"]]
    assert kinds == [Tick, Gap, Trade, Tick, Tick, Tick]
    assert (feed.summary.trades, feed.summary.filled, feed.summary.missing) == (1, 1, 1)
    assert heard_again(home.archive) == events(home.log)


@pytest.mark.slow
@settings(max_examples=30)
@given(st.integers(0, len(FILLING)), st.integers(0, len(FILLING)))
def test_a_feed_that_is_killed_in_a_hole_goes_on_with_it(tmp_path_factory, one, other):
    """Wherever the last commit and the end of the archive lie: nothing is lost, nothing twice."""
    committed, archived = sorted((one, other))
    whole, home = (Home(tmp_path_factory.mktemp("feed") / name) for name in ("whole", "home"))
    whole.ingest(FILLING)
    feed = home.feed()
    for entry in FILLING[:committed]:
        feed.take(entry)
    feed.commit()
    for entry in FILLING[committed:archived]:
        feed.take(entry)
    feed.close()  # archives, and does not commit
    again = home.feed()
    for entry in FILLING[archived:]:
        again.take(entry)
    again.take(Closing("a"))
    again.commit()
    again.close()
    assert events(home.log) == events(whole.log)
    assert heard_again(home.archive) == events(home.log)
    whole.log.close()
    home.log.close()


def test_what_speaks_of_a_connection_that_is_not_open_is_nothing(home):
    feed = home.feed()
    for entry in (answer(1), Settlement(connection="a", product="BTC-USD"), Closing("a")):
        assert feed.take(entry) == Received()
    assert feed.pending == 0
    feed.commit()
    feed.close()
    assert list(read_archive(home.archive)) == []


def test_an_open_connection_does_not_open_again(home):
    feed = home.feed()
    for _ in range(2):
        feed.take(Opening(connection="a", dialect=Dialect.EXCHANGE))
    feed.commit()
    feed.close()
    assert len(list(read_archive(home.archive))) == 1


def test_a_listener_hears_each_entry_with_what_it_came_to(home):
    calls, feed = [], home.feed()
    entries = [*FILLING[:2], None, heard(b"garbage", "a")]
    take_all(Batches(feed), entries, lambda entry, received: calls.append((entry, received)))
    feed.close()
    assert [entry for entry, _ in calls] == [entry for entry in entries if entry is not None]
    assert [len(received.events) for _, received in calls] == [0, 1, 0]
    assert [len(received.dead_letters) for _, received in calls] == [0, 0, 1]


def test_a_status_is_published_with_the_next_commit(home):
    status = FeedStatus(
        venue="coinbase", connection="a", dialect="exchange", products=("BTC-USD",), time_ns=2,
        since_ns=1, frames=3, reconnects=0, queued=0, queue_full=0, open_holes=0,
    )  # fmt: skip
    feed = home.feed()
    feed.report(status)
    feed.commit()
    feed.close()
    ((key, value),) = values(home.log, STATUS)[0]
    assert key == "coinbase"
    assert msgspec.json.decode(value, type=FeedStatus) == status


def test_a_batch_is_full_by_its_bytes_however_few_its_frames_are(home):
    """4096 of the largest frames were 4 GB in memory."""
    feed, count, pad = home.feed(), 0, "x" * (1 << 20)
    while not feed.full:
        feed.take(heard(ticker(count, pad=pad), "a"))
        count += 1
    assert count == -(-BATCH_BYTES // len(heard(ticker(0, pad=pad)).frame.data)) < feed.batch_lines
    feed.commit()
    assert (feed.full, feed.pending_bytes) == (False, 0)
    feed.take(Answer("BTC-USD", Frame(data=pad.encode(), connection="a", receive_time_ns=1)))
    assert feed.pending_bytes >= len(pad)
    feed.close()


@pytest.mark.parametrize("kept", ["continuity_at", "continuity", "log", "recording"])
def test_what_a_feed_kept_and_cannot_be_read_names_the_log_and_a_cure(tmp_path, home, kept):
    path = recorded(tmp_path, *MESSAGES)
    home.replay(path)
    saved = home.log.producer_checkpoints(PRODUCER, take=False)
    (name,) = [name for name in saved if name.partition(":")[0] == kept]
    home.log.append((), producer=PRODUCER, checkpoints={name: b"\xff" + saved[name]})
    with pytest.raises(CorruptLogError, match=r"log\.sqlite .*feed kept .*barograph recover"):
        home.replay(path)


def test_a_number_of_parts_that_cannot_be_ends_nothing(tmp_path, home):
    path = recorded(tmp_path, *MESSAGES)
    home.replay(path)
    at = json.loads(home.log.producer_checkpoints(PRODUCER, take=False)["continuity_at"])
    at["parts"] = 1 << 60
    checkpoints = {"continuity_at": json.dumps(at).encode()}
    home.log.append((), producer=PRODUCER, checkpoints=checkpoints)
    assert home.replay(path).skipped == [path.name]
