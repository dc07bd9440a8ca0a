"""A command of the user's that is run for each note."""

import hashlib
import math
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from barograph.app.alerting.notes import Note
from barograph.app.alerting.sink import SinkError
from barograph.app.secrets import SECRETS
from barograph.errors import BadInputError
from barograph.foreign import one_line
from barograph.wire import shown

TIMEOUT_S = 30.0
"""Seconds that a command may take; then it is killed with what it started."""

MAX_STDERR_BYTES = 4 << 10

_REAP_S = 5.0


class Command:
    """Runs a command with the note as JSON on standard input and in its environment.

    The command is split into words as a shell does; nothing else is interpreted, so no text of an
    alert can become a part of it. Exit code 0 means that the note is delivered. Raises
    BadInputError for a command without words.
    """

    latest_s = math.inf

    def __init__(self, line: str, *, timeout_s: float = TIMEOUT_S) -> None:
        try:
            self._words = shlex.split(line)
        except ValueError as error:
            raise BadInputError("--on-alert", str(error), "Close the quotation") from None
        if not self._words or "\0" in line:
            raise BadInputError("--on-alert", "there is no command", "Name a program to run")
        self._timeout_s = timeout_s
        self.name = f"command-{hashlib.sha256(line.encode()).hexdigest()[:12]}"
        self.label = f"command {one_line(Path(self._words[0]).name)}"

    def send(self, note: Note) -> None:
        """Run the command and wait for its end. Raises SinkError."""
        try:
            process = subprocess.Popen(  # noqa: S603 - the user's own command, in words
                self._words,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=_environment(note, os.environ),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise SinkError(shown(f"it cannot be started: {error}")) from None
        complaint = _Complaint(process)
        feeder = threading.Thread(target=_feed, args=(process, note.json()), daemon=True)
        feeder.start()
        try:
            code = process.wait(self._timeout_s)
        except subprocess.TimeoutExpired:
            _end(process)
            raise SinkError(f"it did not end within {self._timeout_s:g} s") from None
        if code:
            why = complaint.read()
            raise SinkError(shown(f"exit code {code}{': ' if why else ''}{why}"))


class _Complaint:
    """The first bytes of standard error; what comes after them is read and dropped."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process, self._kept = process, b""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def read(self) -> str:
        """The text so far, once the process has ended."""
        self._thread.join(0.2)
        return self._kept.decode("utf-8", "replace").strip()

    def _run(self) -> None:
        pipe = self._process.stderr
        if pipe is None:
            return
        with pipe:
            while part := os.read(pipe.fileno(), MAX_STDERR_BYTES):
                self._kept = (self._kept + part)[:MAX_STDERR_BYTES]


def _feed(process: "subprocess.Popen[bytes]", body: bytes) -> None:
    if process.stdin is None:
        return
    with suppress(OSError), process.stdin:  # a command need not read it
        process.stdin.write(body + b"\n")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill a command that has not ended, with what it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_REAP_S)


def _environment(note: Note, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a command: the user's without our secrets, and the note's as ALERT_*."""
    facts = {
        "KEY": note.key,
        "KIND": note.kind,
        "TITLE": note.title,
        "TEXT": note.text,
        "LINK": note.link,
    }
    if note.kind == "alert":
        alert = note.alerts[0]
        facts |= {
            "ID": alert.id,
            "RULE": alert.rule,
            "SUBJECT": alert.subject,
            "CHANGE": str(alert.change),
            "CASE": alert.case,
            "MODEL": alert.model,
            "PROBABILITY": "" if alert.probability is None else repr(alert.probability),
            "TAU": "" if alert.tau is None else repr(alert.tau),
            "STARTED_NS": str(alert.started_ns),
        }
    ours = {f"ALERT_{name}": text.replace("\0", "") for name, text in facts.items()}
    return {name: text for name, text in environment.items() if name not in SECRETS} | ours
