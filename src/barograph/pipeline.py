"""Workers as the settings want them: featurizer and scorer beside a feed, and scorers of records.

A door's business: it builds and wires, and decides nothing. Beside a feed each stage has a thread
and a log of its own; the same jobs run as processes with `barograph featurize`, `barograph score`
and `barograph consume`.
"""

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import msgspec

from barograph.errors import BarographError
from barograph.featurizer import Featurizer
from barograph.feed import Summary
from barograph.kernels import FEATURE_SET_HASH
from barograph.log import open_log
from barograph.log.topics import DEAD_LETTERS, FEATURES, PREDICTIONS, TICKS, ensure_stream
from barograph.produce import stream_of
from barograph.record_scorer import RecordScorer
from barograph.registry import Registry
from barograph.scorer import Model, Scorer
from barograph.settings import Settings
from barograph.worker import M, Route, Tally, work

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

_SOON_S = 0.05  # so that a file's last record is soon known to be the last

Until = Callable[[Tally, bool], bool]


class Swaps(Protocol):
    """A machine that works with a model."""

    def swap(self, model: Model | None) -> None:
        """Use another model from the next record on."""


class Champion:
    """The champion of a case as the scorers use it, looked up again every `refresh_s` seconds.

    A version that cannot be loaded, or was made with another feature set than `feature_set`, is
    told to `warn` once, and the present model stays.
    """

    def __init__(
        self,
        registry: Registry,
        case: str,
        feature_set: str,
        *,
        refresh_s: float = 1.0,
        warn: Callable[[str], None] = lambda _message: None,
    ) -> None:
        self._registry, self._case, self._feature_set = registry, case, feature_set
        self._refresh_s, self._warn = refresh_s, warn
        self._looked_s = -refresh_s
        self._version: int | None = None
        self.model: Model | None = None

    def bring(self, machines: Iterable[Swaps]) -> None:
        """Give the machines the champion if it is another one than theirs."""
        now_s = time.monotonic()
        if now_s - self._looked_s < self._refresh_s:
            return
        self._looked_s = now_s
        version = self._registry.champion_version(self._case)
        if version == self._version:
            return
        self._version = version
        if version is not None:
            try:
                self.model = self._registry.load(self._case, version, self._feature_set)
            except BarographError as error:
                self._warn(f"{error} The present model stays.")
                return
        else:
            self.model = None
        for machine in machines:
            machine.swap(self.model)


class Stages(msgspec.Struct, frozen=True, kw_only=True):
    """What the two stages run on: a log's address and what the settings say."""

    address: str | Path
    champion: Champion
    stale_after_s: float
    batch_records: int
    lease_s: float

    def featurize(self, until: Until) -> Tally:
        """Work as a featurizer until told."""
        return self._work(FEATURIZE, Featurizer, until, None)

    def score(self, until: Until) -> Tally:
        """Work as a scorer until told."""
        self.champion.bring(())
        return self._work(SCORE, self._new_scorer, until, self.champion.bring)

    def _new_scorer(self) -> Scorer:
        return Scorer(self.champion.model, stale_after_s=self.stale_after_s)

    def _work(
        self,
        route: Route,
        new_machine: Callable[[], M],
        until: Until,
        before_poll: Callable[[Iterable[M]], None] | None,
    ) -> Tally:
        log = open_log(self.address, lease_s=self.lease_s)
        try:
            return work(
                log,
                route,
                new_machine,
                clock_ns=time.time_ns,
                until=until,
                before_poll=before_poll,
                limit=self.batch_records,
            )
        finally:
            log.close()


def stages(settings: Settings, address: str | Path, warn: Callable[[str], None]) -> Stages:
    """The stages of the spikes case as the settings want them."""
    champion = _champion(settings, "spikes", FEATURE_SET_HASH, warn)
    return Stages(
        address=address,
        champion=champion,
        stale_after_s=settings.stale_after_s,
        batch_records=settings.batch_records,
        lease_s=settings.lease_s,
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
    champion = _champion(settings, case.name, stream.contract.feature_set, warn)
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
            lambda: RecordScorer(case.name, stream.contract, champion.model),
            clock_ns=time.time_ns,
            until=until,
            before_poll=champion.bring,
            limit=batch_records,
            timeout_s=_SOON_S,
            checkpoint_every=None,
        )
    finally:
        log.close()


def _champion(
    settings: Settings, case: str, feature_set: str, warn: Callable[[str], None]
) -> Champion:
    return Champion(
        Registry(settings.home), case, feature_set, refresh_s=settings.model_refresh_s, warn=warn
    )


class Pipeline:
    """Both workers, running from `with` to its end, where they finish what the feed wrote."""

    def __init__(self, stages: Stages) -> None:
        self.featurized = Tally()
        self.scored = Tally()
        self._fed = threading.Event()
        self._all_featurized = threading.Event()
        self._abandon = threading.Event()
        self._ended: set[threading.Event] = set()
        self._failures: list[BaseException] = []
        all_scored = threading.Event()
        jobs: list[tuple[Callable[[], Tally], threading.Event]] = [
            (lambda: stages.featurize(self._featurizer_until), self._all_featurized),
            (lambda: stages.score(self._scorer_until), all_scored),
        ]
        self._threads = [threading.Thread(target=self._run, args=job, daemon=True) for job in jobs]

    def __enter__(self) -> Self:
        """Start."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let both finish; at once where the feed itself failed. Raises what a worker raised."""
        if error is not None:
            self._abandon.set()
        self._fed.set()
        for thread in self._threads:
            thread.join()
        if error is None:
            self.check()

    def check(self) -> None:
        """Raise what a worker died of, if one did."""
        if self._failures:
            raise self._failures[0]

    def _run(self, job: Callable[[], Tally], done: threading.Event) -> None:
        try:
            job()
        except BaseException as error:  # noqa: BLE001 - not lost: `check` raises it at the door
            self._failures.append(error)
            self._abandon.set()
        finally:
            done.set()

    def _featurizer_until(self, tally: Tally, idle: bool) -> bool:
        self.featurized = tally
        return self._finished(self._fed, idle)

    def _scorer_until(self, tally: Tally, idle: bool) -> bool:
        self.scored = tally
        return self._finished(self._all_featurized, idle)

    def _finished(self, source: threading.Event, idle: bool) -> bool:
        # An empty poll counts only if the source had ended before it: what the source wrote last
        # may have come between the poll and this look.
        ended_before = source in self._ended
        if source.is_set():
            self._ended.add(source)
        return self._abandon.is_set() or (idle and ended_before)


def feed_through(running: Pipeline, take: Callable[[], Summary], *, live: bool) -> Summary:
    """Run a feed with the stages beside it, or behind it where nobody watches meanwhile.

    In one process they take turns at the interpreter and wait for each other: side by side they
    made 40,000 ticks a second where one after the other made 47,000.
    """
    if live:
        with running:
            return take()
    summary = take()
    with running:
        return summary
