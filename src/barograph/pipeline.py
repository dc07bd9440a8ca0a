"""Workers as the settings want them: three stages beside a feed, and scorers of records.

A door's business: it builds and wires, and decides nothing. Beside a feed each stage (featurizer,
scorer, shadow) has a thread and a log of its own; the same jobs run as processes with `barograph
featurize`, `barograph score`, `barograph score --shadow` and `barograph consume`.
"""

import math
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from barograph.case import stream_of
from barograph.errors import BarographError, RemovedError
from barograph.featurizer import Featurizer
from barograph.feed_summary import Summary
from barograph.follower import Follower
from barograph.kernels import FEATURE_SET_HASH
from barograph.log import open_log
from barograph.log.topics import (
    DEAD_LETTERS,
    FEATURES,
    PREDICTIONS,
    SHADOW,
    TICKS,
    ensure_shadow,
    ensure_stream,
)
from barograph.models import Model
from barograph.record_scorer import RecordScorer
from barograph.registry import Alias, Registry
from barograph.scorer import Scorer
from barograph.settings import Settings
from barograph.shadow import Shadow
from barograph.stage_outage import through_outages
from barograph.worker import M, Route, Tally, Until, work

if TYPE_CHECKING:  # the market's stages need no cases
    from barograph.case import Case

FEATURIZE = Route(
    group="featurizer",
    source=TICKS,
    target=FEATURES,
    dead_letters=DEAD_LETTERS,
    stamp="featurized_time_ns",
)
SCORE = Route(
    group="scorer",
    source=FEATURES,
    target=PREDICTIONS,
    dead_letters=DEAD_LETTERS,
    stamp="scored_time_ns",
)
SHADE = Route(
    group="shadow",
    source=FEATURES,
    target=SHADOW,
    dead_letters=DEAD_LETTERS,
    stamp="scored_time_ns",
)

_LOOK_S = 0.25
"""How long the wait for a stage's end is at a time, so that a signal is heard meanwhile."""

_LEAVE_S = 2.0
"""How long stages may take to leave that are not to finish."""

_SOON_S = 0.05  # so that a file's last record is soon known to be the last


class Stages(msgspec.Struct, frozen=True, kw_only=True):
    """What the three stages run on: a log's address and what the settings say."""

    address: str | Path
    champion: Follower
    candidate: Follower
    warn: Callable[[str], None]
    stale_after_s: float
    batch_records: int
    lease_s: float
    patient: bool = False

    def featurize(self, until: Until) -> Tally:
        """Work as a featurizer until told."""
        return self._work(FEATURIZE, Featurizer, until)

    def score(self, until: Until) -> Tally:
        """Work as a scorer until told."""

        def machine() -> Scorer:
            return Scorer(self.champion.model, stale_after_s=self.stale_after_s)

        return self._follow(SCORE, machine, until, self.champion)

    def shadow(self, until: Until) -> Tally:
        """Work as the champion's shadow until told: score with the candidate while there is one."""

        def machine() -> Shadow:
            return Shadow(self.candidate.model, stale_after_s=self.stale_after_s)

        return self._follow(SHADE, machine, until, self.candidate)

    def shadowed(self) -> bool:
        """Whether there is a candidate beside the champion."""
        self.candidate.bring(())
        return self.candidate.model is not None

    def _follow(
        self, route: Route, new_machine: Callable[[], M], until: Until, follower: Follower
    ) -> Tally:
        follower.bring(())  # before the first record
        try:
            return self._work(route, new_machine, until, follower.bring)
        finally:
            follower.leave()

    def _work(
        self,
        route: Route,
        new_machine: Callable[[], M],
        until: Until,
        before_poll: Callable[[Iterable[Any]], None] | None = None,
    ) -> Tally:
        def once(until: Until) -> Tally:
            with closing(open_log(self.address, lease_s=self.lease_s)) as log:
                if route is SHADE:
                    ensure_shadow(log)
                return work(
                    log,
                    route,
                    new_machine,
                    clock_ns=time.time_ns,
                    until=until,
                    before_poll=before_poll,
                    limit=self.batch_records,
                )

        return through_outages(once, until, self.warn, route.group) if self.patient else once(until)


def stages(
    settings: Settings,
    address: str | Path,
    warn: Callable[[str], None],
    *,
    patient: bool = False,
    follow: bool = False,
) -> Stages:
    """The stages of the spikes case as the settings want them.

    patient: they also begin while the registry cannot be read, and take it up when it can. Else
    `score` and `shadow` raise RegistryError.
    follow: as all patient ones do, they wait for a log that cannot be used. Else each raises
    LogUnavailableError.
    """

    def follower(alias: Alias) -> Follower:
        return Follower(
            Registry(settings.home),
            "spikes",
            FEATURE_SET_HASH,
            alias=alias,
            refresh_s=settings.model_refresh_s,
            warn=warn,
            try_out=Scorer,
            patient=patient,
        )

    return Stages(
        address=address,
        champion=follower("champion"),
        candidate=follower("candidate"),
        warn=warn,
        stale_after_s=settings.stale_after_s,
        batch_records=settings.batch_records,
        lease_s=settings.lease_s,
        patient=patient or follow,
    )


class Consumed(Tally, kw_only=True):
    """What a worker has done so far, in `seconds`; `records_per_s` while there were any."""

    seconds: float
    records_per_s: float


def consume(  # noqa: PLR0913 - what the settings say, and what they do not
    settings: Settings,
    address: str | Path,
    case: "Case",
    warn: Callable[[str], None],
    until: Until,
    batch_records: int,
) -> Tally:
    """Score the records of a case as they come, at most so many a commit, until told.

    Topics that are not there are made. Raises BadInputError for a case without a stream.
    """
    stream = stream_of(case)

    def machine(model: Model | None) -> RecordScorer:
        return RecordScorer(case.name, stream.contract, model)

    champion = Follower(
        Registry(settings.home),
        case.name,
        stream.contract.feature_set,
        refresh_s=settings.model_refresh_s,
        warn=warn,
        try_out=machine,
    )
    champion.bring(())
    if champion.model is None:
        warn(
            f"case {case.name} has no champion: records get the verdict NO_MODEL. "
            f"Train first (`barograph train --case {case.name}`)."
        )
    route = Route(
        group=f"{case.name}-scorer",
        source=stream.source,
        target=stream.target,
        dead_letters=stream.dead_letters,
        stamp="scored_time_ns",
        cost="inference_ns",
    )
    log = open_log(address, lease_s=settings.lease_s)
    try:
        ensure_stream(log, stream, settings.partitions)
        return work(
            log,
            route,
            lambda: machine(champion.model),
            clock_ns=time.time_ns,
            until=until,
            before_poll=champion.bring,
            limit=batch_records,
            timeout_s=_SOON_S,
            checkpoint_every=None,
        )
    finally:
        champion.leave()
        log.close()


class Pipeline:
    """The stages, running from `with` to its end, where they finish what the feed wrote.

    Where `stop` is set by then they have `finish_s` seconds for that: the rest is done by the next
    run, and the stages' `warn` says so. What the shadow dies of is reported to `warn`, and the
    others go on.
    """

    def __init__(
        self, stages: Stages, stop: threading.Event | None = None, *, finish_s: float = 3.0
    ) -> None:
        self._stop, self._finish_s = stop, finish_s
        self.featurized = Tally()
        self.scored = Tally()
        self.shadowed = Tally()
        self._stages = stages
        self._fed = threading.Event()
        self._all_featurized = threading.Event()
        self._abandon = threading.Event()
        self._failures: list[BaseException] = []
        self._threads: list[threading.Thread] = []

    def fed(self) -> None:
        """Say, before it starts, that all is fed already."""
        self._fed.set()

    def __enter__(self) -> Self:
        """Start; where all is fed already without a shadow that would have nothing to say."""
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
            self._wait(_LEAVE_S)
        if error is None:
            self.check()

    def _finished(self) -> bool:
        """Wait until all is done; False where that would be too long after a stop."""
        hurried = self._stop is not None and self._stop.is_set()
        try:
            done = self._wait(self._finish_s if hurried else math.inf)
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

    def check(self) -> None:
        """Raise what a worker died of, if one did."""
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
        try:
            self.scored = self._stages.score(self._until(self._all_featurized))
        except BaseException as error:  # noqa: BLE001 - likewise
            self._fail(error)

    def _shadow(self) -> None:
        try:
            self.shadowed = self._stages.shadow(self._until(self._all_featurized))
        except RemovedError as error:  # the log is gone, for the others too
            self._fail(error)
        except BaseException as error:  # noqa: BLE001 - told, and nothing depends on it
            why = error if isinstance(error, BarographError) else repr(error)
            self._stages.warn(f"the candidate shadows the champion no more: {why}")

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


def feed_through(running: Pipeline, take: Callable[[], Summary], *, live: bool) -> Summary:
    """Run a feed with the stages beside it, or behind it where nobody watches meanwhile.

    In one process they take turns at the interpreter and wait for each other: side by side they
    made 40,000 ticks a second where one after the other made 47,000.
    """
    if live:
        with running:
            return take()
    summary = take()
    running.fed()
    with running:
        return summary
