"""Log lines: for people and for machines, with the facts that the metrics count."""

import io
import json
import re
import socket
import threading
from contextlib import closing

import pytest

from barograph.app.logs import STATUS_EVERY_S, Events, Journal
from barograph.app.service_manager import ServiceManager
from counted_metrics import Counted

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"


@pytest.fixture
def stream():
    return io.StringIO()


def test_a_line_for_people_has_time_level_event_and_facts(stream):
    journal = Journal("console", stream)
    journal.note("status", ticks=12, gaps={"silence": 2}, latency_p50_ms=4.25, judgement=None)
    journal.alarm("alert began", product="BTC-USD", text="two words")
    status, alert = stream.getvalue().splitlines()
    assert re.fullmatch(
        TIME + r"Z  info     status ticks=12 gaps=silence:2 latency_p50_ms=4\.25", status
    )
    assert re.fullmatch(TIME + r'Z  warning  alert began product=BTC-USD text="two words"', alert)


def test_a_line_for_machines_is_an_object(stream):
    journal = Journal("json", stream)
    journal.note("status", ticks=12, gaps={"silence": 2}, products=("A", "B"))
    line = json.loads(stream.getvalue())
    assert re.match(TIME, line.pop("time"))
    assert line == {
        "level": "info", "event": "status", "ticks": 12, "gaps": {"silence": 2},
        "products": ["A", "B"],
    }  # fmt: skip


@pytest.mark.parametrize("form", ["console", "json"])
def test_text_of_strangers_stays_on_its_line_and_moves_no_cursor(stream, form):
    journal = Journal(form, stream)
    hostile = "a\nb \x1b[31m \udcff \u202e"
    journal.warn(hostile)
    journal.note("status", why=hostile, by={hostile: 1})
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
    assert stream.getvalue().encode()


def test_a_warning_is_counted(stream):
    counted = Counted()
    Journal("json", stream).warn("the venue is away")
    assert counted.since("barograph_warnings_total") == 1
    assert json.loads(stream.getvalue())["event"] == "the venue is away"


def test_a_quiet_journal_has_warnings_alone(stream):
    journal = Journal("console", stream, quiet=True)
    journal.note("status", ticks=1)
    journal.warn("look here")
    assert re.fullmatch(TIME + r"Z  warning  look here\n", stream.getvalue())


def test_lines_of_threads_do_not_mix(stream):
    journal = Journal("json", stream)

    def write(number):
        for _ in range(200):
            journal.note("status", who=number, text="x" * 200)

    threads = [threading.Thread(target=write, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(lines) == 800


def test_a_status_is_logged_once_a_minute_and_made_only_then(stream):
    now_s, made = [0.0], []

    def facts():
        made.append(now_s[0])
        return {"ticks": len(made)}

    events = Events("up", Journal("json", stream), monotonic=lambda: now_s[0])
    for second in range(0, 181, 10):
        now_s[0] = float(second)
        events.status(facts)
    assert made == [STATUS_EVERY_S, 2 * STATUS_EVERY_S, 3 * STATUS_EVERY_S]
    assert [json.loads(line)["ticks"] for line in stream.getvalue().splitlines()] == [1, 2, 3]


def test_the_start_says_what_runs_and_where(stream, tmp_path):
    events = Events("up", Journal("json", stream), metrics="http://127.0.0.1:9101/metrics")
    events.started(tmp_path, "sqlite:///x", venue="coinbase")
    line = json.loads(stream.getvalue())
    assert line["event"] == "started"
    assert {"verb", "version", "pid", "home", "log", "metrics", "venue"} <= set(line)
    assert line["home"] == str(tmp_path)


def test_what_never_happens_has_no_start(stream, tmp_path):
    events = Events("feed", Journal("json", stream))
    note = events.starting(tmp_path, tmp_path, venue="coinbase")
    assert stream.getvalue() == ""
    note("connected", connections=1)
    note("disconnected")
    happened = [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
    assert happened == ["started", "connected", "disconnected"]


def test_without_a_journal_nothing_is_written_and_no_status_is_made():
    events = Events(monotonic=lambda: 1e9)
    events.note("status")
    events.alarm("alert began")
    events.status(lambda: pytest.fail("nobody reads it"))


def test_a_service_manager_is_told_once_a_second_what_came(tmp_path):
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(10)
        now_s = [100.0]
        manager = ServiceManager(str(tmp_path / "notify"))
        events = Events("up", manager=manager, monotonic=lambda: now_s[0])
        for ticks, at_s in ((1, 100.0), (2, 100.9), (3, 101.0), (3, 102.5)):
            now_s[0] = at_s
            events.status(lambda ticks=ticks: {"ticks": ticks, "heartbeats": 0, "gaps": {}})
        manager.stopping()
        assert [receiver.recv(99) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]
