"""Alerts about predictions: a machine under the worker, from a series' predictions to `alerts`."""

from collections.abc import Mapping, Sequence

import msgspec

from barograph import codec
from barograph.alert_records import PROBABILITY, AlertRecord, Change, Ending, Judgement, identity
from barograph.codec import UNREADABLE, UnreadableError
from barograph.errors import ForeignStateError
from barograph.evaluation.alerts import RELEASE, Alert, AlertMachine
from barograph.figures import duration, figure
from barograph.foreign import one_line
from barograph.times import clock_of
from barograph.types import DeadLetter, Outcome, Prediction, Record

STATE = "alerts"
"""The key of the machine's one checkpoint."""

_LOOK_S = 10
"""Event time is looked at for silent products at each multiple of so many seconds."""

_SILENT_STEPS, _SILENT_S = 2, 30


_REASONS = {
    "missing": "then rows were missing",
    "silent": "then the product fell silent",
    "model": "then another model spoke",
}
"""Why an alert ended that did not end by a low probability; other words are verdicts."""


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """What an alert says of a series: its case, step and horizon, and the value that it forecasts.

    `scale` is by how much a value is multiplied to be in `unit`.
    """

    case: str
    step_s: int
    horizon_s: int
    value: str = "the value"
    unit: str = ""
    scale: float = 1.0

    def text(self, value: float | None) -> str:
        """A value of the series with its unit, to three digits."""
        return "unknown" if value is None else f"{value * self.scale:.3g} {self.unit}".rstrip()


class _State(msgspec.Struct):
    machine: bytes
    looked: int


class PredictionAlerts:
    """A machine: a series' predictions in, AlertRecords out, keyed by their id. No clock, no I/O.

    A product without a prediction for its horizon and a while of the event time of other products
    of the same partition is silent: its alert ends as unknown. A product that is alone ends its
    alert with its next prediction. release, after_s: those of the AlertMachine.
    """

    def __init__(self, series: Series, *, release: float = RELEASE, after_s: float = 0.0) -> None:
        self._series = series
        self._machine = AlertMachine(step_s=series.step_s, release=release, after_s=after_s)
        self._silent_s = series.horizon_s + max(_SILENT_S, _SILENT_STEPS * series.step_s)
        self._looked = 0

    def receive(self, records: Sequence[Record]) -> Outcome:
        """Return a record for each change, and dead letters for what is no prediction."""
        values: list[tuple[str, bytes]] = []
        dead_letters: list[DeadLetter] = []
        for record in records:
            try:
                prediction = codec.decode_prediction.of(record)
            except UnreadableError as error:
                dead_letters.append(codec.dead(record, error.fault, error.detail))
                continue
            values += [(each.id, codec.encode(each)) for each in self._changes(prediction)]
        return Outcome(values, dead_letters)

    def _changes(self, prediction: Prediction) -> list[AlertRecord]:
        now_ns = prediction.event_time_ns
        changes = self._machine.take(prediction)
        if prediction.second // _LOOK_S != self._looked:
            self._looked = prediction.second // _LOOK_S
            changes += self._machine.expire(now_ns, self._silent_s)
        return [self._record(change, alert, now_ns) for change, alert in changes]

    def _record(self, change: Change, alert: Alert, now_ns: int) -> AlertRecord:
        fields = msgspec.structs.asdict(alert)
        product = fields.pop("product")
        return AlertRecord(
            id=identity(PROBABILITY, self._series.case, product, alert.started_ns, alert.model),
            rule=PROBABILITY,
            case=self._series.case,
            subject=product,
            change=change,
            time_ns=now_ns,
            text=sentence(self._series, change, alert),
            **fields,
        )

    def snapshot(self) -> dict[str, bytes]:
        """Return the whole state as one checkpoint."""
        state = _State(self._machine.dump(), self._looked)
        return {STATE: msgspec.msgpack.encode(state)}

    def restore(self, checkpoints: Mapping[str, bytes]) -> None:
        """Restore the state. Raises ForeignStateError for a damaged or foreign one."""
        for key, checkpoint in checkpoints.items():
            try:
                state = msgspec.msgpack.decode(checkpoint, type=_State)
                self._machine.load(state.machine)
            except (*UNREADABLE, ValueError) as error:
                raise ForeignStateError(key) from error
            self._looked = state.looked


def sentence(series: Series, change: Change, alert: Alert) -> str:
    """One change of an alert in one plain sentence, in printable characters."""
    product = one_line(alert.product)
    if change is Change.BEGAN:
        return (
            f"{product}: probability {figure(alert.probability, 0, share=True)} (threshold "
            f"{figure(alert.threshold, 0, share=True)}) that {series.value} reaches tau, "
            f"{series.text(alert.tau)}, within {duration(alert.horizon_s)}, "
            f"since {clock_of(alert.started_ns)} UTC."
        )
    since = f"{product}: the alert since {clock_of(alert.started_ns)} UTC"
    if change is Change.ENDED:
        after = duration(alert.lasted_s(0))
        peak = f"its highest probability was {figure(alert.peak, 0, share=True)}"
        reason = _REASONS.get(alert.why) or f"then there was no probability: {one_line(alert.why)}"
        why = "" if alert.ending is Ending.CALM else f" ({reason})"
        return f"{since} ended after {after}{why}; {peak}."
    if alert.judgement is Judgement.RIGHT:
        return f"{since} was right: {series.value} reached tau, {series.text(alert.tau)}."
    if alert.judgement is Judgement.WRONG:
        return f"{since} was a false alarm: {series.value} stayed below {series.text(alert.tau)}."
    return f"{since} cannot be judged: not all of its outcomes were observed."
