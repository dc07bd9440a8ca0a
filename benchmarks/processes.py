"""What a person waits for: the demo's memory and time, the answer of `--help`."""

import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from statistics import median

import msgspec

from measure import Measured, row, seconds

BAROGRAPH = Path(sys.executable).with_name("barograph")


@cache
def _demo() -> tuple[float, float]:
    """Peak resident megabytes and seconds of `demo --check`, by its own summary."""
    with tempfile.TemporaryDirectory(prefix="barograph-bench-") as home:
        done = subprocess.run(  # noqa: S603 - our own program
            [BAROGRAPH, "demo", "--check", "--home", home],
            check=False,
            capture_output=True,
            env=os.environ | {"BAROGRAPH_HOME": home},
        )
    assert done.returncode == 0, done.stdout.decode()[-2000:] + done.stderr.decode()[-2000:]
    summary = msgspec.json.decode(done.stdout.splitlines()[-1])
    return float(summary["peak_rss_mb"]), float(summary["seconds"])


@row("demo --check, peak resident", "MB", ("ours", "<=", 800), less_is_better=True)
def demo_memory(_repeats: int) -> Measured:
    """One run: history, training, gate, live, verify."""
    return Measured(_demo()[0])


@row("demo --check, on the wall", "s", ("ours", "<=", 60), less_is_better=True)
def demo_seconds(_repeats: int) -> Measured:
    """The same run."""
    return Measured(_demo()[1])


@row("barograph --help", "s", ("ours", "<=", 0.3), less_is_better=True)
def help_seconds(repeats: int) -> Measured:
    """The whole process; the peer is an interpreter that starts and does nothing."""
    timed = [
        (_process(BAROGRAPH, "--help"), _process(sys.executable, "-c", ""))
        for _ in range(2 * repeats)
    ]
    return Measured(*(median(side) for side in zip(*timed, strict=True)))


@row("import barograph", "s", ("ours", "<=", 0.1), less_is_better=True)
def import_seconds(repeats: int) -> Measured:
    """The whole process; the peer is an interpreter that starts and does nothing."""
    timed = [
        (_process(sys.executable, "-c", "import barograph"), _process(sys.executable, "-c", ""))
        for _ in range(2 * repeats)
    ]
    return Measured(*(median(side) for side in zip(*timed, strict=True)))


def _process(*command: Path | str) -> float:
    return seconds(
        lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    )
