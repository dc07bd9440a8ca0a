"""Live drift as machines: the last window of each key, tested when an interval closes.

No clock and no log: what they say follows from the rows and predictions that they were given.
"""

from collections import deque
from collections.abc import Iterable

import msgspec
import numpy as np

from barograph.arrays import Int64
from barograph.cases.live_series import LiveSeries
from barograph.codec import UNREADABLE
from barograph.evaluation.drift import Finding, KeyReference, Reference, encoded, findings
from barograph.evaluation.drift_counts import BINS
from barograph.evaluation.labels import came_due
from barograph.registry.model import sha256_of
from barograph.types import FeatureRow, Prediction

RELEASE = 0.5
"""An alarm ends when no test of its key reaches this strength any more."""

CONFIRMED_BY = 2
"""An alarm begins when so many intervals in a row have a test at its limit."""

CALIBRATION = "calibration"
"""Column and statistic of a finding about matured forecasts."""


class _Interval(msgspec.Struct):
    """What was counted of one key in one interval."""

    interval: int
    rows: int
    bins: list[list[int]]
    outside: list[int]
    out_of_range: float


class _Matured(msgspec.Struct):
    """Forecasts of one key that matured in one interval, and their sum of outcome − probability."""

    interval: int
    rows: int = 0
    residual: float = 0.0


class KeyState(msgspec.Struct, kw_only=True):
    """One key: its window, the tests of the last closed interval, and its alarm if there is one.

    `findings` are strongest first. `alarm_since` is the end of the interval with which the alarm
    began, in seconds since 1970. `waiting` forecasts are (due second, probability, tau).
    `reached` and `matured_reached` count intervals in a row with a test at its limit.
    `out_of_range` is the mean out-of-range share of the rows of the last closed interval, `missing`
    the share of the window's rows without a value, by column.
    """

    window: list[_Interval] = []
    matured: list[_Matured] = []
    waiting: list[tuple[int, float, float]] = []
    last_row: int = -1
    last_prediction: int = -1
    reached: int = 0
    matured_reached: int = 0
    findings: list[Finding] = []
    calibration: list[Finding] = []
    alarm_since: int | None = None
    out_of_range: float | None = None
    missing: dict[str, float] = {}


class _Dump(msgspec.Struct):
    reference_sha256: str
    model: str
    keys: dict[str, KeyState]
    outside: dict[str, int]


class DriftWindows:
    """Tests rows and predictions of a series against the reference of its model.

    `outside` counts values beyond the reference's range by column, since the reference was swapped
    in. A key that the reference does not have is not tested. Not thread-safe.
    """

    def __init__(
        self, live: LiveSeries, reference: Reference | None = None, model: str = ""
    ) -> None:
        self._live = live
        self._places = live.places
        self.swap(reference, model)

    def swap(self, reference: Reference | None, model: str) -> None:
        """Test against another reference from the next row on; its windows begin empty.

        model: the label of the predictions whose calibration is tested.
        """
        self.reference, self.model = reference, model
        self.keys: dict[str, KeyState] = {}
        self.outside: dict[str, int] = {}
        self._columns: dict[str, list[int]] = {}
        if reference is not None and reference.feature_set != self._live.feature_set:
            self.reference = None
            return
        for key, of in ({} if reference is None else reference.keys).items():
            self._columns[key] = [self._places[one.column] for one in of.columns.values()]
        self._grids = {
            key: of.grid() for key, of in ({} if reference is None else reference.keys).items()
        }

    def take_rows(self, rows: Iterable[FeatureRow]) -> None:
        """Count rows, in the order of each key's seconds; test a window when its interval closes.

        A row before the last interval of its key begins another session: the window is emptied.
        A row that came before is passed over, and so is one of another feature set.
        """
        reference = self.reference
        if reference is None:
            return
        for row in rows:
            if row.product in self._columns and row.feature_set == self._live.feature_set:
                self._take_row(reference, row)

    def _take_row(self, reference: Reference, row: FeatureRow) -> None:
        of, state = reference.keys[row.product], self.keys.setdefault(row.product, KeyState())
        interval = row.second // reference.cadence.interval_s
        if state.window and interval < state.window[-1].interval:
            self.keys[row.product] = state = KeyState()
        if row.second <= state.last_row:
            return
        state.last_row = row.second
        if not state.window or interval > state.window[-1].interval:
            if state.window:
                self._close(reference, row.product, of, state)
            columns = len(of.columns)
            state.window.append(
                _Interval(interval, 0, [[0] * (BINS + 1) for _ in range(columns)], [0] * columns, 0)
            )
        self._count(row, of, state.window[-1])

    def _count(self, row: FeatureRow, of: KeyReference, into: _Interval) -> None:
        cut = self._grids[row.product]
        values = np.array([row.values[place] for place in self._columns[row.product]], np.float64)
        outside = cut.outside(values)
        into.rows += 1
        for place, number in enumerate(cut.of_bins(values).tolist()):
            into.bins[place][number] += 1
        known = int((~np.isnan(values)).sum())
        into.out_of_range += float(outside.sum()) / known if known else 0.0
        if outside.any():
            names = list(of.columns)
            for place in np.flatnonzero(outside).tolist():
                into.outside[place] += 1
                self.outside[names[place]] = self.outside.get(names[place], 0) + 1

    def _close(self, reference: Reference, key: str, of: KeyReference, state: KeyState) -> None:
        """Test the window that ends with the last interval."""
        cadence, last = reference.cadence, state.window[-1]
        state.window = [
            one for one in state.window if one.interval > last.interval - cadence.intervals
        ]
        bins: Int64 = np.sum([one.bins for one in state.window], axis=0, dtype=np.int64)
        rows = sum(one.rows for one in state.window)
        state.findings = _strongest(findings(key, of, bins, cadence))
        state.out_of_range = last.out_of_range / last.rows
        state.missing = {
            name: missing / rows
            for name, missing in zip(of.columns, bins[:, BINS].tolist(), strict=True)
        }
        state.reached = _in_a_row(state.reached, state.findings)
        self._settle(state, (last.interval + 1) * cadence.interval_s)

    def take_predictions(self, predictions: Iterable[Prediction]) -> None:
        """Take the model's predictions, in the order of each key's seconds; mature earlier ones."""
        reference = self.reference
        if reference is None:
            return
        for prediction in predictions:
            of = reference.keys.get(prediction.product)
            if prediction.model == self.model and of is not None and of.calibration is not None:
                self._take_prediction(reference, prediction, of)

    def _take_prediction(self, reference: Reference, one: Prediction, of: KeyReference) -> None:
        state = self.keys.setdefault(one.product, KeyState())
        interval_s = reference.cadence.interval_s
        interval = one.second // interval_s
        if state.matured and interval < state.matured[-1].interval:
            state.matured, state.waiting, state.last_prediction = [], [], -1
        if one.second <= state.last_prediction:
            return
        state.last_prediction = one.second
        if not state.matured or interval > state.matured[-1].interval:
            if state.matured:
                self._close_matured(reference, one.product, of, state)
            state.matured.append(_Matured(interval))
        due = deque(second for second, _, _ in state.waiting)
        came = came_due(due, one.second)
        passed = len(state.waiting) - len(due)
        if came and one.value_now is not None:
            _, probability, tau = state.waiting[passed - 1]
            state.matured[-1].rows += 1
            state.matured[-1].residual += float(one.value_now >= tau) - probability
        del state.waiting[:passed]
        if one.probability is not None and one.tau is not None:
            state.waiting.append((one.second + one.horizon_s, one.probability, one.tau))

    def _close_matured(
        self, reference: Reference, key: str, of: KeyReference, state: KeyState
    ) -> None:
        cadence, last = reference.cadence, state.matured[-1].interval
        state.matured = [one for one in state.matured if one.interval > last - cadence.intervals]
        rows = sum(one.rows for one in state.matured)
        residual = sum(one.residual for one in state.matured)
        strength = (
            None if of.calibration is None else of.calibration.strength(residual, rows, cadence)
        )
        state.calibration = []
        if strength is not None:
            state.calibration = [
                Finding(
                    key=key,
                    column=CALIBRATION,
                    statistic="residual",
                    value=residual / rows,
                    strength=strength,
                )
            ]
        state.matured_reached = _in_a_row(state.matured_reached, state.calibration)
        self._settle(state, (last + 1) * cadence.interval_s)

    def _settle(self, state: KeyState, end_second: int) -> None:
        """Begin or end the alarm of a key."""
        tests = state.findings + state.calibration
        strongest = max((one.strength for one in tests), default=0.0)
        confirmed = max(state.reached, state.matured_reached) >= CONFIRMED_BY
        if state.alarm_since is None and confirmed:
            state.alarm_since = end_second
        elif state.alarm_since is not None and strongest < RELEASE:
            state.alarm_since = None

    def dump(self) -> bytes:
        """Serialise all windows and alarms."""
        reference = b"" if self.reference is None else encoded(self.reference)
        return msgspec.json.encode(_Dump(sha256_of(reference), self.model, self.keys, self.outside))

    def load(self, state: bytes) -> bool:
        """Take up what `dump` wrote for the same reference and model; False for any other.

        Raises ValueError if it is damaged.
        """
        try:
            dump = msgspec.json.decode(state, type=_Dump)
        except UNREADABLE as error:
            raise ValueError(str(error)) from error
        reference = b"" if self.reference is None else encoded(self.reference)
        if (dump.reference_sha256, dump.model) != (sha256_of(reference), self.model):
            return False
        self.keys, self.outside = dump.keys, dump.outside
        return True


def _in_a_row(before: int, of: list[Finding]) -> int:
    """Intervals in a row with a test at its limit, where there were `before`."""
    return before + 1 if any(one.strength >= 1 for one in of) else 0


def _strongest(of: Iterable[Finding]) -> list[Finding]:
    return sorted(of, key=lambda one: (-one.strength, one.column, one.statistic))
