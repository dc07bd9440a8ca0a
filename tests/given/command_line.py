"""The command line called in the process of a test."""

import sys

import pytest

from barograph.app import cli


def call(monkeypatch, capfdbinary, *words):
    """Call `barograph *words`: (exit code, standard output, standard error)."""
    monkeypatch.setattr(sys, "argv", ["barograph", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        cli.run()
    captured = capfdbinary.readouterr()
    return left.value.code or 0, captured.out.decode(), captured.err.decode()
