"""Health: what speaks against each case of a log that others write."""

import time
from contextlib import closing

import msgspec
import pytest

from barograph import codec
from barograph.app.settings import Settings
from barograph.app.web.health import (
    answer_of,
    gaps_lately,
    judged,
    judgement_of,
    seen_of,
    unjudged,
)
from barograph.app.web.model_watch import Standing
from barograph.app.web.record_board import RecordBoard
from barograph.app.web.series_board import SeriesBoard
from barograph.app.wiring import consume
from barograph.cases.spikes import SPIKES, SPIKES_5M
from barograph.log import open_log
from barograph.log.topics import STATUS, TICKS
from barograph.pipeline.case_topics import ensure_stream
from barograph.pipeline.worker import when_idle
from barograph.types import APPENDED_TIME, FeedStatus, Gap, GapCause, Message, Record
from customers import CUSTOMERS, STREAM
from queues import QUEUES
from waiting import until
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


def seen(board, standing=None, now_ns=NOW_NS):
    return seen_of(board, Standing() if standing is None else standing, now_ns)


def customer(number, **changes):
    words = {"name": f"c{number}", "tenure": 1.0, "charges": 2.0, "calls": 3.0, **changes}
    return Message(STREAM.source, words["name"], msgspec.json.encode(words))


def consumed(home, *numbers):
    """Append customers and let the scorer, which has no champion, read all of them."""
    with closing(open_log(home)) as log:
        ensure_stream(log, STREAM)
        log.append([customer(number) for number in numbers])
    consume(Settings(home=home), home, CUSTOMERS, print, when_idle, 100)


def test_a_live_log_that_fell_silent_has_a_problem(tmp_path):
    with market_log(tmp_path) as log:
        log.append([Message(STATUS, "simulated", codec.encode(status()))])
        for age_s, words in ((1, []), (90, ["nothing was received for"])):
            judgement = judgement_of(log, seen(board_that_heard(age_s)))
            problems = judgement.problems
            assert [word for word in words if not any(word in each for each in problems)] == []
            assert bool(problems) == bool(words)
            assert judgement.lag == {}


def test_gaps_of_the_last_hour_are_counted():
    board = board_that_heard(1)
    assert gaps_lately(board, NOW_NS) == 1
    assert gaps_lately(board, NOW_NS + 3_601 * NS) == 0


@pytest.mark.parametrize(
    "board", [RecordBoard(CUSTOMERS), SeriesBoard(QUEUES), SeriesBoard(SPIKES_5M)]
)
def test_a_case_that_nothing_reads_for_is_not_judged_unless_it_is_the_default(tmp_path, board):
    with market_log(tmp_path) as log:
        assert judgement_of(log, seen(board)) is None
        assert judged(log, [seen(board)], "spikes") == {}
        own = judged(log, [seen(board)], board.name)[board.name]
        assert (own.live, own.ready, own.lag) == (True, True, {})


def test_what_cannot_be_judged_is_not_ready():
    cases = unjudged([seen(board_that_heard(1)), seen(RecordBoard(CUSTOMERS))], ["why"], "spikes")
    assert list(cases) == ["spikes"]
    assert (cases["spikes"].live, cases["spikes"].ready) == (False, False)
    assert cases["spikes"].data_age_s == pytest.approx(1.0)
    assert answer_of(cases, "spikes").reason == "why"


def test_the_worst_case_gives_the_reason():
    """One whose stages stand is worse than one whose model expired, even the default's."""
    ready = unjudged([seen(board_that_heard(1))], [], "spikes")["spikes"]
    expired = changed(ready, ready=False, live=True, problems=["it has expired"])
    stands = changed(ready, ready=False, live=False, problems=["it is behind"])
    answer = answer_of({"spikes": expired, "customers": stands}, "spikes")
    assert answer.reason == "customers: it is behind"
    assert answer.problems == ["customers: it is behind", "it has expired"]
    assert (answer.live, answer.ready) == (True, False)
    answer = answer_of({"spikes": stands, "customers": stands}, "spikes")
    assert answer.reason == "it is behind"


def changed(part, **changes):
    return type(part)(**{name: getattr(part, name) for name in part.__struct_fields__} | changes)


def test_a_log_that_cannot_be_read_is_not_ready(tmp_path):
    (tmp_path / "log.sqlite").write_bytes(b"no database" * 100)
    with served(tmp_path) as client:
        health = client.get("/health")
        assert health.status == 503
        assert (health.json["live"], health.json["ready"]) == (True, False)
        assert health.json["reason"] == health.json["problems"][0]


@pytest.mark.slow
def test_each_case_that_runs_has_its_own_part(tmp_path):
    """Records without a model make the whole server unready; the market beside them is not."""
    with market_log(tmp_path), served(tmp_path, cases=(SPIKES, CUSTOMERS)) as client:
        until(lambda: client.get("/health").status == 200)
        assert client.get("/health").json["cases"].keys() == {"spikes"}
        consumed(tmp_path, 1, 2)
        until(lambda: client.get("/health").status == 503)
        health = client.get("/health").json
        own = health["cases"]["customers"]
        assert health["cases"]["spikes"]["ready"]
        assert (own["live"], own["ready"], own["lag"]) == (True, False, {"customers-scorer": 0})
        assert health["reason"] == f"customers: {own['problems'][0]}"
        assert "no champion" in health["reason"]
        until(lambda: client.get("/v1/cases/customers/status").json["problems"] == own["problems"])
        assert client.get("/v1/status").json["problems"] == []


def test_records_that_nobody_reads_any_more_are_behind(tmp_path):
    with market_log(tmp_path):
        consumed(tmp_path, 1)
    with closing(open_log(tmp_path)) as log:
        log.append([customer(2)])
        for late_s, late in ((0, False), (60, True)):
            now_ns = time.time_ns() + late_s * NS
            judgement = judgement_of(log, seen(RecordBoard(CUSTOMERS), now_ns=now_ns))
            assert judgement.lag == {"customers-scorer": 1}
            assert judgement.behind == late
            assert bool(judgement.problems) == late
            own = judged(log, [seen(RecordBoard(CUSTOMERS), now_ns=now_ns)], "spikes")
            assert own["customers"].live != late


def test_a_registry_that_cannot_be_read_speaks_against_its_case(tmp_path):
    with market_log(tmp_path) as log:
        standing = Standing(problem="the registry is damaged")
        own = judged(log, [seen(board_that_heard(1), standing)], "spikes")["spikes"]
        assert (own.live, own.problems) == (True, ["the registry is damaged"])


def test_what_a_server_of_models_last_answered_is_a_remark_and_no_problem(tmp_path):
    with market_log(tmp_path) as log:
        standing = Standing(remark="the registry at http://x: it cannot be reached")
        own = judged(log, [seen(board_that_heard(1), standing)], "spikes")["spikes"]
        assert (own.ready, own.problems) == (True, [])
        assert standing.remark in own.remarks
