"""What workers and followers add to the metrics, once for each batch."""

import time
from collections.abc import Sequence

import msgspec

from barograph import codec, telemetry
from barograph.log import Batch
from barograph.registry.model import Model
from barograph.types import APPENDED_TIME, NS_PER_S, DeadLetter, Fault, Record


class WorkerCounts:
    """The metrics of one consumer group in this process. Not thread-safe."""

    def __init__(self, group: str) -> None:
        self._group = group
        for counter in (telemetry.RECORDS, telemetry.VALUES, telemetry.COMMITS, telemetry.FENCED):
            counter.add(0, group)
        for change in ("assigned", "revoked"):
            telemetry.REBALANCES.add(0, group, change)
        telemetry.LATE.add(0, group)
        for fault in Fault:
            telemetry.DEAD_LETTERS.add(0, group, fault)

    def polled(self, batch: Batch) -> None:
        """Count the partitions that came and went with a poll."""
        if batch.assigned:
            telemetry.REBALANCES.add(len(batch.assigned), self._group, "assigned")
        if batch.revoked:
            telemetry.REBALANCES.add(len(batch.revoked), self._group, "revoked")

    def settled(
        self, records: Sequence[Record], values: int, letters: Sequence[DeadLetter], spent_ns: int
    ) -> None:
        """Count a batch that was committed: its records and what they came to.

        spent_ns: how long the machine took for them.
        """
        telemetry.RECORDS.add(len(records), self._group)
        telemetry.WORK_SECONDS.add(spent_ns / NS_PER_S, self._group)
        for letter in letters:
            telemetry.DEAD_LETTERS.add(1, self._group, letter.fault)
            if letter.fault is Fault.LATE:
                telemetry.LATE.add(1, self._group)
        if not values:
            return
        telemetry.VALUES.add(values, self._group)
        appended_ns = codec.natural(records[0].headers.get(APPENDED_TIME))
        if appended_ns is not None:
            waited_s = (time.time_ns() - appended_ns) / NS_PER_S
            telemetry.STEP_LATENCY.observe(waited_s, self._group)

    def committed(self) -> None:
        """Count a commit."""
        telemetry.COMMITS.add(1, self._group)

    def fenced(self) -> None:
        """Count a commit that was refused."""
        telemetry.FENCED.add(1, self._group)

    def lag(self, records: int) -> None:
        """Show how many records are still to be read."""
        telemetry.LAG.set(records, self._group)


class _Scored(msgspec.Struct, gc=False):
    """Of a Prediction or RecordPrediction what is counted; `alarm` or `label` is there."""

    verdict: str
    probability: float | None
    alarm: bool = False
    label: bool = False
    receive_time_ns: int | None = None


_decode = msgspec.json.Decoder(_Scored).decode


class _Changed(msgspec.Struct, gc=False):
    """Of an AlertRecord what is counted."""

    rule: str
    change: str


_decode_alert = msgspec.json.Decoder(_Changed).decode


def count_predictions(group: str, values: Sequence[bytes]) -> None:
    """Count committed predictions of a series or of records, encoded by this version.

    Of a batch the newest probability and latency are observed, so that a backlog costs no more
    than a live second.
    """
    verdicts: dict[str, int] = {}
    alarms = 0
    newest: _Scored | None = None
    for value in values:
        scored = _decode(value)
        verdicts[scored.verdict] = verdicts.get(scored.verdict, 0) + 1
        alarms += scored.alarm or scored.label
        if scored.probability is not None:
            newest = scored
    for verdict, count in verdicts.items():
        telemetry.PREDICTIONS.add(count, group, verdict)
    telemetry.ALARMS.add(alarms, group)
    if newest is None or newest.probability is None:
        return
    now_ns = time.time_ns()
    telemetry.LAST_PREDICTION.set(now_ns / NS_PER_S, group)
    telemetry.PROBABILITY.observe(newest.probability, group)
    if newest.receive_time_ns is not None:
        waited_s = (now_ns - newest.receive_time_ns) / NS_PER_S
        telemetry.PREDICTION_LATENCY.observe(waited_s, group)


def count_alerts(_group: str, values: Sequence[bytes]) -> None:
    """Count committed changes of alerts, encoded by this version."""
    for value in values:
        alert = _decode_alert(value)
        telemetry.ALERTS.add(1, alert.rule, alert.change)


def show_model(alias: str, case: str, model: Model | None) -> None:
    """Show the version that an alias of a case stands for in this process; None: there is none."""
    telemetry.MODEL.set_only(1, alias, case, "none" if model is None else model.label)
    expires_ns = None if model is None else model.facts.expires_time_ns
    if expires_ns is None:
        telemetry.MODEL_EXPIRES.remove(alias, case)
    else:
        telemetry.MODEL_EXPIRES.set(expires_ns / NS_PER_S, alias, case)
