"""The demo as a user runs it: headless with a summary, and live until Ctrl-C."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time

import httpx
import pytest

from barograph import codec
from barograph.log import browse, open_log
from barograph.log.topics import HEALTH
from barograph.pipeline.backlog import LATE_S
from waiting import until

COMMAND = [sys.executable, "-c", "from barograph.app.cli import main; main()", "demo"]

ALWAYS_STALE = {"BAROGRAPH_ALERT_FEED_AGE_S": "0.001", "BAROGRAPH_HEALTH_EVERY_S": "0.5"}
"""Every feed is older than so, which is an alert about health after a second."""

SCREEN = {"TERM": "xterm", "COLUMNS": "140", "LINES": "40"}


def health_alerts(page):
    """What the page's API lists of alerts that are none of a prediction."""
    alerts = httpx.get(f"{page}/v1/alerts", timeout=60).json()["alerts"]
    return [each for each in alerts if each["rule"] != "probability"]


@pytest.mark.operations
def test_the_check_trains_promotes_predicts_and_verifies(tmp_path):
    done = subprocess.run(
        [*COMMAND, "--check", "--home", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["ok"]
    assert summary["problems"] == []
    assert summary["training"]["gate"]["decision"]["promote"]
    assert summary["live"]["models"]["spikes/1"] > 0
    assert summary["live"]["verdicts"].keys() == {"PREDICTED"}
    assert summary["verification"]["difference"] is None
    assert summary["verification"]["rows"] > 80_000
    assert "spikes/1" in done.stderr
    assert "persistence" in done.stderr


def test_the_live_view_stays_until_ctrl_c_and_leaves_cleanly(tmp_path):
    """In a terminal of its own, two simulated hours: enough to train, if not to promote."""
    reader, writer = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "--hours", "2", "--home", str(tmp_path)],
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=subprocess.PIPE,
        env={**os.environ, **SCREEN, **ALWAYS_STALE, "BAROGRAPH_FOLDS": "2"},
    )
    os.close(writer)
    shown = bytearray()

    def read():
        while True:
            try:
                piece = os.read(reader, 65536)
            except OSError:  # the other end of a pty is gone
                return
            shown.extend(piece)

    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    pause, started = threading.Event(), time.monotonic()
    while shown.count(b"BTC-USD") < 3:
        assert time.monotonic() - started < 600, shown.decode()
        assert process.poll() is None, process.stderr.read().decode()
        pause.wait(0.1)
    [url] = set(re.findall(rb"http://127\.0\.0\.1:\d+", bytes(shown)))
    assert "<title>Barograph</title>" in httpx.get(url.decode(), timeout=60).text
    with contextlib.closing(open_log(tmp_path)) as log:
        until(lambda: health_alerts(url.decode()), 240.0, 0.5)
        first = codec.decode_health.of(next(browse.records(log, HEALTH)))
    assert {each["rule"] for each in health_alerts(url.decode())} == {"feed_stale"}
    # It is measured from where what passed meanwhile is worked off: nothing of it is late.
    assert first.measures["clock_offset_s:simulated"] < LATE_S
    assert first.measures["prediction_age_s"] < LATE_S
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=240)
    reading.join(timeout=10)
    os.close(reader)
    assert process.returncode == 0, err.decode()
    assert f"the page is at {url.decode()}" in err.decode()
    assert "✓ verify" in err.decode()
    assert "differ" not in err.decode()
    assert "Traceback" not in err.decode()
    screen = shown.decode(errors="replace")
    for part in ("product", "verdict", "latency", "ETH-USD", "alerts", "feed: simulated,"):
        assert part in screen
