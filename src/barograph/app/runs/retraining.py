"""Retraining: train a case again beside a live feed whenever it is due.

Each training is a child process at the lowest priority with one linear-algebra thread, so that the
live path keeps its latency and a crash of the training does not reach it.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Self

import msgspec

from barograph import telemetry
from barograph.app.runs.children import Child, end_politely, environment
from barograph.app.settings import Settings
from barograph.codec import UNREADABLE
from barograph.errors import BarographError
from barograph.evaluation.gate import Decision
from barograph.figures import duration
from barograph.foreign import one_line
from barograph.times import clock_of, time_of
from barograph.training.due import Due
from barograph.types import NS_PER_S

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_PATIENCE_S = 2.0
"""Seconds that an interrupted training may take to remove its temporary files."""

_LEAVE_S = 0.5


def training(words: Sequence[str], settings: Settings) -> Child:
    """Start `barograph WORDS` as a training: one linear-algebra thread, lowest priority.

    Its home is that of `settings`, whatever `words` say.
    """
    words = [*words, "--home", str(settings.home.absolute())]
    return Child(words, environment(settings) | _ONE_THREAD, polite=True)


class _Model(msgspec.Struct, frozen=True):
    version: int
    chosen: str


class _Gate(msgspec.Struct, frozen=True):
    decision: Decision


class Trained(msgspec.Struct, frozen=True):
    """The part of a training's report that is passed on."""

    case: str
    model: _Model
    gate: _Gate

    @property
    def named(self) -> str:
        """The version, and the gate's decision."""
        decision = self.gate.decision.word.lower()
        return f"{self.case}/{self.model.version} ({self.model.chosen}), {decision}"

    def line(self) -> str:
        """The version with the gate's decision and its reasons."""
        return f"{self.named}: {'; '.join(self.gate.decision.reasons)}"


class _NotDue(msgspec.Struct, frozen=True):
    """The answer of a training that was no longer due."""

    due: bool
    why: str


def read_answer(answer: bytes) -> Trained | None:
    """Decode a training's report; None if it was not due. Raises as msgspec does."""
    try:
        return msgspec.json.decode(answer, type=Trained)
    except msgspec.ValidationError:
        msgspec.json.decode(answer, type=_NotDue)
        return None


class Retraining:
    """Trains in a child process whenever due, while its `with` block runs.

    ask: returns whether training is due; called every `look_s` seconds. start: starts the training,
    which answers in JSON. Failures are reported to `warn`, once per reason, and retried: a failed
    training after `again_s`, a failed `ask` or `start` after `look_s`, doubling up to `again_s`. A
    training that takes longer than `limit_s` seconds is killed. Results are reported to `warn` too.
    `state` says in one line what is going on: what a first training waits for (asked again every
    `soon_s` seconds), since when one runs, its result, or why it failed and when the next try is.
    """

    def __init__(  # noqa: PLR0913 - what it trains, and how long it waits for what
        self,
        ask: Callable[[], Due],
        start: Callable[[], Child],
        warn: Callable[[str], None],
        *,
        look_s: float = 60.0,
        soon_s: float = 5.0,
        again_s: float = 3600.0,
        limit_s: float = 6 * 3600.0,
    ) -> None:
        self.trained: list[str] = []
        self.state = ""
        self._ask, self._start, self._warn = ask, start, warn
        self._look_s, self._again_s, self._limit_s = look_s, again_s, limit_s
        self._soon_s = min(soon_s, look_s)
        self._failure = ""
        self._waits = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retraining", daemon=True)

    def __enter__(self) -> Self:
        """Start the thread and return self."""
        for result in ("done", "failed"):
            telemetry.TRAININGS.add(0, result)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, ending a running training."""
        self.stop()
        self._thread.join(_PATIENCE_S + _LEAVE_S)

    def measures(self) -> dict[str, float | None]:
        """Return the measure `retraining_failed` for a monitor: 1 since the last try failed."""
        return {"retraining_failed": float(bool(self._failure))}

    def stop(self) -> None:
        """Request the stop and return at once."""
        self._stop.set()

    def _run(self) -> None:
        wait_s, failures = 0.0, 0
        while not self._stop.wait(wait_s):
            failed = self._round()
            if failed and failed.trained:
                telemetry.TRAININGS.add(1, "failed")
            failures = failures + 1 if failed else 0
            if not failed:
                wait_s = self._soon_s if self._waits else self._look_s
            elif failed.trained:
                wait_s = self._again_s
            else:
                wait_s = min(self._again_s, self._look_s * 2.0 ** min(failures - 1, 30))
            why = failed.why if failed else ""
            if why:
                next_ns = time.time_ns() + int(wait_s * NS_PER_S)
                self.state = f"failed, next try at {clock_of(next_ns)} UTC: {one_line(why)}"
            if why and why != self._failure and not self._stop.is_set():
                self._warn(f"retraining: {why} The next try is in {duration(wait_s)}.")
            self._failure = why

    def _round(self) -> "_Failed | None":
        """Train if due; return the failure, or None."""
        training = False
        try:
            answer = self._ask()
            self._waits = not answer.due and answer.rows is not None
            if self._waits:
                if not self.state:
                    self._warn(f"retraining: {answer.why}")
                self.state = answer.why
            if not answer.due:
                return None
            training = True
            self.state = f"trains since {time_of(time.time_ns())}"
            return self._train()
        except BarographError as error:
            return _Failed(str(error), training)
        except BaseException as error:  # noqa: BLE001 - reported, and tried again
            return _Failed(f"{one_line(repr(error))}.", training)

    def _train(self) -> "_Failed | None":
        ends_s = time.monotonic() + self._limit_s
        with self._start() as child:
            while (code := child.wait()) is None:
                if self._stop.is_set():
                    end_politely(child, _PATIENCE_S)
                    return None
                if time.monotonic() > ends_s:
                    child.kill()
                    why = f"a training did not end in {duration(self._limit_s)} and was ended."
                    return _Failed(why, trained=True)
            if code:
                return _Failed(child.why(), trained=True)
            # A user's case may print to standard output too.
            answer = child.out().strip().rpartition(b"\n")[2]
        try:
            trained = read_answer(answer)
        except UNREADABLE as error:
            why = f"the answer of a training cannot be read ({error})."
            return _Failed(why, trained=True)
        self.state = ""
        if trained is not None:
            self.state = one_line(trained.named)
            self.trained.append(one_line(trained.line()))
            telemetry.TRAININGS.add(1, "done")
            self._warn(f"trained {one_line(trained.line())}")
        return None


class _Failed(msgspec.Struct, frozen=True):
    """Why a training failed, or could not start (`trained` is false)."""

    why: str
    trained: bool
