"""The drift of one series for its monitor, and among the metrics."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from barograph import telemetry
from barograph.cases.case import live_of
from barograph.deadline import MEASURED, Deadline
from barograph.errors import BarographError
from barograph.log import Log, open_log
from barograph.pipeline.drift_watch import DriftWatch
from barograph.pipeline.monitor import Measures
from barograph.registry.registry import Registry

if TYPE_CHECKING:  # every caller has imported it
    from barograph.cases.case import Case

_LEAVE_S = 2.0


class DriftMeasures:
    """Measures the drift of a case, with a log connection of its own.

    `measure` returns what `DriftWatch.measures` does. The log is opened by the first call, in the
    thread that calls, of which there may be one; after an error the next call opens it again.
    `close` may be called by another thread. A champion whose reference cannot judge a key is
    reported to `warn`, once.
    """

    def __init__(
        self,
        address: str | Path,
        registry: Registry,
        case: "Case",
        warn: Callable[[str], None],
        deadline: Deadline | None = None,
    ) -> None:
        self._deadline = deadline or Deadline()
        self._address, self._case, self._warn = address, case, warn
        self._warned = ""
        self._registry = registry
        self._log: Log | None = None
        self._watch: DriftWatch | None = None
        self._counted: dict[str, int] = {}
        self._guard = threading.Lock()

    def measure(self) -> Measures:
        """Look, show the drift among the metrics, and return it. Raises LogError."""
        with self._guard:
            try:
                watch = self._looked()
            except BarographError:
                self._close()
                raise
            measures = watch.measures()
            self._warn_of_lacking(watch)
            self._show(measures, watch.out_of_range())
            return measures

    def close(self) -> None:
        """Close the log, if it is open.

        Waits two seconds for a call that is under way, and not beyond `deadline`; then the end of
        the process closes it.
        """
        if self._guard.acquire(timeout=self._deadline.left_s(_LEAVE_S, MEASURED)):
            try:
                self._close()
            finally:
                self._guard.release()

    def _looked(self) -> DriftWatch:
        if self._watch is None:
            self._log = open_log(self._address)
            live = live_of(self._case)
            self._watch = DriftWatch(self._log, live, self._registry, self._case.name)
        self._watch.look()
        return self._watch

    def _close(self) -> None:
        log, self._log, self._watch = self._log, None, None
        if log is not None:
            log.close()

    def _warn_of_lacking(self, watch: DriftWatch) -> None:
        lacking = "; ".join(f"{key}: {of}" for key, of in watch.lacking().items())
        if lacking and lacking != self._warned:
            self._warn(f"drift of {watch.windows.model} is not judged: {lacking}")
        self._warned = lacking or self._warned

    def _show(self, measures: Measures, outside: Mapping[str, int]) -> None:
        case = self._case.name
        for gauge, name in (
            (telemetry.DRIFT_RATIO, "data_drift_ratio"),
            (telemetry.DRIFT_ALARM, "drift_alarm"),
            (telemetry.DRIFT_JUDGED, "drift_judged"),
        ):
            value = measures.get(name)
            if value is None:
                gauge.remove(case)
            else:
                gauge.set(value, case)
        for feature, total in outside.items():
            before = self._counted.get(feature, 0)
            # The counts of a new champion begin at 0.
            grown = total - before if total >= before else total
            telemetry.FEATURE_OOD.add(grown, case, feature)
        self._counted = dict(outside)
