"""Threads that nothing depends on: each failure is reported with its cause, the others go on."""

import threading

import waiting
from barograph.errors import BadInputError, RemovedError
from barograph.pipeline.side_threads import SideThreads


def test_what_one_dies_of_is_reported_and_the_others_go_on():
    warnings, stop, done = [], threading.Event(), []

    def work():
        stop.wait(30.0)
        done.append(1)

    def refused():
        raise BadInputError("rule", "it is none", "Choose another")

    def broken():
        raise ValueError("two\nlines")

    threads = SideThreads(
        [("a: ended", refused), ("b: ended", broken), ("c", work)], warnings.append
    )
    threads.start()
    waiting.until(lambda: len(warnings) == 2)
    assert sorted(warnings) == [
        "a: ended: rule: it is none. Choose another.",
        r"b: ended: ValueError('two\nlines')",
    ]
    assert not done
    stop.set()
    threads.join(30.0)
    assert done == [1]


def test_two_may_have_the_same_report():
    done = []
    threads = SideThreads([("a", lambda: done.append(1)), ("a", lambda: done.append(2))], print)
    threads.start()
    threads.join(30.0)
    assert sorted(done) == [1, 2]


def test_a_log_that_is_removed_is_kept_and_not_reported(tmp_path):
    warnings, gone = [], RemovedError(str(tmp_path), "the log")

    def work():
        raise gone

    threads = SideThreads([("a", work)], warnings.append)
    threads.start()
    threads.join(30.0)
    assert threads.removed is gone
    assert warnings == []


def test_a_thread_that_does_not_end_is_not_waited_for():
    stop = threading.Event()
    threads = SideThreads([("a", lambda: stop.wait(30.0))], print)
    threads.start()
    threads.join(0.01)
    assert not stop.is_set()
    stop.set()
    threads.join(30.0)
