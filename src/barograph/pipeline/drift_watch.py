"""Live drift, followed in a log: the rows and predictions of a series against its champion.

It has no group, so it commits nothing and is lost with its process; a start reads the last window
back. `measures` and `facts` are what a monitor writes about it.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from barograph import codec
from barograph.cases.live_series import LiveSeries
from barograph.codec import Reader, UnreadableError
from barograph.errors import RegistryError
from barograph.evaluation.drift import EXCEEDANCE, Finding, Lacking
from barograph.log import Log, browse
from barograph.pipeline.drift_windows import DriftWindows
from barograph.registry.drift import WITHOUT, reference_of
from barograph.registry.registry import Registry
from barograph.types import Record

T = TypeVar("T")

MOST_READ_BACK = 20_000
"""Records of a topic that a start reads back, to fill the window."""

NO_CHAMPION = "there is no champion to compare with"


class DriftState(msgspec.Struct, frozen=True, kw_only=True):
    """The drift of one key at the end of its last closed interval.

    `findings` are all tests, strongest first; a strength of 1 is the limit. `alarm_since` is in
    seconds since 1970, None without an alarm. `out_of_range` is the mean share of a row's known
    values beyond the reference's range, over the last interval; `missing` maps columns to the share
    of the window's rows without a value.
    """

    key: str
    alarm_since: int | None
    findings: list[Finding]
    out_of_range: float | None
    missing: dict[str, float]


class DriftWatch:
    """Follows a series' rows and predictions, and the reference of the case's champion.

    A champion without a reference is no error: `problem` says so, and measures are None. Not
    thread-safe.
    """

    def __init__(self, log: Log, live: LiveSeries, registry: Registry, case: str) -> None:
        self._log, self._live, self._registry, self._case = log, live, registry, case
        self.windows = DriftWindows(live)
        self.problem = NO_CHAMPION
        self._version: int | None = None
        self._rows: browse.Tail | None = None
        self._predictions: browse.Tail | None = None

    def look(self) -> None:
        """Take in what was written since the last look, against the present champion.

        A registry that cannot be read is no error: the present reference stays, and `problem` says
        why. Raises LogError where the log cannot be read.
        """
        self._follow_champion()
        topics = {topic.name for topic in self._log.topics()}
        rows, predictions = self._live.rows, self._live.predictions
        if self._rows is None and rows in topics:
            self._rows = browse.Tail(self._log, rows)
            self.windows.take_rows(_readable(self._read_back(rows), codec.decode_row))
        elif self._rows is not None:
            self.windows.take_rows(_readable(self._rows.take(), codec.decode_row))
        if self._predictions is None and predictions in topics:
            self._predictions = browse.Tail(self._log, predictions)
            self.windows.take_predictions(
                _readable(self._read_back(predictions), codec.decode_prediction)
            )
        elif self._predictions is not None:
            self.windows.take_predictions(
                _readable(self._predictions.take(), codec.decode_prediction)
            )

    def states(self) -> list[DriftState]:
        """The drift of each key of the reference that has had rows."""
        return [
            DriftState(
                key=key,
                alarm_since=of.alarm_since,
                findings=sorted(
                    of.findings + of.calibration, key=lambda one: (-one.strength, one.column)
                ),
                out_of_range=of.out_of_range,
                missing=of.missing,
            )
            for key, of in sorted(self.windows.keys.items())
        ]

    def measures(self) -> dict[str, float | None]:
        """Numbers for a monitor; None is not known.

        `drift_alarm` is 1 while a key has an alarm, `drift_strength` the strongest test over its
        limit, `data_drift_ratio` the mean out-of-range share of the last interval's rows, and
        `drift_judged` 1 where the reference is long enough to judge every key, else 0; each also as
        "name:key". `tau_exceedance_strength:key` is the strongest test of how often tau is reached,
        `calibration_strength:key` that of the matured forecasts.
        """
        states = self.states()
        measures: dict[str, float | None] = {
            "drift_alarm": _highest([_alarm(one) for one in states]),
            "drift_strength": _highest([_strength(one.findings) for one in states]),
            "data_drift_ratio": _highest([one.out_of_range for one in states]),
            "drift_judged": None,
        }
        if (reference := self.windows.reference) is not None:
            lacking = self.lacking()
            measures["drift_judged"] = float(not lacking)
            measures |= {f"drift_judged:{key}": float(key not in lacking) for key in reference.keys}
        for one in states:
            tau = [each for each in one.findings if each.column == EXCEEDANCE]
            calibration = [each for each in one.findings if each.statistic == "residual"]
            measures |= {
                f"drift_alarm:{one.key}": _alarm(one),
                f"drift_strength:{one.key}": _strength(one.findings),
                f"data_drift_ratio:{one.key}": one.out_of_range,
                f"tau_exceedance_strength:{one.key}": _strength(tau),
                f"calibration_strength:{one.key}": _strength(calibration),
            }
        return measures

    def out_of_range(self) -> dict[str, int]:
        """Values beyond the reference's range, by column, since the champion was taken up."""
        return dict(self.windows.outside)

    def lacking(self) -> dict[str, Lacking]:
        """What the reference lacks to judge a key, by key; without those that it judges."""
        if (reference := self.windows.reference) is None:
            return {}
        every = {key: of.lacking(reference.cadence) for key, of in reference.keys.items()}
        return {key: of for key, of in every.items() if of is not None}

    def facts(self) -> dict[str, str]:
        """Words about the measures: what drifts most, or why nothing or little is known."""
        if self.problem:
            return {"drift": self.problem}
        lacking = {f"drift_reference:{key}": str(of) for key, of in self.lacking().items()}
        return lacking | {
            f"drift:{one.key}": f"{strongest.column}: {strongest.statistic} {strongest.value:.3g} "
            f"is {strongest.strength:.2f} of what alarms"
            for one in self.states()
            for strongest in one.findings[:1]
        }

    def _follow_champion(self) -> None:
        try:
            version = self._registry.champion_version(self._case)
            if version == self._version and not self.problem:
                return
            if version is None:
                reference, problem = None, NO_CHAMPION
            else:
                reference = reference_of(self._registry, self._case, version)
                problem = "" if reference is not None else f"{self._case}/{version}: {WITHOUT}"
        except RegistryError as error:
            self.problem = str(error)
            return
        if reference is not None and reference.feature_set != self._live.feature_set:
            reference = None
            problem = f"{self._case}/{version}: it was made with another feature set"
        if version != self._version or (reference is not None and self.windows.reference is None):
            self.windows.swap(reference, f"{self._case}/{version}")
            self._rows = self._predictions = None  # fill the window again
        self._version, self.problem = version, problem

    def _read_back(self, topic: str) -> list[Record]:
        """The records of the last two windows of each key, as far as they are kept."""
        reference = self.windows.reference
        if reference is None:
            return []
        wanted = 2 * reference.cadence.rows * len(reference.keys)
        return browse.last(self._log, topic, min(MOST_READ_BACK, wanted))


def _readable(records: Iterable[Record], read: Reader[T]) -> Iterator[T]:
    """Their words; those that cannot be read are counted by `barograph check`."""
    for record in records:
        try:
            word = read.of(record)
        except UnreadableError:
            continue
        yield word


def _alarm(of: DriftState) -> float | None:
    if of.alarm_since is None and not of.findings:
        return None
    return float(of.alarm_since is not None)


def _strength(of: list[Finding]) -> float | None:
    return _highest([one.strength for one in of])


def _highest(of: list[float | None]) -> float | None:
    return max((value for value in of if value is not None), default=None)
