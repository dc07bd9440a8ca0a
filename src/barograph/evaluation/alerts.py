"""Alerts: from when to when a series' probability stood over its threshold, and if that was right.

An alarm is a single prediction at or above its threshold; an alert is an unbroken run of them, with
hysteresis, so that a probability that trembles around the threshold is one alert and not twenty.
"""

import msgspec

from barograph.alert_records import Change, Ending, Judgement
from barograph.codec import UNREADABLE
from barograph.types import MAX_PRODUCTS, NS_PER_S, Prediction, Verdict

RELEASE = 0.8
"""An alert ends when the probability falls below this share of the threshold."""


_KEPT_MODELS = 4
"""Of a product's models so many have their judged alerts counted."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert of one product; (`product`, `started_ns`, `model`) is its identity.

    Times are event times in Unix nanoseconds. `probability` is that of its first alarm, `peak` the
    highest so far, `alarms` how many predictions reached the threshold. `ended_ns` and `ending` are
    None while it lasts; `why` says what ended it: `calm`, a verdict, `missing`, `silent`, `model`.
    `judgement` is None until the outcomes of its alarms decide, a horizon after the first at the
    earliest: right if one reached tau, wrong if all were observed and none did, else unknown.
    `right` and `wrong` count the judged alerts of this model on this product so far.
    """

    product: str
    model: str
    started_ns: int
    probability: float
    peak: float
    alarms: int
    threshold: float | None
    tau: float | None
    horizon_s: int
    mid: float | None
    ended_ns: int | None = None
    ending: Ending | None = None
    why: str = ""
    judgement: Judgement | None = None
    right: int = 0
    wrong: int = 0

    def lasted_s(self, now_ns: int) -> float:
        """Seconds from its first alarm to its end, or to `now_ns` while it lasts."""
        return max(0, (self.ended_ns or now_ns) - self.started_ns) / NS_PER_S


AlertChange = tuple[Change, Alert]
"""What happened, and the alert as it stands since."""


class _Followed(msgspec.Struct):
    """An alert with the outcomes it waits for: (second, tau).

    `lost`: one was not observed. `hit`: one reached tau.
    """

    alert: Alert
    due: list[tuple[int, float]]
    lost: bool = False
    hit: bool = False


class _Series(msgspec.Struct):
    """A product: its last prediction, the open alert, and ended ones that are not judged yet.

    `pending` is a run of alarms that is too short for an alert yet; `judged` counts the alerts that
    were right and wrong by model, of the last few models.
    """

    second: int
    event_time_ns: int
    current: _Followed | None = None
    pending: _Followed | None = None
    ended: list[_Followed] = []
    judged: dict[str, tuple[int, int]] = {}


class AlertMachine:
    """Predictions in, alerts out. No clock and no I/O; `dump` and `load` carry its state.

    An alert begins once alarms have followed each other for `after_s` seconds, with the first where
    that is 0; its start is that of the first of them. It ends when the probability falls below
    `release` times the threshold, when a prediction has no probability, when one is missing (rows
    are `step_s` seconds apart), or when another model predicts. Each ends once and is judged once.
    Of predictions for one second the first counts; at most MAX_PRODUCTS products are followed,
    others are ignored.
    """

    def __init__(self, *, step_s: int = 1, release: float = RELEASE, after_s: float = 0.0) -> None:
        self._step_s, self._release = step_s, release
        self._after_ns = int(after_s * NS_PER_S)
        self._series: dict[str, _Series] = {}

    def take(self, prediction: Prediction) -> list[AlertChange]:
        """Take the next prediction; return what it began, ended and judged, in order."""
        series = self._series.get(prediction.product)
        if series is None:
            if len(self._series) == MAX_PRODUCTS:
                return []
            series = _Series(prediction.second - self._step_s, prediction.event_time_ns)
            self._series[prediction.product] = series
        elif prediction.second <= series.second:
            return []
        changed: list[AlertChange] = []
        if series.current is not None:
            changed += self._ended_by(series, series.current, prediction)
        elif series.pending is not None and not self._goes_on(series, series.pending, prediction):
            series.pending = None
        series.second, series.event_time_ns = prediction.second, prediction.event_time_ns
        changed += _judged(series, prediction)
        current = series.current or series.pending
        if current is not None and prediction.probability is not None:
            peak = max(current.alert.peak, prediction.probability)
            alarms = current.alert.alarms + prediction.alarm
            current.alert = msgspec.structs.replace(current.alert, peak=peak, alarms=alarms)
        elif prediction.alarm and prediction.probability is not None:
            begun = _begun(prediction, prediction.probability)
            current = series.pending = _Followed(begun, [])
        if current is not None and prediction.alarm:
            if prediction.tau is None:
                current.lost = True
            else:
                due = prediction.second + prediction.horizon_s
                current.due.append((due, prediction.tau))
        return changed + self._began(series, prediction)

    def expire(self, now_ns: int, after_s: float) -> list[AlertChange]:
        """End what waits for products without a prediction since `now_ns` − `after_s`, as unknown.

        now_ns: event time. Returns what this ended and judged.
        """
        changed: list[AlertChange] = []
        for series in self._series.values():
            if series.event_time_ns >= now_ns - after_s * NS_PER_S:
                continue
            series.pending = None
            if series.current is not None:
                changed.append(
                    _end(series, series.current, series.event_time_ns, Ending.UNKNOWN, "silent")
                )
            for followed in series.ended:
                followed.lost = True
                followed.due.clear()
            changed += _settled(series)
        return changed

    def open(self) -> list[Alert]:
        """Return the alerts that last, in the order of their products' first predictions."""
        return [each.current.alert for each in self._series.values() if each.current is not None]

    def dump(self) -> bytes:
        """Serialise the state."""
        return msgspec.msgpack.encode(self._series)

    def load(self, state: bytes) -> None:
        """Restore a state. Raises ValueError for bytes that are none."""
        try:
            self._series = msgspec.msgpack.decode(state, type=dict[str, _Series])
        except UNREADABLE as error:
            raise ValueError(str(error)) from None

    def _goes_on(self, series: _Series, pending: _Followed, prediction: Prediction) -> bool:
        """Whether this prediction is the next alarm of the run that is pending."""
        follows = prediction.second == series.second + self._step_s
        return follows and prediction.alarm and prediction.model == pending.alert.model

    def _began(self, series: _Series, prediction: Prediction) -> list[AlertChange]:
        """Begin an alert if the run that is pending is long enough now."""
        pending = series.pending
        if pending is None or (
            prediction.event_time_ns - pending.alert.started_ns < self._after_ns
        ):
            return []
        series.current, series.pending = pending, None
        right, wrong = series.judged.get(pending.alert.model, (0, 0))
        pending.alert = msgspec.structs.replace(pending.alert, right=right, wrong=wrong)
        began = [(Change.BEGAN, pending.alert)]
        return began + ([_judge(series, pending, Judgement.RIGHT)] if pending.hit else [])

    def _ended_by(
        self, series: _Series, current: _Followed, prediction: Prediction
    ) -> list[AlertChange]:
        """End the open alert if this prediction does."""
        probability, threshold = prediction.probability, prediction.threshold
        if prediction.second != series.second + self._step_s:
            return [_end(series, current, series.event_time_ns, Ending.UNKNOWN, "missing")]
        if prediction.verdict is not Verdict.PREDICTED or probability is None:
            return [
                _end(series, current, prediction.event_time_ns, Ending.UNKNOWN, prediction.verdict)
            ]
        if prediction.model != current.alert.model:
            return [_end(series, current, prediction.event_time_ns, Ending.UNKNOWN, "model")]
        if not prediction.alarm and probability < self._release * (threshold or 0.0):
            return [_end(series, current, prediction.event_time_ns, Ending.CALM, "calm")]
        return []


def _begun(prediction: Prediction, probability: float) -> Alert:
    return Alert(
        product=prediction.product,
        model=prediction.model,
        started_ns=prediction.event_time_ns,
        probability=probability,
        peak=probability,
        alarms=1,
        threshold=prediction.threshold,
        tau=prediction.tau,
        horizon_s=prediction.horizon_s,
        mid=prediction.mid,
    )


def _end(
    series: _Series, followed: _Followed, ended_ns: int, ending: Ending, why: str
) -> AlertChange:
    followed.alert = msgspec.structs.replace(
        followed.alert, ended_ns=ended_ns, ending=ending, why=str(why)
    )
    series.current = None
    if followed.alert.judgement is None:
        series.ended.append(followed)
    return Change.ENDED, followed.alert


def _judged(series: _Series, prediction: Prediction) -> list[AlertChange]:
    """Take the outcome that this prediction observes; return what it decides."""
    changed: list[AlertChange] = []
    followed_now = [each for each in (series.current, series.pending) if each is not None]
    for followed in (*series.ended, *followed_now):
        while followed.due and followed.due[0][0] <= prediction.second:
            second, tau = followed.due.pop(0)
            if second < prediction.second or prediction.value_now is None:
                followed.lost = True
            else:
                followed.hit |= prediction.value_now >= tau
        decided = followed.hit and followed.alert.judgement is None
        if decided and followed is not series.pending:
            changed.append(_judge(series, followed, Judgement.RIGHT))
    return changed + _settled(series)


def _settled(series: _Series) -> list[AlertChange]:
    """Judge the ended alerts that wait for nothing more, and forget those that are judged."""
    changed: list[AlertChange] = []
    for followed in series.ended:
        if not followed.due and followed.alert.judgement is None:
            judgement = Judgement.UNKNOWN if followed.lost else Judgement.WRONG
            changed.append(_judge(series, followed, judgement))
    series.ended = [each for each in series.ended if each.alert.judgement is None]
    return changed


def _judge(series: _Series, followed: _Followed, judgement: Judgement) -> AlertChange:
    model = followed.alert.model
    right, wrong = series.judged.pop(model, (0, 0))
    right, wrong = right + (judgement is Judgement.RIGHT), wrong + (judgement is Judgement.WRONG)
    series.judged[model] = right, wrong  # behind the others: it was used last
    if len(series.judged) > _KEPT_MODELS:
        del series.judged[next(iter(series.judged))]
    followed.alert = msgspec.structs.replace(
        followed.alert, judgement=judgement, right=right, wrong=wrong
    )
    return Change.JUDGED, followed.alert
