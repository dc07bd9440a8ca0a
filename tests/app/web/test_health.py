"""Health: what speaks against a log that a live feed writes."""

from barograph import codec
from barograph.app.web.health import gaps_lately, heard_of, judged
from barograph.app.web.series_board import SeriesBoard
from barograph.cases.spikes import SPIKES
from barograph.log.topics import STATUS, TICKS
from barograph.types import APPENDED_TIME, FeedStatus, Gap, GapCause, Message, Record
from web_site import market_log, served

NS = 10**9
NOW_NS = 1_790_000_000 * NS


def board_that_heard(age_s):
    board = SeriesBoard(SPIKES)
    gap = Gap(product="BTC-USD", start_ns=NOW_NS - 9, end_ns=NOW_NS, cause=GapCause.SEQUENCE)
    stamp = {APPENDED_TIME: str(NOW_NS - age_s * NS)}
    board.receive([Record(TICKS, 0, 0, "BTC-USD", codec.encode(gap), stamp)])
    return board


def status(age_s=1):
    return FeedStatus(
        venue="simulated", connection="c", dialect="exchange", products=("BTC-USD",),
        time_ns=NOW_NS - age_s * NS, since_ns=0, frames=1, reconnects=0, queued=0, queue_full=0,
        open_holes=0,
    )  # fmt: skip


def test_a_live_log_that_fell_silent_has_a_problem(tmp_path):
    with market_log(tmp_path) as log:
        log.append([Message(STATUS, "simulated", codec.encode(status()))])
        for age_s, words in ((1, []), (90, ["nothing was received for"])):
            board = board_that_heard(age_s)
            problems, _, lag = judged(log, board, heard_of(board, NOW_NS), lambda: None)
            assert [word for word in words if not any(word in each for each in problems)] == []
            assert bool(problems) == bool(words)
            assert lag == {}


def test_gaps_of_the_last_hour_are_counted():
    board = board_that_heard(1)
    assert gaps_lately(board, NOW_NS) == 1
    assert gaps_lately(board, NOW_NS + 3_601 * NS) == 0


def test_a_log_that_cannot_be_read_is_not_ready(tmp_path):
    (tmp_path / "log.sqlite").write_bytes(b"no database" * 100)
    with served(tmp_path) as client:
        health = client.get("/health")
        assert health.status == 503
        assert (health.json["live"], health.json["ready"]) == (True, False)
        assert health.json["problems"]
