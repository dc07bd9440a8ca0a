"""Simulated worlds in which everything fails, one after the other, and nothing is lost.

`benchmarks/simulation.py` runs ten thousand. It is a process of its own, since a world forks its
lives and a process with threads must not.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIMIT_S = 900


@pytest.mark.parametrize("seeds", ["0:20", pytest.param("20:200", marks=pytest.mark.operations)])
def test_whatever_fails_every_invariant_holds(seeds):
    done = subprocess.run(
        [sys.executable, "benchmarks/simulation.py", seeds],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=LIMIT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
