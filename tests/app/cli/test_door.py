"""The last place an error comes to: one line with the facts and a cure."""

import errno
import os

import pytest

from barograph.app.cli.door import Refusal, refusal
from barograph.errors import BadInputError

ERRORS = {
    "of our own": (BadInputError("x", "it is bad", "Mend it"), "x: it is bad. Mend it."),
    "no room": (
        OSError(errno.ENOSPC, "No space", "/there"),
        "/there: there is no room (No space).",
    ),
    "no right": (OSError(errno.EACCES, "Denied", "/there"), "/there: it may not be used (Denied)."),
    "no handles": (OSError(errno.EMFILE, "Too many"), "(`ulimit -n 1024`)"),
    "any other": (OSError(errno.EIO, "I/O error", b"/\xff"), "I/O error. Check what is named"),
    "no name": (OSError(errno.EADDRINUSE, "Address in use"), "the system refused: Address in use."),
    "no memory": (MemoryError(), "there is not enough memory"),
    "no package": (ImportError("libx.so: failed to map"), "a package cannot be loaded (libx.so"),
    "no UTF-8": (UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates"), "no UTF-8"),
}


@pytest.mark.parametrize(("error", "told"), ERRORS.values(), ids=ERRORS)
def test_an_error_is_one_line_that_ends(error, told):
    assert isinstance(error, Refusal)
    line = refusal(error)
    assert told in line
    assert line.count("\n") == 0
    assert line.endswith(".")


def test_what_is_our_own_fault_is_no_refusal():
    for fault in (TypeError("x"), KeyError("x"), AssertionError("x")):
        assert not isinstance(fault, Refusal)


def test_the_limit_of_open_files_is_told():
    assert "are allowed" in refusal(OSError(errno.ENFILE, os.strerror(errno.ENFILE)))
