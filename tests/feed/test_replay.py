"""Recordings through the feed: once each, whatever is interrupted, at any pace."""

import json
import os
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive_contents import read_archive
from barograph.archive.files import archive_files
from barograph.archive.recording import Recording
from barograph.errors import BadInputError
from barograph.feed import plain_ticks
from barograph.feed import replay as replaying
from barograph.feed.plain_ticks import may_be_plain
from barograph.feed.replay import Pace, replay
from barograph.times import format_time
from barograph.types import Fault, GapCause
from barograph.venues.entries import Heard, Rules
from coinbase_messages import START, TICKER, S, envelope, gaps, heartbeat, ticker
from homes import MESSAGES, Clock, Home, recorded
from log_contents import events, letters
from recorded_lines import ONE_PRODUCT, ends, lines, written


class KilledError(Exception):
    """Stands for the end of a process: nothing of the feed runs after it."""


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    yield home
    home.log.close()


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
    dead_letters = letters(home.log)
    assert [(x.fault, x.source, x.position) for x in dead_letters] == [
        (Fault.NOT_JSON, path.name, "2"),
        (Fault.NOT_JSON, path.name, "3"),
        (Fault.NOT_POSITIVE, path.name, "4"),
        (Fault.TRUNCATED, path.name, "5"),
    ]
    assert dead_letters[0].original == b"garbage"
    assert dead_letters[2].key == "BTC-USD"


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
        "late": 1,
        "too_long": 1,
    }
    assert (summary.ticks, summary.lines) == (2, 10)


def test_a_file_that_was_replayed_is_skipped_whatever_its_name(tmp_path, home):
    first = recorded(tmp_path, TICKER)
    again = recorded(tmp_path, TICKER, name="copy.ndjson")
    home.replay(first)
    before = home.traces()
    summary = home.replay(again)
    assert (summary.files, summary.skipped, summary.lines) == ([], ["copy.ndjson"], 0)
    assert home.traces() == before


def test_between_two_files_lies_a_gap_of_the_trades_that_their_ids_leave_out(tmp_path, home):
    paths = [recorded(tmp_path, ticker(0), name="a"), recorded(tmp_path, ticker(9), name="b")]
    home.replay(*paths)
    (gap,) = gaps(events(home.log)["BTC-USD"])
    assert (gap.cause, gap.start_ns, gap.end_ns) == (GapCause.TRADE_ID, START, START + 9 * S)
    assert gap.missing == 8


def test_between_two_files_without_ids_lies_a_gap_of_unknown_size(tmp_path, home):
    paths = [
        recorded(tmp_path, ticker(n, trade_id=None, sequence=None), name=name)
        for n, name in ((0, "a"), (1, "b"))
    ]
    home.replay(*paths)
    (gap,) = gaps(events(home.log)["BTC-USD"])
    assert (gap.cause, gap.missing) == (GapCause.DISCONNECT, None)


def test_a_recording_that_was_rotated_has_no_seam_in_one_call_or_in_two(tmp_path, home):
    halves = [range(4), range(4, 9)]
    paths = [recorded(tmp_path, *map(ticker, half), name=f"r{half[0]}") for half in halves]
    home.replay(*paths)
    apart = Home(tmp_path / "apart")
    for path in paths:
        apart.replay(path)
    for log in (home.log, apart.log):
        events_ = events(log)["BTC-USD"]
        assert (len(events_), gaps(events_)) == (9, [])


def test_only_the_product_whose_ids_run_on_has_no_seam(tmp_path, home):
    bare = {"product_id": "ETH-USD", "trade_id": None, "sequence": None}
    for n in range(2):
        home.replay(recorded(tmp_path, ticker(n), ticker(n, **bare), name=str(n)))
    by_product = events(home.log)
    assert [gap.cause for gap in gaps(by_product["ETH-USD"])] == [GapCause.DISCONNECT]
    assert gaps(by_product["BTC-USD"]) == []


def test_numbers_of_frames_that_were_not_recorded_are_one_remark_and_no_gap(tmp_path, home):
    messages = [envelope(3 * n + k, seconds=n + k / 4) for n in range(8) for k in range(2)]
    summary = home.replay(recorded(tmp_path, *messages))
    assert (summary.ticks, summary.gaps, summary.dead_letters) == (16, {}, {})
    assert [remark.split(":")[0] for remark in summary.remarks] == ["recording.ndjson"]


def test_two_sockets_in_one_file_lose_nothing(tmp_path, home):
    messages = [
        envelope(n + k, (name,), seconds=n / 2 + k / 8)
        for n in range(16)
        for k, name in enumerate(("ABC-USD", "DEF-USD"))
    ]
    summary = home.replay(recorded(tmp_path, *messages))
    assert summary.products == {"ABC-USD": 16, "DEF-USD": 16}
    assert (summary.gaps, summary.dead_letters, summary.remarks) == ({}, {}, [])


def test_a_summary_says_which_names_were_one_book(tmp_path, home):
    names = ("BTC-USD", "BTC-USDC", "USDT-USD", "USDT-USDC")
    summary = home.replay(recorded(tmp_path, *(ticker(0, product_id=name) for name in names[1:])))
    assert list(summary.products) == ["BTC-USD", "USDT-USD", "USDT-USDC"]
    assert summary.one_book == {"BTC-USDC": "BTC-USD"}


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


def interrupted(home, paths, kills, batch_lines, rules=None):
    """Replay, and be killed after so many commits, once for each of `kills`; then to the end."""
    for kill in [*kills, None]:
        commits = 0

        def progress(*_, kill=kill):
            nonlocal commits
            commits += 1
            if commits == kill:
                raise KilledError

        feed = home.feed(rules, batch_lines=batch_lines)
        try:
            replay(feed, paths, progress=progress)
        except KilledError:
            pass
        finally:
            feed._writer._lines.clear()
            feed.close()


@pytest.mark.slow
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


def left_by(path, home, batch_lines, kills=(), rules=None):
    """All that a replay leaves that is killed after so many commits, once for each of `kills`."""
    interrupted(home, [path], kills, batch_lines, rules)
    kept = {
        name: state
        for name, state in home.log.producer_checkpoints("feed", take=False).items()
        if name == "continuity" or name.startswith("recording:")
    }
    counts = [
        (file.manifest.products, file.manifest.connections, file.manifest.dead_letters)
        for file in archive_files(home.archive)
    ]
    return home.traces(), kept, counts


@pytest.mark.slow
@settings(max_examples=60)
@given(
    st.lists(st.tuples(lines, ends), min_size=1, max_size=60),
    st.lists(st.integers(1, 4), max_size=2),
    st.integers(1, 40),
    st.sampled_from([None, ONE_PRODUCT]),
)
def test_plain_lines_leave_what_the_machine_alone_leaves_of_them(
    tmp_path_factory, drawn, kills, batch_lines, rules
):
    folder = tmp_path_factory.mktemp("replay")
    path = folder / "recording.ndjson"
    path.write_bytes(written(drawn).strip() or b"{")
    left = []
    for name, often in (("plain", True), ("alone", False)):
        home = Home(folder / name)
        with (
            patch.object(plain_ticks, "may_be_plain", may_always_be_plain if often else never),
            patch.object(replaying, "_LONGEST_PAUSE", 1),
        ):
            left.append(left_by(path, home, batch_lines, kills, rules))
        home.log.close()
    assert left[0] == left[1]


def may_always_be_plain(lines, opening, continuity):
    return may_be_plain(max(lines, 9999), opening, continuity)


def never(*_):
    return False


def test_a_replay_killed_between_archive_and_log_repeats_and_misses_nothing(tmp_path, home):
    path = recorded(tmp_path, *MESSAGES)
    whole = Home(tmp_path / "whole")
    whole.replay(path)
    feed = home.feed()
    for entry in list(Recording(path))[:3]:
        feed.take(entry.opening)
        feed.take(Heard(entry.frame, entry.opening.dialect))
    feed._writer.flush()
    feed.close()
    assert list(read_archive(home.archive)), "the archive is ahead of the log"
    summary = home.replay(path)
    assert summary.resumed_at == 0
    assert home.traces() == whole.traces()
    whole.log.close()


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
    progress, feed = [], home.feed(batch_lines=2)
    path = recorded(tmp_path, *(ticker(n) for n in range(5)))
    replay(feed, [path], progress=lambda *counts: progress.append(counts))
    feed.close()
    size = path.stat().st_size
    assert [ticks for _, _, ticks in progress] == [2, 4, 5]
    assert progress[-1] == (size, size, 5)


def test_a_name_that_is_no_utf_8_can_be_shown(tmp_path, home):
    summary = home.replay(recorded(tmp_path, TICKER, b"{}", b"", name=os.fsdecode(b"x\xff\x1b")))
    assert summary.files == ["x\\xff\\x1b"]
    assert [letter.source for letter in letters(home.log)] == ["x\\xff\\x1b"]
