"""The decorator of kernels."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from barograph.compiled import compiled
from barograph.features import window


@compiled
def _sum_of(values):
    total = 0
    for value in values:
        total += value
    return total


def test_a_kernel_is_machine_code_for_each_combination_of_types():
    assert (_sum_of((1, 2, 3)), _sum_of((0.5, 0.25))) == (6, pytest.approx(0.75))
    assert len(_sum_of.signatures) == 2
    assert _sum_of.py_func((1, 2)) == 3


def test_kernels_are_kept_where_the_environment_says():
    assert os.environ["NUMBA_CACHE_DIR"] == numba.config.CACHE_DIR
    path = window.ago.stats.cache_path
    assert path.startswith(os.environ["NUMBA_CACHE_DIR"])


def test_the_folder_stays_when_numba_reads_its_environment_again(tmp_path):
    """It does so at the next compilation after any variable of its own changed."""
    program = (
        "import os, numba; from barograph.compiled import compiled\n"
        "kept = numba.config.CACHE_DIR\n"
        "os.environ['NUMBA_DEBUG_CACHE'] = '0'\n"
        "numba.config.reload_config()\n"
        "assert kept and numba.config.CACHE_DIR == kept, (kept, numba.config.CACHE_DIR)"
    )
    variables = {name: text for name, text in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=variables,
        cwd=Path(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
