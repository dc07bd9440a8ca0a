"""An examination: what was looked at, what is wrong, and the one line that mends it."""

import enum
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from barograph.errors import BarographError, facts_and_cure

LIMIT_S = 3.0
"""How long one look may take; all run side by side."""


class State(enum.StrEnum):
    """How a thing is: as it should be, worth a look, or in the way of work."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at. `cure` is one line that mends it; empty where all is well."""

    name: str
    state: State
    text: str
    cure: str = ""


class Examination(msgspec.Struct, frozen=True, kw_only=True):
    """All findings, and the worst of their states.

    `subject` is what was looked at alone (feed, kafka, report, airflow), or empty for all.
    """

    state: State
    subject: str
    findings: list[Finding]


Look = Callable[[], Iterable[Finding]]
"""Looks at something, changes nothing, and returns what it found."""


def ok(name: str, text: str) -> Finding:
    """Return a finding of something that is as it should be."""
    return Finding(name=name, state=State.OK, text=text)


def warning(name: str, text: str, cure: str) -> Finding:
    """Return a finding of something that is worth a look."""
    return Finding(name=name, state=State.WARNING, text=text, cure=cure)


def problem(name: str, text: str, cure: str) -> Finding:
    """Return a finding of something that is in the way of work."""
    return Finding(name=name, state=State.PROBLEM, text=text, cure=cure)


def refused(name: str, error: BarographError) -> Finding:
    """Return the problem that an error of Barograph's own is, with the error's cure."""
    facts, cure = facts_and_cure(error)
    return problem(name, facts.removesuffix("."), cure.removesuffix("."))


def examine(looks: Mapping[str, Look], subject: str = "", limit_s: float = LIMIT_S) -> Examination:
    """Run all looks side by side, each for at most `limit_s` seconds, and gather their findings.

    looks: name → look; findings come in their order. A look that does not come back is a warning.
    Raises what a look raises.
    """
    threads = {name: _Looking(name, look) for name, look in looks.items()}
    for thread in threads.values():
        thread.start()
    ends_s = time.monotonic() + limit_s
    findings: list[Finding] = []
    for name, thread in threads.items():
        thread.join(max(0.0, ends_s - time.monotonic()))
        findings += thread.findings(name, limit_s)
    return Examination(state=worst(findings), subject=subject, findings=findings)


def worst(findings: Sequence[Finding]) -> State:
    """Return the worst state of some findings."""
    return max((each.state for each in findings), key=list(State).index, default=State.OK)


class _Looking(threading.Thread):
    """One look in a thread of its own, which nobody waits for when it hangs."""

    def __init__(self, name: str, look: Look) -> None:
        super().__init__(name=f"doctor {name}", daemon=True)
        self._look = look
        self._found: list[Finding] | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Look, and keep the findings, or the error for `findings`."""
        try:
            self._found = list(self._look())
        except BaseException as error:  # noqa: BLE001 - raised where findings are gathered
            self._error = error

    def findings(self, name: str, limit_s: float) -> list[Finding]:
        """Return what was found, a warning where nothing is yet; raises the look's error."""
        if self._error is not None:
            raise self._error
        if self._found is None:
            return [
                warning(
                    name,
                    f"not known: no answer within {limit_s:g} s",
                    "Look again when the machine is less busy, or the network answers",
                )
            ]
        return self._found
