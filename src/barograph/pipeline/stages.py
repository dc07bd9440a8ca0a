"""The three stages beside a feed: featurizer, scorer and shadow, each on a log of its own."""

import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from barograph.features.featurizer import Featurizer
from barograph.log import open_log
from barograph.log.topics import (
    DEAD_LETTERS,
    FEATURES,
    PREDICTIONS,
    SHADOW,
    TICKS,
    ensure_shadow,
)
from barograph.pipeline.follower import Follower
from barograph.pipeline.scorer import Scorer
from barograph.pipeline.shadow import Shadow
from barograph.pipeline.stage_outage import through_outages
from barograph.pipeline.worker import M, Route, Tally, Until, work

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
