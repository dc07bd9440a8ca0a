"""Retention has a thread and a handle of its own, and whatever happens there stays there."""

import threading
from contextlib import closing

import pytest

from barograph.errors import LogUnavailableError, RemovedError
from barograph.log import Topic, open_log
from barograph.log.retention import PeriodicRetention
from barograph.types import Message
from waiting import until


def total(log):
    return sum(extent.next - extent.oldest for extent in log.extents("short"))


def test_what_need_not_be_kept_goes_beside_the_work(tmp_path):
    with closing(open_log(tmp_path)) as log:
        log.create(Topic(name="short", retention_bytes=10))
        log.append([Message("short", "k", b"12345") for _ in range(100)])
        with PeriodicRetention(lambda: open_log(tmp_path), pytest.fail):
            until(lambda: total(log) == 2)


def test_it_goes_again_every_so_often(tmp_path):
    with closing(open_log(tmp_path)) as log:
        log.create(Topic(name="short", retention_bytes=10))
        with PeriodicRetention(lambda: open_log(tmp_path), pytest.fail, every_s=0.01):
            for _ in range(2):
                log.append([Message("short", "k", b"12345") for _ in range(100)])
                until(lambda: total(log) == 2)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (LogUnavailableError("log.sqlite", "a lock is held"), "log.sqlite cannot be used just now"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (MemoryError("too\nmuch"), "MemoryError('too\\nmuch')"),
        (RuntimeError("can't start new thread"), "new thread"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_it_survives_any_error_and_reports_each_once(tmp_path, error, line):
    tries, warnings = [], []

    def opening():
        tries.append(1)
        if len(tries) < 4:
            raise error
        return open_log(tmp_path)

    with closing(open_log(tmp_path)) as log:
        log.create(Topic(name="short", retention_bytes=10))
        log.append([Message("short", "k", b"12345") for _ in range(100)])
        with PeriodicRetention(opening, warnings.append, every_s=0.01):
            until(lambda: total(log) == 2)
    (once,) = warnings
    assert once.startswith("retention: ")
    assert line in once
    assert "\n" not in once


def test_that_the_log_is_gone_is_left_to_who_works_on_it():
    tries = []

    def opening():
        tries.append(1)
        raise RemovedError("log.sqlite", "was removed")

    with PeriodicRetention(opening, pytest.fail, every_s=0.01):
        until(lambda: len(tries) > 3)


@pytest.mark.slow
def test_a_removal_that_does_not_end_holds_nobody():
    entered, never = threading.Event(), threading.Event()

    def opening():
        entered.set()
        never.wait()

    with PeriodicRetention(opening, pytest.fail):
        assert entered.wait(60)
    never.set()
