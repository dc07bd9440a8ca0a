"""The three stages of a series: featurizer, scorer and shadow, each on a log of its own."""

import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

import msgspec

from barograph.cases.live_series import LiveSeries
from barograph.errors import BadInputError
from barograph.log import Log
from barograph.pipeline.case_topics import ensure_series
from barograph.pipeline.counted import count_predictions
from barograph.pipeline.follower import Follower
from barograph.pipeline.scorer import Scorer
from barograph.pipeline.shadow import Shadow
from barograph.pipeline.stage_ground import Ground
from barograph.pipeline.worker import M, Route, Tally, Until

_SHADOW_LINGER_S = 0.1
"""The champion's prediction of the same row goes first."""


def featurize_route(live: LiveSeries) -> Route:
    """Return the featurizer's route: from the source topic to the rows."""
    return _route(live, "featurizer", live.source, live.rows, "featurized_time_ns")


def score_route(live: LiveSeries) -> Route:
    """Return the scorer's route: from rows to the champion's predictions."""
    return _scoring(_route(live, "scorer", live.rows, live.predictions, "scored_time_ns"))


def shadow_route(live: LiveSeries) -> Route:
    """Return the shadow's route: from rows to the candidate's predictions."""
    route = _scoring(_route(live, "shadow", live.rows, live.shadow, "scored_time_ns"))
    return msgspec.structs.replace(route, linger_s=_SHADOW_LINGER_S)


def groups_at_work(log: Log, live: LiveSeries, topics: Collection[str]) -> dict[str, str]:
    """The groups of featurizer and scorer that ever committed, each with the topic that it reads.

    topics: those that the log has.
    """
    return {
        route.group: route.source
        for route in (featurize_route(live), score_route(live))
        if route.source in topics and log.positions(route.group, route.source)
    }


def _scoring(route: Route) -> Route:
    return msgspec.structs.replace(route, count=count_predictions)


def _route(live: LiveSeries, stage: str, source: str, target: str, stamp: str) -> Route:
    return Route(
        group=f"{live.group_prefix}{stage}",
        source=source,
        target=target,
        dead_letters=live.dead_letters,
        stamp=stamp,
    )


class Stages(msgspec.Struct, frozen=True, kw_only=True):
    """What the stages of a series run on: a log's address and what the settings say.

    wait_s: how long a poll waits for records; a stage that ends with them ends that much later.
    """

    live: LiveSeries
    address: str | Path
    champion: Follower
    candidate: Follower
    warn: Callable[[str], None]
    stale_after_s: float
    batch_records: int
    lease_s: float
    patient: bool = False
    wait_s: float = 0.25

    def featurize(self, until: Until) -> Tally:
        """Run the featurizer until stopped. Raises BadInputError for rows of another case."""
        if self.live.machine is None:
            raise BadInputError(
                self.live.rows, "another case makes these rows", "Featurize that one"
            )
        return self._work(featurize_route(self.live), self.live.machine, until)

    def score(self, until: Until) -> Tally:
        """Run the scorer until stopped."""
        return self._follow(score_route(self.live), self._scorer, until, self.champion)

    def score_again(self, until: Until) -> Tally:
        """Score all rows that the log keeps, the oldest first, with the champion of now.

        It works as a group of its own, so the scorer's own place stays where it is. Predictions are
        written behind those that are there; of one model's twice for a second, the first counts.
        """
        route = score_route(self.live)
        route = msgspec.structs.replace(route, group=f"{route.group}-again-{time.time_ns()}")
        return self._follow(route, self._scorer, until, self.champion)

    def _scorer(self) -> Scorer:
        return Scorer(self.live, self.champion.model, stale_after_s=self.stale_after_s)

    def shadow(self, until: Until) -> Tally:
        """Run the shadow until stopped: score with the candidate while there is one."""

        def machine() -> Shadow:
            return Shadow(self.live, self.candidate.model, stale_after_s=self.stale_after_s)

        return self._follow(shadow_route(self.live), machine, until, self.candidate)

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
        ground = Ground(
            self.address,
            lambda log: ensure_series(log, self.live),
            self.warn,
            batch_records=self.batch_records,
            lease_s=self.lease_s,
            patient=self.patient,
            wait_s=self.wait_s,
        )
        return ground.work(route, new_machine, until, before_poll)
