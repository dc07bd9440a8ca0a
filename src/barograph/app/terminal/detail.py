"""How much a verb prints, as chosen by -v and -q."""

from enum import IntEnum


class Detail(IntEnum):
    """How much a verb prints to a person; JSON answers do not depend on it."""

    QUIET = 0
    """Warnings and errors only: no progress and no answer."""
    SUMMARY = 1
    """Progress, and an answer of a screen at most."""
    FULL = 2
    """Progress, and all tables of an answer."""


_chosen = Detail.SUMMARY


def choose(detail: Detail) -> None:
    """Set the detail of this process."""
    global _chosen  # noqa: PLW0603 - a command line is one per process
    _chosen = detail


def chosen() -> Detail:
    """The detail of this process."""
    return _chosen
