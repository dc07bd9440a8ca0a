"""What a feed adds to the metrics: growth alone, once, and how its connections stand."""

import time

import pytest

from barograph.feed.counted import EVERY_S, ConnectionCounts, FeedCounts
from barograph.feed.summary import Summary
from barograph.types import FeedStatus, Frame, GapCause, Tick
from barograph.venues.continuity import Received
from barograph.venues.entries import Dialect, Heard
from counted_metrics import Counted

S = 1_000_000_000


@pytest.fixture
def counted():
    return Counted()


def test_totals_that_were_there_before_are_not_counted_and_growth_once(counted):
    summary = Summary(lines=7, ticks=5, products={"BTC-USD": 5}, dead_letters={"late": 2})
    counts = FeedCounts(summary)
    counts.publish(summary)
    assert counted.since("barograph_frames_total") == 0
    summary.lines += 3
    summary.products |= {"BTC-USD": 6, "ETH-USD": 1}
    summary.dead_letters["not_json"] = 1
    summary.gaps["silence"] = 1
    summary.missing += 4
    for _ in range(2):
        counts.publish(summary)
    assert counted.since("barograph_frames_total") == 3
    assert counted.since("barograph_ticks_total", product="BTC-USD") == 1
    assert counted.since("barograph_ticks_total", product="ETH-USD") == 1
    assert counted.since("barograph_dead_letters_total", stage="feed", reason="not_json") == 1
    assert counted.since("barograph_dead_letters_total", stage="feed", reason="late") == 0
    assert counted.since("barograph_gaps_total", cause="silence") == 1
    assert counted.since("barograph_trades_missing_total") == 4


def test_each_cause_of_a_gap_is_shown_before_the_first(counted):
    FeedCounts(Summary())
    shown = counted.now()
    assert all(("barograph_gaps_total", ("cause", str(cause))) in shown for cause in GapCause)


def heard(receive_ns, event_ns, **changes):
    frame = Frame(data=b"{}", connection="c", receive_time_ns=receive_ns)
    tick = Tick(
        product="BTC-USD", event_time_ns=event_ns, receive_time_ns=receive_ns,
        price="1", bid="1", ask="1", **changes,
    )  # fmt: skip
    return Heard(frame=frame, dialect=Dialect.EXCHANGE), Received(events=[tick])


def steps(counted, step):
    return counted.since("barograph_step_latency_seconds_count", step=step)


def test_a_batch_has_the_latency_of_its_oldest_frame_and_of_its_newest_event(counted):
    counts, now_ns = FeedCounts(Summary()), time.time_ns()
    counts.take(*heard(now_ns - 3 * S, now_ns - 4 * S))
    counts.take(*heard(now_ns, now_ns - S // 2))
    counts.committed(Summary(), 0.0, in_log=True)
    assert steps(counted, "log") == steps(counted, "receive") == 1
    log_s = counted.since("barograph_step_latency_seconds_sum", step="log")
    assert 3.0 <= log_s < 5.0
    receive_s = counted.since("barograph_step_latency_seconds_sum", step="receive")
    assert receive_s == pytest.approx(0.5)


def test_a_snapshot_is_old_and_has_no_latency(counted):
    counts, now_ns = FeedCounts(Summary()), time.time_ns()
    counts.take(*heard(now_ns, now_ns - 60 * S, snapshot=True))
    counts.committed(Summary(), 0.0, in_log=True)
    assert (steps(counted, "receive"), steps(counted, "log")) == (0, 1)


def test_what_the_archive_alone_has_is_not_in_the_log(counted):
    counts, now_ns = FeedCounts(Summary()), time.time_ns()
    assert counted.now()["barograph_feed_log_writable",] == 1
    counts.take(*heard(now_ns, now_ns))
    counts.committed(Summary(), 0.0, in_log=False)
    assert steps(counted, "log") == 0
    assert counted.now()["barograph_feed_log_writable",] == 0
    counts.stands(in_log=True)
    assert counted.now()["barograph_feed_log_writable",] == 1


def test_totals_are_published_now_and_then_and_not_with_each_batch(counted):
    summary = Summary()
    counts = FeedCounts(summary)
    for monotonic_s in (10.0, 10.0 + EVERY_S / 2):
        summary.lines += 1
        counts.committed(summary, monotonic_s, in_log=True)
    assert counted.since("barograph_frames_total") == 1
    counts.committed(summary, 10.0 + EVERY_S, in_log=True)
    assert counted.since("barograph_frames_total") == 2


def test_a_status_is_shown_and_its_totals_are_added_once(counted):
    status = FeedStatus(
        venue="coinbase", connection="c", dialect="exchange", products=("BTC-USD",), time_ns=0,
        since_ns=0, frames=9, reconnects=1, queued=4, queue_full=2, open_holes=3, queued_bytes=50,
        troubles=5, offset_median_ms=-250.0,
    )  # fmt: skip
    counts = ConnectionCounts()
    for _ in range(2):
        counts.publish(status, 2)
    assert counted.since("barograph_feed_connections_total") == 2
    assert counted.since("barograph_feed_troubles_total") == 5
    assert counted.since("barograph_feed_queue_full_total") == 2
    now = counted.now()
    assert now["barograph_feed_queue_entries",] == 4
    assert now["barograph_feed_queue_bytes",] == 50
    assert now["barograph_feed_open_holes",] == 3
    assert now["barograph_feed_clock_offset_seconds",] == pytest.approx(-0.25)
