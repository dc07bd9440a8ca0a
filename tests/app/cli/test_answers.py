"""How a verb speaks: one line of JSON, and no word when nobody reads on."""

import json
import subprocess
import sys

import pytest

from barograph.app.cli.answers import as_json

PROGRAM = """
from barograph.app.cli.answers import print_lines
print_lines(b"x" * 100 for _ in range(100_000))
"""


def test_an_answer_is_one_line_of_json():
    assert json.loads(as_json({"a": [1, None, "é\n"]})) == {"a": [1, None, "é\n"]}
    assert "\n" not in as_json({"a": "é\n"})


@pytest.mark.slow
def test_a_reader_who_leaves_early_is_no_error():
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as writer:
        assert writer.stdout.readline() == b"x" * 100 + b"\n"
        writer.stdout.close()
        assert (writer.stderr.read(), writer.wait(60)) == (b"", 0)
