"""The last place an error comes to: one line with the facts and a cure."""

import errno
import os
import resource
import subprocess
import sys

import pytest

from barograph.app.cli.door import Refusal, check_memory, parts, refusal
from barograph.errors import BadInputError, OutageError, RegistryError, UnsupportedLogError

ERRORS = {
    "of our own": (BadInputError("x", "it is bad", "Mend it"), "x: it is bad. Mend it."),
    "no room": (
        OSError(errno.ENOSPC, "No space", "/there"),
        "/there: there is no space left (No space).",
    ),
    "no right": (OSError(errno.EACCES, "Denied", "/there"), "/there: access is denied (Denied)."),
    "no handles": (OSError(errno.EMFILE, "Too many"), "(`ulimit -n 1024`)"),
    "any other": (OSError(errno.EIO, "I/O error", b"/\xff"), "I/O error. Check what is named"),
    "no name": (OSError(errno.EADDRINUSE, "Address in use"), "the system refused: Address in use."),
    "no memory": (MemoryError(), "there is not enough memory"),
    "no package": (ImportError("libx.so: failed to map"), "a package cannot be loaded (libx.so"),
    "no learner": (
        ModuleNotFoundError("No module named 'sklearn'", name="sklearn.ensemble"),
        "this needs sklearn.ensemble, which is not installed",
    ),
    "no UTF-8": (UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates"), "not UTF-8"),
}


CURED = {
    "of our own": (BadInputError("a. b", "it is bad", "Mend it. Again"), "Mend it. Again."),
    "of a model": (RegistryError("spikes/1", "it is gone", "Train one"), "Train one."),
    "of an address": (UnsupportedLogError("ftp://x"), "Give a directory (--home)"),
    "of the system": (OSError(errno.EIO, "I/O error", "/x"), "Check what is named"),
    "without a cure": (OutageError("/x cannot be used just now: busy."), "Try again."),
}


@pytest.mark.parametrize(("error", "cure"), CURED.values(), ids=CURED)
def test_an_error_has_two_parts_that_make_its_line(error, cure):
    facts, rest = parts(error)
    assert rest.startswith(cure)
    assert facts.endswith(".")
    assert f"{facts} {rest}" in {
        refusal(error), refusal(error) + " Try again.", refusal(error).replace("; give", ". Give")
    }  # fmt: skip


@pytest.mark.parametrize(("error", "sentence"), ERRORS.values(), ids=ERRORS)
def test_an_error_is_one_line_that_ends(error, sentence):
    assert isinstance(error, Refusal)
    line = refusal(error)
    assert sentence in line
    assert line.count("\n") == 0
    assert line.endswith(".")


def test_what_is_our_own_fault_is_no_refusal():
    for fault in (TypeError("x"), KeyError("x"), AssertionError("x")):
        assert not isinstance(fault, Refusal)


def test_the_limit_of_open_files_is_reported():
    assert "the limit is" in refusal(OSError(errno.ENFILE, os.strerror(errno.ENFILE)))


PROGRAM = """
import resource, sys
from pathlib import Path
from barograph.app.cli import main, topics

pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + (200 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

error = eval(sys.argv[1])

def fail(*_):
    raise error

topics.settings_of = fail
sys.argv = ["barograph", *sys.argv[2:]]
main()
"""


def under_a_limit(error, *words):
    """A verb of a process that may take 200 MiB more, in which settings cannot be read."""
    command = [sys.executable, "-c", PROGRAM, error, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_with_little_memory_left_any_error_is_taken_for_that():
    """A library that cannot be loaded, or a class that another import half made."""
    for error in ("SystemError('no result')", "NameError('PyLazyFrame')", "OSError('not found')"):
        done = under_a_limit(error, "topics", "list")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
        assert "there is not enough memory" in done.stderr
        assert error.partition("(")[0] in done.stderr


@pytest.mark.slow
def test_a_verb_that_cannot_begin_with_so_little_memory_does_not_try():
    for verb in ("replay", "up", "train"):
        done = under_a_limit("RuntimeError()", verb)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
        assert f"too little for {verb}" in done.stderr
        assert "`ulimit -v 2000000`" in done.stderr


@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY, reason="there is a limit"
)
def test_without_a_limit_no_verb_is_kept_from_beginning():
    check_memory("train")
