"""The drift of one series for its monitor, and among the metrics."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from barograph import telemetry
from barograph.cases.case import live_of
from barograph.errors import BarographError
from barograph.log import Log, open_log
from barograph.pipeline.drift_watch import DriftWatch
from barograph.pipeline.monitor import Measures
from barograph.registry.registry import Registry

if TYPE_CHECKING:  # every caller has imported it
    from barograph.cases.case import Case


class DriftMeasures:
    """Measures the drift of a case, with a log connection of its own. Not thread-safe.

    `measure` returns what `DriftWatch.measures` does. The log is opened by the first call, in the
    thread that calls; after an error the next call opens it again. A champion whose reference
    cannot judge a key is reported to `warn`, once.
    """

    def __init__(
        self, address: str | Path, home: Path, case: "Case", warn: Callable[[str], None]
    ) -> None:
        self._address, self._case, self._warn = address, case, warn
        self._warned = ""
        self._registry = Registry(home)
        self._log: Log | None = None
        self._watch: DriftWatch | None = None
        self._counted: dict[str, int] = {}

    def measure(self) -> Measures:
        """Look, show the drift among the metrics, and return it. Raises LogError."""
        try:
            if self._watch is None:
                self._log = open_log(self._address)
                live = live_of(self._case)
                self._watch = DriftWatch(self._log, live, self._registry, self._case.name)
            self._watch.look()
        except BarographError:
            self.close()
            raise
        measures = self._watch.measures()
        self._warn_of_lacking(self._watch)
        self._show(measures, self._watch.out_of_range())
        return measures

    def close(self) -> None:
        """Close the log, if it is open."""
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
