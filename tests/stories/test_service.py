"""What a unit starts says that it is ready, alive while data come, and that it stops.

Where systemd is process 1 it runs the unit itself; elsewhere the test stands in for systemd: it
listens on the socket that the process is told of.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from barograph.app.runs.service import UNIT, ServicePlan, write
from verb_processes import Life
from waiting import until

UP = ("--venue", "simulated", "--products", "BTC-USD", "--port", "0")


class Listening:
    """A socket of a service manager, and what came of one process."""

    def __init__(self, path):
        self.path, self.lines = path, []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(0)

    def count(self, line):
        while True:
            try:
                self.lines.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return self.lines.count(line)

    def close(self):
        self._socket.close()


@pytest.fixture
def manager(tmp_path):
    with closing(Listening(tmp_path / "notify")) as listening:
        yield listening


def test_up_is_ready_alive_and_stopping(manager, tmp_path):
    words = ("up", *UP, "--no-retrain", "--home", tmp_path / "h")
    running = Life(*words, NOTIFY_SOCKET=str(manager.path))
    until(lambda: manager.count("READY=1") or not running.is_alive(), 120)
    until(lambda: manager.count("WATCHDOG=1") > 2 or not running.is_alive(), 120)
    running.terminate()
    assert running.end()[0] == 0
    assert manager.count("STOPPING=1") == 1
    assert manager.lines[0] == "READY=1"
    assert manager.lines[-1] == "STOPPING=1"


def test_a_feed_that_hears_nothing_is_ready_and_not_alive(manager, tmp_path):
    """The venue's socket is open and silent: the watchdog of a manager would end it."""
    with closing(socket.create_server(("127.0.0.1", 0))) as deaf:
        address = f"ws://127.0.0.1:{deaf.getsockname()[1]}"
        words = ("feed", "--venue", "simulated", "--url", address, "--products", "BTC-USD")
        running = Life(*words, "--home", tmp_path / "h", NOTIFY_SOCKET=str(manager.path))
        until(lambda: manager.count("READY=1") or not running.is_alive(), 120)
        running.terminate()
        assert running.end()[0] == 0
    assert manager.count("WATCHDOG=1") == 0
    assert manager.count("STOPPING=1") == 1


@pytest.mark.operations
@pytest.mark.skipif(
    Path("/proc/1/comm").read_text().strip() != "systemd" or os.geteuid() != 0,
    reason="systemd is not process 1 here, or this is not root",
)
def test_systemd_runs_the_unit_and_starts_it_again(tmp_path):
    home = Path("/var/lib") / f"barograph-test-{os.getpid()}"
    name = f"{home.name}.service"
    program = shutil.which("barograph")
    write(
        tmp_path,
        ServicePlan(
            program=Path(program), words=(*UP, "--home", str(home)), home=home, folder=home,
            user="root",
        ),
    )  # fmt: skip
    place = Path("/run/systemd/system") / name
    shutil.copy(tmp_path / UNIT, place)

    def shown(what):
        words = ["systemctl", "show", "--value", "--property", what, name]
        return subprocess.run(words, capture_output=True, check=True, text=True).stdout.strip()

    try:
        subprocess.run(["systemctl", "daemon-reload"], check=True)
        subprocess.run(["systemctl", "start", name], check=True, timeout=600)
        assert shown("ActiveState") == "active"
        first = int(shown("MainPID"))
        os.kill(first, signal.SIGKILL)
        until(lambda: shown("ActiveState") == "active" and int(shown("MainPID")) != first, 300)
        began_s = time.monotonic()
        subprocess.run(["systemctl", "stop", name], check=True)
        assert time.monotonic() - began_s < 15
        assert shown("Result") == "success"
    finally:
        subprocess.run(["systemctl", "stop", name], check=False)
        place.unlink()
        shutil.rmtree(home, ignore_errors=True)
