"""The stages beside a feed as threads of one process, from the first record to the last."""

import math
import threading
import time
from types import TracebackType
from typing import Self

from barograph.deadline import FINISHED, LEFT, Deadline
from barograph.errors import BarographError, RemovedError
from barograph.pipeline.stages import Stages
from barograph.pipeline.worker import Tally, Until
from barograph.registry.model import Model

_LOOK_S = 0.25
"""How long the wait for a stage's end is at a time, so that a signal is heard meanwhile."""

_LEAVE_S = 2.0
"""How long stages may take to leave that are not to finish."""


class Pipeline:
    """The stages, running from `with` to its end, where they finish what the feed wrote.

    Where `stop` is set by then they have `finish_s` seconds for that, and their share of what all
    have until the `deadline`: the rest is done by the next run, and the stages' `warn` says so.
    What the shadow dies of is reported to `warn`, and the others go on.
    """

    def __init__(
        self,
        stages: Stages,
        stop: threading.Event | None = None,
        *,
        finish_s: float = 3.0,
        deadline: Deadline | None = None,
    ) -> None:
        self._stop, self._finish_s = stop, finish_s
        self._deadline = deadline or Deadline()
        self.featurized = Tally()
        self.scored = Tally()
        self.shadowed = Tally()
        self._stages = stages
        self._fed = threading.Event()
        self._all_featurized = threading.Event()
        self._in_turn = False
        self._abandon = threading.Event()
        self._failures: list[BaseException] = []
        self._threads: list[threading.Thread] = []

    def fed(self) -> None:
        """Declare, before the start, that the feed has already written everything."""
        self._fed.set()

    def __enter__(self) -> Self:
        """Start; where all is fed already without a shadow that would have nothing to say.

        Then the featurizer has the interpreter for itself first: what reads its rows meanwhile
        takes more time from it than is saved beside it.
        """
        self._in_turn = self._fed.is_set()
        targets = [self._featurize, self._score]
        if not self._fed.is_set() or self._stages.shadowed():
            targets.append(self._shadow)
        self._threads = [threading.Thread(target=target, daemon=True) for target in targets]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let all finish; not where the feed itself failed. Raises what a worker raised."""
        self._fed.set()
        if error is not None or not self._finished():
            self._abandon.set()
            self._wait(self._deadline.left_s(_LEAVE_S, LEFT))
        if error is None:
            self.check()

    def _finished(self) -> bool:
        """Wait until all is done; False where that would be too long after a stop."""
        hurried = self._stop is not None and self._stop.is_set()
        try:
            finish_s = self._deadline.left_s(self._finish_s, FINISHED)
            done = self._wait(finish_s if hurried else math.inf)
        except BaseException:
            self._abandon.set()  # each leaves after the batch that it is at
            raise
        if not done:
            self._stages.warn("stopped before all was scored that was heard; the next run goes on")
        return done

    def _wait(self, limit_s: float) -> bool:
        """Whether all stages ended in so many seconds."""
        ends_s = time.monotonic() + limit_s
        for thread in self._threads:
            while thread.is_alive() and time.monotonic() < ends_s:
                thread.join(_LOOK_S)
        return not any(thread.is_alive() for thread in self._threads)

    @property
    def champion(self) -> Model | None:
        """The model that scores now."""
        return self._stages.champion.model

    def check(self) -> None:
        """Raise the error that ended a worker, if one did."""
        if self._failures:
            raise self._failures[0]

    def _featurize(self) -> None:
        try:
            self.featurized = self._stages.featurize(self._until(self._fed))
        except BaseException as error:  # noqa: BLE001 - not lost: `check` raises it at the door
            self._fail(error)
        finally:
            self._all_featurized.set()

    def _score(self) -> None:
        self._wait_for_turn()
        try:
            self.scored = self._stages.score(self._until(self._all_featurized))
        except BaseException as error:  # noqa: BLE001 - likewise
            self._fail(error)

    def _shadow(self) -> None:
        self._wait_for_turn()
        try:
            self.shadowed = self._stages.shadow(self._until(self._all_featurized))
        except RemovedError as error:  # the log is gone, for the others too
            self._fail(error)
        except BaseException as error:  # noqa: BLE001 - reported, and nothing depends on it
            why = error if isinstance(error, BarographError) else repr(error)
            self._stages.warn(f"the candidate shadows the champion no more: {why}")

    def _wait_for_turn(self) -> None:
        if self._in_turn:
            self._all_featurized.wait()

    def _fail(self, error: BaseException) -> None:
        self._failures.append(error)
        self._abandon.set()

    def _until(self, source: threading.Event) -> Until:
        ended = False

        def until(_tally: Tally, idle: bool) -> bool:
            # An empty poll counts only if the source had ended before it: what the source wrote
            # last may have come between the poll and this look.
            nonlocal ended
            ended_before, ended = ended, source.is_set()
            return self._abandon.is_set() or (idle and ended_before)

        return until
