"""The windows of a drift test, and from which ratio on a statistic alarms."""

import math

import msgspec

SHAPE = 1.5
"""Most degrees of freedom of a window's statistic: fewer make the tail longer, and alarms rarer."""

LEAST_SHAPE, RATE_SHAPE = 0.2, 1.0
"""Least degrees of freedom, and most of those of a single rate."""

LEAST_WINDOWS = 4
"""Fewer windows of a reference say too little of how they differ."""

ENOUGH_WINDOWS = 18
"""So many, twelve hours of one-second rows, tested most columns in all that was measured."""

_WEEK_S = 7 * 86_400


class Cadence(msgspec.Struct, frozen=True, kw_only=True):
    """Rows are `step_s` apart, a window of `window_s` is tested every `interval_s` seconds."""

    step_s: int
    interval_s: int
    window_s: int

    @property
    def intervals(self) -> int:
        """Intervals of a window."""
        return self.window_s // self.interval_s

    @property
    def rows(self) -> int:
        """Rows of a window without holes."""
        return self.window_s // self.step_s


def cadence_of(step_s: int) -> Cadence:
    """Windows of 40 minutes each five minutes; for rows more than 50 s apart windows of 48 rows."""
    interval_s = -(-max(300, step_s) // step_s) * step_s
    window_s = -(-max(2400, 48 * step_s) // interval_s) * interval_s
    return Cadence(step_s=step_s, interval_s=interval_s, window_s=window_s)


def whole_windows(rows: int, cadence: Cadence) -> float:
    """Windows that so many rows are."""
    return rows / cadence.rows


def critical(windows: float, cadence: Cadence, tests: int, shape: float = SHAPE) -> float:
    """The ratio that an unchanged stream exceeds once a week at most, over all `tests`.

    windows: those of the reference, from which the usual size of the statistic was learned.
    """
    level = cadence.interval_s / _WEEK_S / tests
    return f_exceeded_at(level, shape, shape * windows)


def windows_for(
    ratio: float, windows: float, cadence: Cadence, tests: int, shape: float = SHAPE
) -> float:
    """The windows of a reference, from `windows` on, at which `critical` is at most `ratio`.

    Rounded up to a twentieth; infinity where those of a week would not do.
    """
    most = _WEEK_S / cadence.window_s
    while windows <= most:
        if critical(windows, cadence, tests, shape) <= ratio:
            return windows
        windows *= 1.05
    return math.inf


def f_exceeded_at(level: float, above: float, below: float) -> float:
    """The value that an F-distributed ratio with these degrees of freedom exceeds at `level`."""
    from scipy import special  # noqa: PLC0415 - only who trains

    part = float(special.betaincinv(below / 2, above / 2, level))
    return below * (1 - part) / (above * part)
