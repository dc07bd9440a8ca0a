"""What the tests of the command line share: a call in this process, a recording, a signal."""

import functools
import os
import signal
import threading

import pytest

from barograph.cases.churn import invent
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from command_line import call


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(monkeypatch, capfdbinary):
    """Call the command line in this process: (exit code, standard output, standard error)."""
    return functools.partial(call, monkeypatch, capfdbinary)


@pytest.fixture
def recording(tmp_path):
    """A minute and a half of a made-up market, as a file."""

    def make(name="market.ndjson", seconds=90):
        market = SimulatedMarket(PRESETS["market"], ["BTC-USD"], 3, 1_750_000_000 * 10**9)
        path = tmp_path / name
        path.write_bytes(b"\n".join(frame.data for frame in market.advance(seconds)) + b"\n")
        return path

    return make


@pytest.fixture
def people(tmp_path):
    """A file of made-up customers, with lines of the caller's own after them."""

    def make(count, *lines, name="people.ndjson"):
        path = tmp_path / name
        path.write_bytes(b"".join(line + b"\n" for line in (*invent(count, 1), *lines)))
        return path

    return make


@pytest.fixture
def signalled():
    """Send this process a SIGINT as soon as a condition holds, or after a limit."""

    def when(condition, limit_s=60.0):
        def wait():
            pause, polls = threading.Event(), int(limit_s / 0.05)
            try:
                while polls and not condition():
                    pause.wait(0.05)
                    polls -= 1
            finally:  # a condition that fails must not leave the command running for ever
                os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        return thread

    return when
