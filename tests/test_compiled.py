"""The decorator of kernels."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from barograph.compiled import compiled, compiled_into_callers
from barograph.feature_set import window
from barograph.sources import PACKAGE


@compiled
def _sum_of(values):
    total = 0
    for value in values:
        total += value
    return total


@compiled_into_callers
def _first_of(values):
    return values[0]


@compiled
def _twice_the_first_of(values):
    return 2 * _first_of(values)


def test_a_kernel_is_machine_code_for_each_combination_of_types():
    assert (_sum_of((1, 2, 3)), _sum_of((0.5, 0.25))) == (6, pytest.approx(0.75))
    assert len(_sum_of.signatures) == 2
    assert _sum_of.py_func((1, 2)) == 3


def test_a_kernel_that_is_compiled_into_its_callers_is_kept_as_any_other():
    assert (_twice_the_first_of((3, 4)), _first_of((5, 6))) == (6, 5)
    assert _first_of.targetoptions["forceinline"]
    assert _first_of.stats.cache_path.startswith(os.environ["NUMBA_CACHE_DIR"])


def test_kernels_are_kept_where_the_environment_says():
    assert os.environ["NUMBA_CACHE_DIR"] == numba.config.CACHE_DIR
    path = window.ago.stats.cache_path
    assert path.startswith(os.environ["NUMBA_CACHE_DIR"])


@pytest.mark.slow
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


@pytest.mark.slow
def test_kernels_that_came_with_the_installation_are_read_where_others_are_written(tmp_path):
    """An image is made by root and run by another user, and a copied file may have another time."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, tmp_path / "barograph", ignore=ignore)
    elsewhere = tmp_path / "elsewhere"
    program = (
        "from barograph.feature_set import window; window.log_e9(1.0)\n"
        "print(sum(window.log_e9.stats.cache_hits.values()))"
    )

    def hits(**variables):
        kept = {name: text for name, text in os.environ.items() if name != "NUMBA_CACHE_DIR"}
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=kept | {"PYTHONPATH": str(tmp_path)} | variables,
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout)

    assert hits() == 0
    for path in tmp_path.rglob("*.py"):
        os.utime(path, (0, 0))
    assert hits(NUMBA_CACHE_DIR=str(elsewhere)) == 1
    assert list(elsewhere.rglob("*.nbc")) == []
