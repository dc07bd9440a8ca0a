"""Standard streams that are closed, full or of a small alphabet."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.app.cli import streams

PROGRAM = """
import sys
from barograph.app.cli import door, streams
from barograph.errors import BadInputError
try:
    streams.prepare()
    {act}
except BadInputError as error:
    print(door.refusal(error), file=sys.stderr)
    sys.exit(2)
"""


def run(act, redirections="", **environment):
    words = [sys.executable, "-c", PROGRAM.format(act=act)]
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirections}', "sh", *words],
        capture_output=True,
        check=False,
        env={"PYTHONPATH": ":".join(sys.path), **environment},
    )


@given(st.text(max_size=20))
def test_any_text_has_a_form_in_any_alphabet(text):
    error = UnicodeEncodeError("ascii", text, 0, len(text), "ordinal not in range")
    spelled, end = streams._plain(error)
    assert end == len(text)
    for character in text:
        if ord(character) > 127:
            assert streams._spelled(character).isascii()
    assert all(part.isascii() for part in map(streams._spelled, filter(str.isprintable, text)))
    assert isinstance(spelled, str)


def test_the_signs_of_the_house_have_plain_forms():
    assert "".join(map(streams._spelled, "✓→≤⠋\udcff")) == "ok-><=*\\xff"


@pytest.mark.slow
def test_a_file_that_is_opened_does_not_become_standard_output():
    done = run("pass", ">&-")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"standard output: it is closed. ")


@pytest.mark.slow
def test_what_was_for_a_closed_standard_error_is_in_no_answer():
    done = run("print('beside', file=sys.stderr); streams.write('answer')", "2>&-")
    assert (done.returncode, done.stdout) == (0, b"answer")


@pytest.mark.slow
def test_a_full_device_is_reported():
    done = run("streams.write('answer')", ">/dev/full")
    assert done.returncode == 2
    assert done.stderr.startswith(b"standard output: the output cannot be written (No space left")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.slow
def test_a_terminal_of_ascii_gets_no_other_character():
    done = run("streams.write('✓ – \\udcff')", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert (done.returncode, done.stdout, done.stderr) == (0, rb"ok - \xff", b"")
