"""Retraining: when a case is to be trained again, and the process that does it beside a live feed.

A training runs as a process of its own, at the lowest priority and with one thread for its
matrices: so the live path keeps its latency, and whatever a training dies of stays with it.
"""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import msgspec

from barograph.archive_files import archive_files
from barograph.errors import BadInputError, BarographError
from barograph.promotion import Decision
from barograph.registry import Registry
from barograph.terminal import time_of
from barograph.types import NS_PER_S

_HOUR_NS = 3600 * NS_PER_S
_LEAD_NS = _HOUR_NS
"""How long before its champion expires a case is trained, for one to take its place."""

_POLITE = "import os; os.nice(19); from barograph.cli import main; main()"
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_LOOK_S = 0.25
_PATIENCE_S = 10.0


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a case is to be trained now, and why."""

    due: bool
    why: str


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What decides it; all by the clock of this machine, but for the last by that of the venue.

    When what there is to train on grew last, when the newest version was made, until when the
    champion may be used; None where there is none of it.
    """

    heard_ns: int | None = None
    trained_ns: int | None = None
    expires_ns: int | None = None


def due(known: Standing, now_ns: int, every_h: float) -> Due:
    """Whether to train: where there is no version yet, and `every_h` hours after the newest one.

    Also in the hour before the champion expires, once. Later it does not hurry: each training uses
    up the rows that its gate looks at, and a gate that is asked too soon has too few of them.
    0 hours, or nothing heard since the newest version: never.
    """
    heard_ns, trained_ns, expires_ns = known.heard_ns, known.trained_ns, known.expires_ns
    if not every_h:
        return Due(due=False, why="retrain_every_h is 0")
    if heard_ns is None:
        return Due(due=False, why="there is nothing to train on yet")
    if trained_ns is None:
        return Due(due=True, why="there is no version yet")
    if heard_ns <= trained_ns:
        return Due(
            due=False, why=f"nothing was heard since the newest version of {time_of(trained_ns)}"
        )
    next_ns = trained_ns + int(every_h * _HOUR_NS)
    why = f"the newest version is of {time_of(trained_ns)}"
    if expires_ns is not None and trained_ns < expires_ns - _LEAD_NS < next_ns:
        next_ns = expires_ns - _LEAD_NS
        why = f"the champion may be used until {time_of(expires_ns)}"
    if now_ns < next_ns:
        return Due(due=False, why=f"{why}, the next is due at {time_of(next_ns)}")
    return Due(due=True, why=why)


def standing(registry: Registry, case: str, made_of: Iterable[Path]) -> Standing:
    """How a case stands that is trained on these files. Raises RegistryError."""
    versions = registry.versions(case)
    champion = next((each for each in versions if "champion" in each.aliases), None)
    grown_ns = []
    for path in made_of:
        with suppress(FileNotFoundError):  # it may go meanwhile
            grown_ns.append(path.stat().st_mtime_ns)
    return Standing(
        heard_ns=max(grown_ns, default=None),
        trained_ns=versions[-1].time_ns("created_time_ns") if versions else None,
        expires_ns=champion.time_ns("expires_time_ns") if champion else None,
    )


def asked(home: Path, case: str, made_of: Iterable[Path], every_h: float) -> Due:
    """Whether a case is due by now. Raises RegistryError."""
    return due(standing(Registry(home), case, made_of), time.time_ns(), every_h)


def frames(home: Path) -> list[Path]:
    """What a market's case is trained on. Raises BadInputError for a damaged archive."""
    return [file.path for file in archive_files(home / "archive")]


@contextmanager
def turn(home: Path, case: str) -> Iterator[bool]:
    """Whether it is ours to train a case if that is due: one process's at a time, until the end."""
    folder = home / "datasets"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / f"{case}.lock").open("wb")
    except OSError as error:
        cure = "Check the owner, the rights and the free space of --home"
        raise BadInputError(str(folder), error.strerror or str(error), cure) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


class Trained(msgspec.Struct, frozen=True):
    """What is told on of what a training answers; version 0 where it was not due any more."""

    case: str = ""
    version: int = 0
    chosen: str = ""
    decision: Decision = Decision(promote=False, reasons=())

    @property
    def named(self) -> str:
        """The version, and what the gate said of it."""
        return f"{self.case}/{self.version} ({self.chosen}), {self.decision.word.lower()}"

    def line(self) -> str:
        """With the gate's reasons."""
        return f"{self.named}: {'; '.join(self.decision.reasons)}"


class Retraining:
    """Trains whenever that is due, in a process of its own, from `with` to its end.

    ask: whether it is due, asked every `look_s` seconds. command: the words of `barograph` that
    train and answer in JSON. A training that fails is told to `warn`, once for each reason, and is
    tried again after `again_s`: nothing else changes. So is what a training said.
    """

    def __init__(
        self,
        ask: Callable[[], Due],
        command: Sequence[str],
        warn: Callable[[str], None],
        *,
        look_s: float = 60.0,
        again_s: float = 3600.0,
    ) -> None:
        self.trained: list[str] = []
        self.state = ""
        self._ask, self._command, self._warn = ask, command, warn
        self._look_s, self._again_s = look_s, again_s
        self._failure = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retraining", daemon=True)

    def __enter__(self) -> Self:
        """Start."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and with it a training that is not done."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        wait_s = 0.0
        while not self._stop.wait(wait_s):
            why = self._failed()
            wait_s = self._again_s if why else self._look_s
            if why and why != self._failure:
                self._warn(f"retraining: {why} The next try is in {wait_s / 60:g} min.")
            self._failure = why

    def _failed(self) -> str:
        """Train if it is due; why that failed."""
        try:
            if not self._ask().due:
                return ""
        except BarographError as error:
            return str(error)
        self.state = f"trains since {time_of(time.time_ns())}"
        code, out, err = self._train()
        self.state = ""
        if self._stop.is_set():
            return ""
        if code:
            *_, last = err.decode("utf-8", "replace").strip().splitlines() or [f"exit code {code}."]
            self.state = "failed"
            return last.removeprefix("barograph: ")
        # A case of the user's own may print beside it.
        trained = msgspec.json.decode(out.strip().rpartition(b"\n")[2], type=Trained)
        if trained.version:
            self.state = trained.named
            self.trained.append(trained.line())
            self._warn(f"trained {trained.line()}")
        return ""

    def _train(self) -> tuple[int, bytes, bytes]:
        """Its exit code, standard output and standard error."""
        with subprocess.Popen(  # noqa: S603 - our own verb
            [sys.executable, "-c", _POLITE, *self._command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | _ONE_THREAD,
            start_new_session=True,  # Ctrl-C is for us, who ends it
        ) as process:
            patience_s = None
            while True:
                try:
                    out, err = process.communicate(timeout=_LOOK_S)
                except subprocess.TimeoutExpired:
                    if not self._stop.is_set():
                        continue
                    if patience_s is None:
                        process.send_signal(signal.SIGINT)  # it leaves nothing half-made
                        patience_s = time.monotonic() + _PATIENCE_S
                    elif time.monotonic() > patience_s:
                        process.kill()
                else:
                    return process.returncode, out, err
