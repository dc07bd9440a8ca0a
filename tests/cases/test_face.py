"""The face for a case of one's own: each name leads to its thing, and reading needs no trainer."""

import subprocess
import sys

import pytest

from barograph import cases


@pytest.mark.parametrize("name", cases.__all__)
def test_every_name_leads_somewhere(name):
    assert getattr(cases, name).__name__.rpartition(".")[2] == name


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nothing"):
        _ = cases.nothing


@pytest.mark.slow
def test_who_reads_records_imports_nothing_that_trains():
    code = "import sys, barograph.cases.record_file; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert not {"polars", "barograph.learning.candidates"} & set(done.stdout.split())
