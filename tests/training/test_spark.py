"""Spark's engine without Spark: what it says where there is none, and how it words an error."""

import sys

import pytest

from barograph.errors import MissingExtraError
from barograph.training.results import Folder, Results
from barograph.training.spark import SparkEngine, _Compute, _in_a_line
from barograph.training.stretches import Stretch

STRETCH = Stretch(product="X", paths=("/none/x.parquet",), reach=0, first=0, end=1, lake="lake")


def test_without_pyspark_it_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(MissingExtraError, match="extra 'spark'"):
        SparkEngine("local[1]").compute([STRETCH], Results(Folder(tmp_path)), print)


def test_an_error_of_the_input_is_an_answer_and_not_a_failure_to_repeat(tmp_path):
    (error,) = _Compute(Results(Folder(tmp_path)))(STRETCH)
    assert "/none/x.parquet" in str(error)


PYTHON = """An exception was thrown from the Python worker:
Traceback (most recent call last):
  File "worker.py", line 1, in main
MemoryError: Unable to allocate 1 GiB
"""
JAVA = """An error occurred while calling o25.collect.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 failed 4 times
\tat org.apache.spark.scheduler.DAGScheduler.abort(DAGScheduler.scala:1)
"""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (PYTHON, "MemoryError: Unable to allocate 1 GiB"),
        (
            JAVA,
            "org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 failed 4",
        ),
        ("[JAVA_GATEWAY_EXITED] It exited.", "[JAVA_GATEWAY_EXITED] It exited."),
        ("", "ValueError"),
    ],
)
def test_what_spark_says_is_told_in_a_line(text, line):
    assert _in_a_line(ValueError(text)).startswith(line)
