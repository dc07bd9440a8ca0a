"""Sinks that keep what they are given, and a sender of one of them in a thread."""

import threading
import time
from contextlib import contextmanager
from random import Random

from alert_records_made import alert, messages
from barograph.app.alerting.sender import Sender, SendingPlan
from waiting import until


class Notebook:
    """A sink that keeps what it is given; `errors` are raised first, one for each attempt."""

    latest_s = 1e9

    def __init__(self, *errors, name="notebook"):
        self.name = self.label = name
        self.errors, self.notes = list(errors), []
        self.attempts = 0

    def send(self, note):
        self.attempts += 1
        if self.errors:
            raise self.errors.pop(0)
        self.notes.append(note)

    @property
    def keys(self):
        return [note.key for note in self.notes]


class Clock:
    """The wall clock, `ahead_ns` of what it is."""

    def __init__(self):
        self.ahead_ns = 0

    def __call__(self):
        return time.time_ns() + self.ahead_ns


def now(**more):
    """An alert of this moment."""
    return alert(time_ns=time.time_ns(), **more)


@contextmanager
def sending(path, sink, clock=None, **more):
    known = {"address": path, "give_up_s": 60.0, "first_s": 0.01, "cap_s": 0.01}
    stop, warnings = threading.Event(), []
    sender = Sender(
        sink, SendingPlan(**{**known, **more}), stop, warnings.append,
        clock_ns=clock or Clock(), random=Random(1),
    )  # fmt: skip
    thread = threading.Thread(target=sender.run)
    thread.start()
    try:
        yield sender, warnings
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


def begun(path, sink, log):
    """Give a sink its place at the newest alert, as a first run does."""
    numbers = iter(range(10_000, 20_000))

    def arrives():
        log.append(messages(now(number=next(numbers))))
        return sink.notes

    with sending(path, sink):
        until(arrives, pause_s=0.05)
        last = now(number=next(numbers))
        log.append(messages(last))
        until(lambda: last.key in sink.keys)
    sink.notes.clear()
    sink.attempts = 0
