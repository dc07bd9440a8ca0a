"""Workers beside the pipeline: they finish what is there, and one that dies holds up nobody."""

import threading
import time

import pytest

from barograph.deadline import Deadline
from barograph.errors import RemovedError
from barograph.pipeline import beside
from barograph.pipeline.beside import Beside
from barograph.pipeline.worker import Tally
from waiting import until

LIMIT_S = 60.0


def test_workers_end_when_they_are_idle_after_the_block():
    seen = []

    def work(ends):
        while not ends(Tally(), len(seen) >= 3):
            seen.append(1)

    with Beside([("a worker", work)], pytest.fail):
        until(lambda: len(seen) >= 3)


def test_what_a_worker_dies_of_is_a_warning_and_the_others_go_on():
    warnings, worked = [], []

    def broken(_ends):
        raise ValueError("a\nbug")

    def work(ends):
        while not ends(Tally(), len(worked) > 0):
            worked.append(1)

    with Beside([("this is made no more", broken), ("that", work)], warnings.append) as workers:
        until(lambda: warnings and worked)
        workers.check()
    (line,) = warnings
    assert line.startswith("this is made no more: ValueError")
    assert "\n" not in line


def test_a_log_that_was_removed_is_said_by_check_alone():
    def work(_ends):
        raise RemovedError("log.db", "was removed")

    with Beside([("a worker", work)], pytest.fail) as workers:

        def found():
            try:
                workers.check()
            except RemovedError:
                return True
            return False

        until(found)


def test_a_worker_that_does_not_end_is_left_at_the_deadline(monkeypatch):
    for name in ("_JOIN_S", "_LOOK_S"):
        monkeypatch.setattr(beside, name, 10 * LIMIT_S)
    deadline, goes_on = Deadline(), threading.Event()

    def hanging(_ends):
        goes_on.wait(LIMIT_S)

    with Beside([("a worker", hanging)], pytest.fail, deadline):
        deadline.begin(0.0)
        began_s = time.monotonic()
    assert time.monotonic() - began_s < LIMIT_S
    goes_on.set()
