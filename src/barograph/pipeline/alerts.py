"""Alerts about predictions: a machine under the worker, from a series' predictions to `alerts`."""

from collections.abc import Mapping, Sequence

import msgspec

from barograph import codec
from barograph.alert_records import (
    FORECAST,
    PROBABILITY,
    AlertRecord,
    Change,
    Ending,
    Judgement,
    identity,
)
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

    `scale` is by how much a value is multiplied to be in `unit`. `limit` is the forecast value, in
    that of the predictions, from which there is an alert beside those of the probability; None for
    never.
    """

    case: str
    step_s: int
    horizon_s: int
    value: str = "the value"
    unit: str = ""
    scale: float = 1.0
    limit: float | None = None

    def text(self, value: float | None) -> str:
        """A value of the series with its unit, to three digits."""
        return "unknown" if value is None else f"{value * self.scale:.3g} {self.unit}".rstrip()


class _State(msgspec.Struct):
    machine: bytes
    looked: int
    forecasts: bytes = b""


class PredictionAlerts:
    """A machine: a series' predictions in, AlertRecords out, keyed by their id. No clock, no I/O.

    A product without a prediction for its horizon and a while of the event time of other products
    of the same partition is silent: its alert ends as unknown. A product that is alone ends its
    alert with its next prediction. release, after_s: those of the AlertMachine, which takes
    the forecast value and its limit as for the probability and its threshold.
    """

    def __init__(self, series: Series, *, release: float = RELEASE, after_s: float = 0.0) -> None:
        self._series = series
        self._machine = AlertMachine(step_s=series.step_s, release=release, after_s=after_s)
        self._forecasts = AlertMachine(step_s=series.step_s, release=release, after_s=after_s)
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
        limit = self._series.limit
        of_forecast = [] if limit is None else self._forecasts.take(_as_alarm(prediction, limit))
        if prediction.second // _LOOK_S != self._looked:
            self._looked = prediction.second // _LOOK_S
            changes += self._machine.expire(now_ns, self._silent_s)
            of_forecast += self._forecasts.expire(now_ns, self._silent_s)
        return [
            *(self._record(change, alert, now_ns) for change, alert in changes),
            *(self._forecast_record(change, alert, now_ns) for change, alert in of_forecast),
        ]

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

    def _forecast_record(self, change: Change, alert: Alert, now_ns: int) -> AlertRecord:
        fields = msgspec.structs.asdict(alert)
        product, value = fields.pop("product"), fields.pop("probability")
        limit = fields.pop("threshold")
        del fields["tau"]
        return AlertRecord(
            id=identity(FORECAST, self._series.case, product, alert.started_ns, alert.model),
            rule=FORECAST,
            case=self._series.case,
            subject=product,
            change=change,
            time_ns=now_ns,
            text=forecast_sentence(self._series, change, alert),
            value=value,
            limit=limit,
            **fields,
        )

    def snapshot(self) -> dict[str, bytes]:
        """Return the whole state as one checkpoint."""
        state = _State(self._machine.dump(), self._looked, self._forecasts.dump())
        return {STATE: msgspec.msgpack.encode(state)}

    def restore(self, checkpoints: Mapping[str, bytes]) -> None:
        """Restore the state. Raises ForeignStateError for a damaged or foreign one."""
        for key, checkpoint in checkpoints.items():
            try:
                state = msgspec.msgpack.decode(checkpoint, type=_State)
                self._machine.load(state.machine)
                if state.forecasts:  # states of earlier versions have none
                    self._forecasts.load(state.forecasts)
            except (*UNREADABLE, ValueError) as error:
                raise ForeignStateError(key) from error
            self._looked = state.looked


def _as_alarm(prediction: Prediction, limit: float) -> Prediction:
    """The prediction with its forecast value in place of the probability, and the limit of tau."""
    value = prediction.forecast
    return msgspec.structs.replace(
        prediction,
        probability=value,
        threshold=limit,
        tau=limit,
        alarm=value is not None and value >= limit,
    )


def forecast_sentence(series: Series, change: Change, alert: Alert) -> str:
    """One change of an alert about a forecast value in one plain sentence."""
    limit = series.text(alert.threshold)
    if change is Change.BEGAN:
        return (
            f"{one_line(alert.product)}: {series.value} is forecast to be "
            f"{series.text(alert.probability)} (limit {limit}) in the next "
            f"{duration(alert.horizon_s)}, since {clock_of(alert.started_ns)} UTC."
        )
    if change is Change.ENDED:
        return _ended(alert, "forecast", series.text(alert.peak))
    return _judged(series, alert, limit)


def _ended(alert: Alert, what: str, peak: str) -> str:
    reason = _REASONS.get(alert.why) or f"then there was no {what}: {one_line(alert.why)}"
    why = "" if alert.ending is Ending.CALM else f" ({reason})"
    lasted = duration(alert.lasted_s(0))
    return f"{_since(alert)} ended after {lasted}{why}; its highest {what} was {peak}."


def _judged(series: Series, alert: Alert, limit: str, name: str = "") -> str:
    since = _since(alert)
    if alert.judgement is Judgement.RIGHT:
        return f"{since} was right: {series.value} reached {name}{limit}."
    if alert.judgement is Judgement.WRONG:
        return f"{since} was a false alarm: {series.value} stayed below {limit}."
    return f"{since} cannot be judged: not all of its outcomes were observed."


def _since(alert: Alert) -> str:
    return f"{one_line(alert.product)}: the alert since {clock_of(alert.started_ns)} UTC"


def sentence(series: Series, change: Change, alert: Alert) -> str:
    """One change of an alert in one plain sentence, in printable characters."""
    tau = f"tau, {series.text(alert.tau)}"
    if change is Change.BEGAN:
        return (
            f"{one_line(alert.product)}: probability {figure(alert.probability, 0, share=True)} "
            f"(threshold {figure(alert.threshold, 0, share=True)}) that {series.value} reaches "
            f"{tau}, within {duration(alert.horizon_s)}, since {clock_of(alert.started_ns)} UTC."
        )
    if change is Change.ENDED:
        return _ended(alert, "probability", figure(alert.peak, 0, share=True))
    return _judged(series, alert, series.text(alert.tau), "tau, ")
