"""What a unit starts says that it is ready, alive while data come, and that it stops.

The first tests stand in for systemd: they listen on the socket that the process is told of. In the
last ones a systemd runs the unit.
"""

import os
import shutil
import socket
import sys
from contextlib import closing
from pathlib import Path

import pytest

import private_systemd
from barograph.app.runs.service import UNIT, ServicePlan, write
from verb_processes import Life
from waiting import until

pytestmark = pytest.mark.operations

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


@pytest.fixture(scope="module")
def systemd(tmp_path_factory):
    """One that has two units: `barograph`, and `refused`, whose command line is wrong."""
    if reason := private_systemd.missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("systemd")
    units = folder / "tree" / "etc" / "systemd" / "system"
    home = Path("/var/lib/barograph-home")
    for name, words in (("barograph", UP), ("refused", (*UP[2:], "--venue", "none"))):
        plan = ServicePlan(
            program=Path(sys.executable).with_name("barograph"),
            words=(*words, "--no-retrain", "--home", str(home)),
            home=home,
            folder=home,
            user="root",
        )
        write(folder / name, plan)
        (units / f"{name}.service.d").mkdir(parents=True)
        shutil.copy(folder / name / UNIT, units / f"{name}.service")
        kept = "[Service]\nStandardOutput=append:/run/output\nStandardError=append:/run/output\n"
        (units / f"{name}.service.d" / "output.conf").write_text(kept, encoding="utf-8")
    # This code, which need not be what is installed.
    (folder / "tree" / "etc" / "barograph.env").write_text(
        f"PYTHONPATH={os.environ.get('PYTHONPATH', '')}\n", encoding="utf-8"
    )
    (folder / "tree" / "var" / "lib" / home.name).mkdir(parents=True)
    with closing(private_systemd.PrivateSystemd(folder)) as running:
        yield running


def test_systemd_runs_the_unit_confined_and_starts_it_again(systemd):
    name = "barograph.service"
    begun = systemd.systemctl("start", name)
    assert begun.returncode == 0, systemd.systemctl("status", name).stdout + systemd.output()
    assert systemd.shown(name, "ActiveState") == "active"
    first = systemd.shown(name, "MainPID")
    status = systemd.run("cat", f"/proc/{first}/status").stdout
    for line in ("NoNewPrivs:\t1", "Seccomp:\t2", "CapBnd:\t0000000000000000"):
        assert line in status
    systemd.systemctl("kill", "--signal=KILL", name)
    until(lambda: systemd.shown(name, "NRestarts") == "1")
    until(lambda: systemd.shown(name, "ActiveState") == "active")
    assert systemd.shown(name, "MainPID") != first
    stopped = systemd.systemctl("stop", name)
    assert stopped.returncode == 0, stopped.stderr
    assert systemd.shown(name, "Result") == "success"


def test_systemd_starts_nothing_again_that_was_refused(systemd):
    name = "refused.service"
    assert systemd.systemctl("start", name).returncode
    assert systemd.shown(name, "ActiveState") == "failed"
    assert systemd.shown(name, "ExecMainStatus") == "2"
    assert systemd.shown(name, "NRestarts") == "0"
