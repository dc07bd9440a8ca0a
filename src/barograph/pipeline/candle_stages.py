"""The stages that make candles of the log's own ticks, and compare them with those of a service."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from barograph import telemetry
from barograph.codec import decode_candle_check
from barograph.evaluation.candle_checks import CandleChecks, in_words
from barograph.feature_set.hourly.from_ticks import TickCandles
from barograph.log import Log
from barograph.log.topics import (
    CANDLE_CHECKS,
    CANDLE_LETTERS,
    CANDLES,
    TICKS,
    ensure_candle_topics,
    ensure_topics,
)
from barograph.machine import Machine
from barograph.pipeline.stage_ground import Ground
from barograph.pipeline.worker import Route, Tally, Until

CANDLE_ROUTE = Route(
    group="hourly-candles",
    source=TICKS,
    target=CANDLES,
    dead_letters=CANDLE_LETTERS,
    stamp="closed_time_ns",
)
"""From ticks to candles."""


CHECK_ROUTE = Route(
    group="hourly-checks",
    source=CANDLES,
    target=CANDLE_CHECKS,
    dead_letters=CANDLE_LETTERS,
    stamp="checked_time_ns",
)
"""From candles to what they say beside each other."""


_NAMED = 5
"""Of a batch so many hours that differ are named."""


class CandleStages(msgspec.Struct, frozen=True, kw_only=True):
    """What makes and compares candles: a log's address and what the settings say.

    partitions: of the market's topics, where the log has none yet. patient: wait for a log that is
    unavailable; otherwise each stage raises LogUnavailableError.
    """

    address: str | Path
    warn: Callable[[str], None]
    partitions: int
    batch_records: int
    lease_s: float
    patient: bool = False

    def candles(self, until: Until) -> Tally:
        """Make candles of the ticks until stopped."""
        return self._work(CANDLE_ROUTE, TickCandles, until)

    def checks(self, until: Until) -> Tally:
        """Compare candles of ticks with those of services until stopped; `warn` of differences."""
        route = msgspec.structs.replace(CHECK_ROUTE, count=self._count)
        return self._work(route, CandleChecks, until)

    def prepare(self, until: Until) -> None:
        """Make the topics of ticks and candles there, for others that read them."""
        self._ground().prepare(until, CANDLE_ROUTE.group)

    def _count(self, _group: str, values: Sequence[bytes]) -> None:
        """Count committed checks, and name the first of a batch that differ."""
        checks = [decode_candle_check(value) for value in values]
        differing = [check for check in checks if check.differences]
        telemetry.CANDLE_CHECKS.add(len(checks) - len(differing), "same")
        telemetry.CANDLE_CHECKS.add(len(differing), "differs")
        for check in differing[:_NAMED]:
            self.warn(f"a candle of our ticks differs: {in_words(check)}")
        if len(differing) > _NAMED:
            self.warn(f"{len(differing) - _NAMED:,} more candles differ: see {CANDLE_CHECKS}")

    def _work(self, route: Route, new_machine: Callable[[], Machine], until: Until) -> Tally:
        return self._ground().work(route, new_machine, until)

    def _ground(self) -> Ground:
        def ensure(log: Log) -> None:
            ensure_topics(log, self.partitions)
            ensure_candle_topics(log)

        return Ground(
            self.address,
            ensure,
            self.warn,
            batch_records=self.batch_records,
            lease_s=self.lease_s,
            patient=self.patient,
        )
