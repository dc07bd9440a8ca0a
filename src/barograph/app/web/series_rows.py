"""The last hours of one key of a series in memory: a row for each prediction, in order of time.

A machine: values in, arrays out. Rows lie one behind another in one array, so a span of them is a
slice; what falls out of the window is passed over at its front until half of the array is free.
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from barograph.arrays import Int64, Records
from barograph.types import DAY_S, Prediction, Verdict

WINDOW_S = DAY_S
"""A row older than this beside the newest of its key is forgotten, where rows are seconds apart."""

WINDOW_STEPS = 1_440
"""Of rows that are farther apart so many are kept: of hours those of sixty days."""

MAX_ROWS = 1_000_000
"""Rows that all keys of a case hold together at most; each key has an even part of them."""

MAX_GAPS = 2_000
"""Recorded gaps that are kept of a key."""

VERDICTS = tuple(Verdict)
_CODES = {verdict: code for code, verdict in enumerate(VERDICTS)}
_LEAST = 256

_COLUMNS = [
    ("second", "i8"),
    ("mid", "f8"),
    ("value", "f8"),
    ("probability", "f8"),
    ("tau", "f8"),
    ("threshold", "f8"),
    ("horizon_s", "i4"),
    ("model", "u4"),
    ("verdict", "u1"),
    ("alarm", "?"),
]
OF_LEVEL = ("median", "forecast", "low", "high")

ROW = np.dtype(_COLUMNS, align=True)
"""A prediction as numbers; NaN where it has none. `second` is the last that its row covers."""

LEVEL_ROW = np.dtype([*_COLUMNS, *((name, "f8") for name in OF_LEVEL)], align=True)
"""A prediction that forecasts the value itself, too."""


def window_of(step_s: int) -> int:
    """Seconds that are kept of rows `step_s` apart."""
    return max(WINDOW_S, WINDOW_STEPS * step_s)


class GapSpan(NamedTuple):
    """A hole: what lies in [start_ns, end_ns] is missing; cause None where nobody recorded it."""

    start_ns: int
    end_ns: int
    cause: str | None
    missing: int | None


class SeriesRows:
    """The rows of one key, and the gaps that were recorded of it.

    level: whether its predictions forecast the value itself; rows are LEVEL_ROW then, else ROW.
    """

    def __init__(self, *, level: bool = False, window_s: int = WINDOW_S) -> None:
        self._level, self._window_s = level, window_s
        self._rows = np.zeros(_LEAST, LEVEL_ROW if level else ROW)
        self._start = self._end = 0
        self.gaps: deque[GapSpan] = deque(maxlen=MAX_GAPS)

    def __len__(self) -> int:
        return self._end - self._start

    @property
    def bytes(self) -> int:
        """Bytes of the array."""
        return self._rows.nbytes

    @property
    def newest_second(self) -> int | None:
        """The newest second that a row covers, or None."""
        return None if self._end == self._start else int(self._rows["second"][self._end - 1])

    def add(self, prediction: Prediction, model: int, limit: int) -> bool:
        """Take a prediction; return whether it is a new second within the window.

        Of predictions for one second the first counts. model: its number. limit: rows to keep.
        """
        second, known = prediction.second, self.seconds
        index = len(known)
        if index and second <= known[-1]:
            if second <= known[-1] - self._window_s:
                return False
            index = int(np.searchsorted(known, second))
            if known[index] == second:
                return False
        self._make_room(limit)
        place = self._start + index
        if place < self._end:
            self._rows[place + 1 : self._end + 1] = self._rows[place : self._end].copy()
        self._rows[place] = self._row_of(prediction, model)
        self._end += 1
        self._forget(limit)
        return True

    def add_older(self, predictions: Sequence[tuple[Prediction, int]], limit: int) -> None:
        """Take predictions that the log has before all that were taken, in its order.

        predictions: each with the number of its model. Of those for one second the first in the log
        counts. limit: rows to keep.
        """
        older = np.array([self._row_of(*each) for each in predictions], self._rows.dtype)
        seconds, known = older["second"], self.seconds
        in_order = bool((seconds[1:] > seconds[:-1]).all())
        if in_order and len(known) and len(older) and seconds[-1] < known[0]:
            first = np.searchsorted(seconds, known[-1] - self._window_s, side="right")
            older = older[max(int(first), len(older) - max(0, limit - len(known))) :]
            self._make_room_before(len(older))
            self._rows[self._start - len(older) : self._start] = older
            self._start -= len(older)
            return
        joined = np.concatenate([older, self._rows[self._start : self._end]])
        _, firsts = np.unique(joined["second"], return_index=True)
        self._rows, self._start, self._end = joined[firsts], 0, len(firsts)
        if len(firsts):
            self._forget(limit)

    def between(self, after_s: int, until_s: int) -> Records:
        """A copy of the rows whose second lies in (after_s, until_s], and of the one before."""
        rows = self._rows[self._start : self._end]
        start, stop = np.searchsorted(rows["second"], [after_s, until_s], side="right")
        return rows[max(0, start - 1) : stop].copy()

    def at(self, second: int) -> Records | None:
        """The row of a second, or None."""
        rows = self._rows[self._start : self._end]
        place = int(np.searchsorted(rows["second"], second))
        if place == len(rows) or rows["second"][place] != second:
            return None
        row: Records = rows[place]
        return row

    @property
    def seconds(self) -> Int64:
        """(n,) int64: the seconds of all rows, a view."""
        return self._rows["second"][self._start : self._end]

    def _make_room(self, limit: int) -> None:
        """Let one more row fit behind the last; moves or grows the array where it does not."""
        if self._end < len(self._rows):
            return
        held = self._rows[self._start : self._end]
        size = len(self._rows)
        if len(held) > size // 2:
            size = min(2 * size, max(2 * limit, len(held) + _LEAST))
        rows = np.zeros(size, self._rows.dtype)
        rows[: len(held)] = held
        self._rows, self._start, self._end = rows, 0, len(held)

    def _make_room_before(self, count: int) -> None:
        """Let so many rows fit before the first; moves the others to a larger array if not."""
        if self._start >= count:
            return
        held = self._rows[self._start : self._end]
        start = max(count, len(held))
        rows = np.zeros(start + len(held) + _LEAST, self._rows.dtype)
        rows[start : start + len(held)] = held
        self._rows, self._start, self._end = rows, start, start + len(held)

    def _forget(self, limit: int) -> None:
        rows = self._rows[self._start : self._end]
        newest = int(rows["second"][-1])
        old = int(np.searchsorted(rows["second"], newest - self._window_s, side="right"))
        self._start += max(old, len(rows) - limit)
        if len(self._rows) > max(4 * limit, 2 * _LEAST):  # a smaller part than before
            self._rows = self._rows[self._start : self._end].copy()
            self._start, self._end = 0, len(self._rows)

    def _row_of(self, prediction: Prediction, model: int) -> tuple[object, ...]:
        row = _row(prediction, model)
        return (*row, *_level(prediction)) if self._level else row


def _row(prediction: Prediction, model: int) -> tuple[object, ...]:
    nan = np.nan
    return (
        prediction.second,
        nan if prediction.mid is None else prediction.mid,
        nan if prediction.value_now is None else prediction.value_now,
        nan if prediction.probability is None else prediction.probability,
        nan if prediction.tau is None else prediction.tau,
        nan if prediction.threshold is None else prediction.threshold,
        min(prediction.horizon_s, 2**31 - 1),
        model,
        _CODES[prediction.verdict],
        prediction.alarm,
    )


def _level(prediction: Prediction) -> list[float]:
    each = [getattr(prediction, name) for name in OF_LEVEL]
    return [np.nan if value is None else value for value in each]
