"""A stage while its log cannot be used; the lock that others hold is a real one."""

import fcntl
import threading
from contextlib import closing

import pytest

from barograph.errors import DiskFullError, LogUnavailableError
from barograph.log import Topic
from barograph.log.sqlite import SqliteLog
from barograph.pipeline import stage_outage
from barograph.pipeline.stage_outage import through_outages
from barograph.pipeline.worker import Route, Tally, work
from barograph.types import Message, Outcome
from log_contents import values
from waiting import until

ROUTE = Route(group="g", source="in", target="out", dead_letters="dead", stamp="stamp_ns")
TOPICS = [Topic(name=name, partitions=1) for name in ("in", "out", "dead")]


class Upper:
    """Another program takes the lock between the poll of a "b" and its commit."""

    def __init__(self, lock, taken):
        self._lock, self._taken = lock, taken

    def receive(self, records):
        if not self._taken.is_set() and any(record.value == b"b" for record in records):
            self._taken.set()
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        return Outcome([(record.key, record.value.upper()) for record in records], [])

    def snapshot(self):
        return {}

    def restore(self, _checkpoints):
        pass


def test_a_stage_outlives_a_lock_and_does_each_record_once(tmp_path):
    path, warnings, tallies = tmp_path / "log.sqlite", [], []
    stop, taken = threading.Event(), threading.Event()

    def once(ends):
        with closing(SqliteLog(path, wait_s=0.02)) as log:
            return work(
                log,
                ROUTE,
                lambda: Upper(lock, taken),
                clock_ns=lambda: 1,
                until=ends,
                timeout_s=0.01,
            )

    def stage():
        tallies.append(
            through_outages(
                once, lambda _tally, _idle: stop.is_set(), warnings.append, "uppers", retry_s=0.01
            )
        )

    with closing(SqliteLog(path)) as log:
        for topic in TOPICS:
            log.create(topic)
        log.append([Message("in", "k", b"a")])
        thread = threading.Thread(target=stage, daemon=True)
        with (tmp_path / "log.sqlite-locks" / "writer").open("r+") as lock:
            thread.start()
            until(lambda: values(log, "out")[0])
            log.append([Message("in", "k", b"b")])
            until(lambda: warnings)
        until(lambda: len(values(log, "out")[0]) == 2)
        stop.set()
        thread.join(30)
        assert [value for _, value in values(log, "out")[0]] == [b"A", b"B"]
    assert warnings[0].startswith("uppers: waiting for the log (")
    assert "the log can be used again" in warnings[1]
    assert (tallies[0].records, tallies[0].values) == (2, 2)


def test_a_log_that_stays_away_is_reported_now_and_then_and_a_stop_ends_the_wait(monkeypatch):
    monkeypatch.setattr(stage_outage, "SAY_AGAIN_S", 0.05)
    warnings = []

    def away(_ends):
        raise LogUnavailableError("log.sqlite", "locked")

    tally = through_outages(
        away, lambda _tally, _idle: len(warnings) >= 3, warnings.append, "uppers", retry_s=0.01
    )
    assert tally == Tally()
    assert warnings[1].startswith("uppers: waiting for 0 s for the log (log.sqlite: locked)")


def test_a_disk_that_fills_up_is_waited_for_and_one_that_is_full_from_the_start_ends_it():
    warnings, calls = [], []

    def filling(ends):
        calls.append(ends)
        if len(calls) == 1:
            ends(Tally(records=1), idle=False)
        if len(calls) < 3:
            raise DiskFullError("log.sqlite", "database or disk is full")
        ends(Tally(), idle=True)
        return Tally(records=1)

    tally = through_outages(
        filling, lambda _tally, _idle: False, warnings.append, "s", retry_s=0.01
    )
    assert (tally.records, len(warnings)) == (2, 2)

    def full(_ends):
        raise DiskFullError("log.sqlite", "database or disk is full")

    with pytest.raises(DiskFullError):
        through_outages(full, lambda _tally, _idle: False, warnings.append, "s")


def test_another_error_ends_it():
    with pytest.raises(ZeroDivisionError):
        through_outages(lambda _ends: 1 // 0, lambda _tally, _idle: False, print, "uppers")
