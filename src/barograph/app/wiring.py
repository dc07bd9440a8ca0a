"""Build workers from the settings: the stages of a series, and scorers of records.

It only wires parts together. The same jobs run as processes with `barograph featurize`, `barograph
score`, `barograph score --shadow` and `barograph consume`.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from barograph.app.registries import registry_of
from barograph.app.settings import Settings
from barograph.cases.case import live_of, stream_of
from barograph.feed.summary import Summary
from barograph.log import open_log
from barograph.pipeline.candle_stages import CandleStages
from barograph.pipeline.case_topics import ensure_stream
from barograph.pipeline.counted import count_predictions
from barograph.pipeline.follower import Follower
from barograph.pipeline.record_scorer import RecordScorer, scorer_group
from barograph.pipeline.scorer import Scorer
from barograph.pipeline.stages import Stages
from barograph.pipeline.threads import Pipeline
from barograph.pipeline.worker import Route, Tally, Until, work
from barograph.registry.model import Model
from barograph.registry.registry import Alias

if TYPE_CHECKING:  # every caller has imported it
    from barograph.cases.case import Case

_SOON_S = 0.05  # short, so that the end of a file shows soon
_WAIT_S = 0.25


def stages(  # noqa: PLR0913 - the settings, and what they leave open
    settings: Settings,
    address: str | Path,
    case: "Case",
    warn: Callable[[str], None],
    *,
    patient: bool = False,
    follow: bool = False,
) -> Stages:
    """The stages of a series case, configured from the settings.

    patient: start even if the registry cannot be read, and use it once it can; otherwise `score`
    and `shadow` raise RegistryError.
    follow: wait for a log that is unavailable, as `patient` does too; otherwise each stage raises
    LogUnavailableError.
    Raises BadInputError for a case that is not a series.
    """
    live = live_of(case)

    def follower(alias: Alias) -> Follower:
        return Follower(
            registry_of(settings, last_known=True),
            case.name,
            live.feature_set,
            alias=alias,
            refresh_s=settings.model_refresh_s,
            warn=warn,
            try_out=lambda model: Scorer(live, model),
            patient=patient,
        )

    return Stages(
        live=live,
        address=address,
        champion=follower("champion"),
        candidate=follower("candidate"),
        warn=warn,
        stale_after_s=settings.stale_after_s,
        batch_records=settings.batch_records,
        lease_s=settings.lease_s,
        patient=patient or follow,
        wait_s=_WAIT_S if patient or follow else _SOON_S,
    )


def candle_stages(
    settings: Settings, address: str | Path, warn: Callable[[str], None], *, patient: bool = False
) -> CandleStages:
    """The stages of candles from ticks, configured from the settings. patient: as in `stages`."""
    return CandleStages(
        address=address,
        warn=warn,
        partitions=settings.partitions,
        batch_records=settings.batch_records,
        lease_s=settings.lease_s,
        patient=patient,
    )


def champion_of(
    settings: Settings, case: "Case", warn: Callable[[str], None], *, patient: bool = True
) -> Follower:
    """Follows the champion of a case, for one that scores what it is given.

    patient: as in `Follower`.
    """

    def machine(model: Model) -> object:
        if case.live is not None:
            return Scorer(case.live, model)
        return RecordScorer(case.name, stream_of(case).contract, model)

    return Follower(
        registry_of(settings, last_known=True),
        case.name,
        case.feature_set if case.live is None else case.live.feature_set,
        refresh_s=settings.model_refresh_s,
        warn=warn,
        try_out=machine,
        patient=patient,
    )


class Consumed(Tally, kw_only=True):
    """A worker's tally after `seconds`; `records_per_s` excludes idle time."""

    seconds: float
    records_per_s: float


def consume(  # noqa: PLR0913 - the settings, and what they leave open
    settings: Settings,
    address: str | Path,
    case: "Case",
    warn: Callable[[str], None],
    until: Until,
    batch_records: int,
) -> Tally:
    """Score the records of a case until `until` returns true, `batch_records` per commit at most.

    Missing topics are created. Raises BadInputError for a case without a stream.
    """
    stream = stream_of(case)

    def machine(model: Model | None) -> RecordScorer:
        return RecordScorer(case.name, stream.contract, model)

    champion = champion_of(settings, case, warn, patient=False)
    champion.bring(())
    if champion.model is None:
        warn(
            f"case {case.name} has no champion: records get the verdict NO_MODEL. "
            f"Train first (`barograph train --case {case.name}`)."
        )
    route = Route(
        group=scorer_group(case.name),
        source=stream.source,
        target=stream.target,
        dead_letters=stream.dead_letters,
        stamp="scored_time_ns",
        cost="inference_ns",
        count=count_predictions,
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


def feed_through(running: Pipeline, take: Callable[[], Summary], *, live: bool) -> Summary:
    """Run a feed with the stages beside it if `live`, else before them.

    In one process the threads contend for the interpreter: side by side a replay takes a fifth to a
    half more processor time than one after the other.
    """
    if live:
        with running:
            return take()
    summary = take()
    running.fed()
    with running:
        return summary
