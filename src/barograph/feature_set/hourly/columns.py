"""The columns of a row, from the sums of its windows and the hours themselves."""

import math
from typing import Any

import numpy as np

from barograph.arrays import Float64, Int64, UInt8
from barograph.compiled import compiled
from barograph.feature_set.hourly import catalogue
from barograph.feature_set.hourly.catalogue import COLUMN, MAX_LOG_RATIO
from barograph.feature_set.hourly.hours import (
    ABS_RETURN,
    BETWEEN,
    BETWEEN_SQUARE,
    BODY_SQUARE,
    FALLING,
    GK,
    KNOWN,
    LOG_VOL,
    LOG_VOLUME,
    OFFERED,
    PARKINSON,
    QUIET,
    REALIZED,
    RETURN,
    ROGERS_SATCHELL,
    SQUARE,
    VOL,
)
from barograph.feature_set.hourly.state import RING_H
from barograph.feature_set.hourly.windows import (
    GREATEST_GK,
    GREATEST_PATH,
    LEAST_PATH,
    MACD_H,
    MACD_SPAN_H,
    PATH,
    PLACE,
    WINDOWS,
    is_enough,
    is_full,
    put,
    why_not,
)
from barograph.types import Reason


def _windowed(name: str, windows_h: tuple[int, ...]) -> Int64:
    """(n, 2): the column of each window, and the window's place in WINDOWS."""
    return np.array([(COLUMN[name.format(n)], PLACE[n]) for n in windows_h], np.int64)


def _paired(name: str, pairs_h: tuple[tuple[int, int], ...]) -> Int64:
    """(n, 3): the column of each pair of windows, and the places of the short and the long one."""
    return np.array([(COLUMN[name.format(*p)], PLACE[p[0]], PLACE[p[1]]) for p in pairs_h])


def _seasons(name: str, counts: tuple[int, ...], period_h: int) -> Int64:
    """(n, 4): the column, the period in hours, how many of them, the place of their window."""
    return np.array(
        [(COLUMN[name.format(k)], period_h, k, PLACE[k * period_h]) for k in counts], np.int64
    )


_GK = _windowed("gk_vol_{}h", catalogue.GK_WINDOWS_H)
_LOG = _windowed("log_gk_mean_{}h", catalogue.LOG_WINDOWS_H)
_PARKINSON = _windowed("parkinson_vol_{}h", catalogue.RANGE_WINDOWS_H)
_ROGERS_SATCHELL = _windowed("rogers_satchell_vol_{}h", catalogue.RANGE_WINDOWS_H)
_CLOSE = _windowed("close_vol_{}h", catalogue.CLOSE_WINDOWS_H)
_YANG_ZHANG = _windowed("yang_zhang_vol_{}h", catalogue.YANG_ZHANG_WINDOWS_H)
_MAX = _windowed("gk_vol_max_{}h", catalogue.MAX_WINDOWS_H)
_VARIATION = _windowed("gk_vol_cv_{}h", catalogue.VARIATION_WINDOWS_H)
_LAGS = np.array([(COLUMN[f"gk_vol_lag_{k}h"], k) for k in catalogue.LAGS_H], np.int64)
_RETURN = _windowed("scaled_return_{}h", catalogue.RETURN_WINDOWS_H)
_DOWNSIDE = _windowed("downside_share_{}h", catalogue.DOWNSIDE_WINDOWS_H)
_RSI = _windowed("rsi_{}h", catalogue.RSI_WINDOWS_H)
_CLOSE_PLACE = _windowed("close_place_{}h", catalogue.PLACE_WINDOWS_H)
_VOLUME = _paired("log_volume_ratio_{}_{}h", catalogue.VOLUME_WINDOWS_H)
_AVERAGE = _paired("average_ratio_{}_{}h", catalogue.AVERAGE_WINDOWS_H)
_REALIZED = _windowed("realized_vol_{}h", catalogue.REALIZED_WINDOWS_H)
_DAYS = _seasons("same_hour_{}d", catalogue.SEASON_DAYS, 24)
_WEEKS = _seasons("same_hour_of_week_{}w", catalogue.SEASON_WEEKS, 168)

_SCALED_RETURN_1 = COLUMN["scaled_return_1h"]
_SCALED_ABS_RETURN_1 = COLUMN["scaled_abs_return_1h"]
_ACCELERATION = COLUMN["acceleration_6h"]
_MACD = COLUMN["macd_12_26h"]
_MACD_HISTOGRAM = COLUMN["macd_histogram_12_26_9h"]
_QUIET_SHARE = COLUMN["quiet_share_24h"]
_TARGET_HOUR = COLUMN["target_hour"]
_TARGET_WEEKDAY = COLUMN["target_weekday"]
_HOUR_WAVES = COLUMN["hour_sin_1"]
_WEEK_WAVES = COLUMN["week_sin_1"]
_WAVES = len(catalogue.HARMONICS)

_1H, _3H, _6H, _12H, _24H, _26H = (PLACE[n] for n in (1, 3, 6, 12, 24, 26))
_MACD_SPAN = PLACE[MACD_SPAN_H]
_SHORT_H, _LONG_H, _SIGNAL_H = MACD_H
_SEASON_LENIENT_FROM = 7
"""Of so many same hours one may be missing; of fewer, none."""

_NOT_OFFERED = int(Reason.NOT_OFFERED)
_DAY_H, _WEEK_H = 24, 168
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday


@compiled
def write(state: Any, sums: Int64, values: Float64, reasons: UInt8) -> None:
    """Fill a row from the state of its hour and the sums of `windows.sum_up`.

    values, reasons: (len(FEATURES),) float64 and uint8; NaN with its reason where nothing is known.
    """
    values[:] = np.nan
    _levels(state, sums, values, reasons)
    _lags(state, values, reasons)
    _moves(state, sums, values, reasons)
    _shares(state, sums, values, reasons)
    _averages(state, sums, values, reasons)
    _tape(state, sums, values, reasons)
    _season(state, sums, _DAYS, values, reasons)
    _season(state, sums, _WEEKS, values, reasons)
    _clock(state.last + 1, values, reasons)


@compiled
def root_mean(total_e15: int, hours: int) -> float:
    """The root of a mean variance, 1/√h."""
    return math.sqrt(total_e15 / hours * 1e-15)


@compiled
def _root_means(
    state: Any, sums: Int64, columns: Int64, quantity: int, values: Float64, reasons: UInt8
) -> None:
    for i in range(len(columns)):
        column, window = columns[i]
        if is_full(state, sums, window, column, reasons):
            vol = root_mean(sums[window, quantity], sums[window, KNOWN])
            put(column, vol, values, reasons)


@compiled
def _levels(state: Any, sums: Int64, values: Float64, reasons: UInt8) -> None:
    _root_means(state, sums, _GK, GK, values, reasons)
    _root_means(state, sums, _PARKINSON, PARKINSON, values, reasons)
    _root_means(state, sums, _ROGERS_SATCHELL, ROGERS_SATCHELL, values, reasons)
    _root_means(state, sums, _CLOSE, SQUARE, values, reasons)
    for i in range(len(_LOG)):
        column, window = _LOG[i]
        if is_full(state, sums, window, column, reasons):
            mean = sums[window, LOG_VOL] / sums[window, KNOWN] * 1e-9
            put(column, mean, values, reasons)
    for i in range(len(_YANG_ZHANG)):
        column, window = _YANG_ZHANG[i]
        if is_full(state, sums, window, column, reasons):
            put(column, yang_zhang(sums[window]), values, reasons)
    for i in range(len(_MAX)):
        column, window = _MAX[i]
        if is_full(state, sums, window, column, reasons):
            put(column, root_mean(sums[window, GREATEST_GK], 1), values, reasons)
    for i in range(len(_VARIATION)):
        column, window = _VARIATION[i]
        if is_full(state, sums, window, column, reasons):
            put(column, variation(sums[window]), values, reasons)


@compiled
def yang_zhang(total: Int64) -> float:
    """Yang–Zhang volatility of a window's sums, 1/√h; at least two hours are known.

    Source: Yang, Zhang (2000), J. Business 73(3), equation 8.
    """
    n = total[KNOWN]
    k = 0.34 / (1.34 + (n + 1) / (n - 1))
    between = _variance(total[BETWEEN], total[BETWEEN_SQUARE], n)
    body = _variance(total[RETURN] - total[BETWEEN], total[BODY_SQUARE], n)
    inside = total[ROGERS_SATCHELL] / n * 1e-15
    return math.sqrt(between + k * body + (1.0 - k) * inside)


@compiled
def _variance(total_e9: int, square_total_e15: int, n: int) -> float:
    """The unbiased variance of n numbers about their mean."""
    total = total_e9 * 1e-9
    return max(square_total_e15 * 1e-15 - total * total / n, 0.0) / (n - 1)


@compiled
def variation(total: Int64) -> float:
    """Standard deviation of the hours' volatilities by their mean; 0 where nothing moved."""
    if total[GK] == 0:
        return 0.0
    mean = total[VOL] / total[KNOWN] * 1e-12
    variance = total[GK] / total[KNOWN] * 1e-15 - mean * mean
    return math.sqrt(max(variance, 0.0)) / mean


@compiled
def _lags(state: Any, values: Float64, reasons: UInt8) -> None:
    for i in range(len(_LAGS)):
        column, back_h = _LAGS[i]
        hour = state.hours[:, (state.last - back_h) % RING_H]
        if hour[KNOWN]:
            put(column, root_mean(hour[GK], 1), values, reasons)
        else:
            reasons[column] = why_not(state, back_h + 1)


@compiled
def by(value: float, scale: float) -> float:
    """Value / scale; 0 where the scale is 0, as nothing moved."""
    return value / scale if scale > 0.0 else 0.0


@compiled
def _moves(state: Any, sums: Int64, values: Float64, reasons: UInt8) -> None:
    last = sums[_1H]
    move = last[RETURN] * 1e-9
    put(_SCALED_ABS_RETURN_1, by(abs(move), root_mean(last[GK], 1)), values, reasons)
    if is_full(state, sums, _24H, _SCALED_RETURN_1, reasons):
        put(_SCALED_RETURN_1, by(move, _gk_vol(sums, _24H)), values, reasons)
    for i in range(len(_RETURN)):
        column, window = _RETURN[i]
        if is_full(state, sums, window, column, reasons):
            scale = math.sqrt(sums[window, GK] * 1e-15)
            put(column, by(sums[window, RETURN] * 1e-9, scale), values, reasons)
    if is_full(state, sums, _24H, _ACCELERATION, reasons) and is_full(
        state, sums, _6H, _ACCELERATION, reasons
    ):
        change_e9 = 2 * sums[_3H, RETURN] - sums[_6H, RETURN]
        scale = _gk_vol(sums, _24H) * math.sqrt(6.0)
        put(_ACCELERATION, by(change_e9 * 1e-9, scale), values, reasons)


@compiled
def _shares(state: Any, sums: Int64, values: Float64, reasons: UInt8) -> None:
    for i in range(len(_DOWNSIDE)):
        column, window = _DOWNSIDE[i]
        if is_full(state, sums, window, column, reasons):
            share = _share(sums[window, FALLING], sums[window, GK])
            put(column, share, values, reasons)
    for i in range(len(_RSI)):
        column, window = _RSI[i]
        if is_full(state, sums, window, column, reasons):
            moved = sums[window, ABS_RETURN]
            share = _share(moved + sums[window, RETURN], 2 * moved)
            put(column, share, values, reasons)
    for i in range(len(_CLOSE_PLACE)):
        column, window = _CLOSE_PLACE[i]
        if is_full(state, sums, window, column, reasons):
            least = sums[window, LEAST_PATH]
            share = _share(-least, sums[window, GREATEST_PATH] - least)
            put(column, share, values, reasons)


@compiled
def _share(part: int, whole: int) -> float:
    """Part / whole; a half where the whole is 0, as nothing moved."""
    return part / whole if whole > 0 else 0.5


@compiled
def _gk_vol(sums: Int64, window: int) -> float:
    return root_mean(sums[window, GK], sums[window, KNOWN])


@compiled
def _mean_path(sums: Int64, window: int) -> float:
    """The mean log close of a window, relative to the last one."""
    return sums[window, PATH] / sums[window, KNOWN] * 1e-9


@compiled
def _averages(state: Any, sums: Int64, values: Float64, reasons: UInt8) -> None:
    for i in range(len(_AVERAGE)):
        column, short, long = _AVERAGE[i]
        if is_full(state, sums, long, column, reasons) and is_full(
            state, sums, short, column, reasons
        ):
            change = _mean_path(sums, short) - _mean_path(sums, long)
            hours = float(WINDOWS[long])
            scale = _gk_vol(sums, long) * math.sqrt(hours)
            put(column, by(change, scale), values, reasons)
    if _is_macd_full(state, sums, _26H, _MACD, reasons):
        change = _mean_path(sums, _12H) - _mean_path(sums, _26H)
        put(_MACD, by(change, _gk_vol(sums, _24H)), values, reasons)
    if _is_macd_full(state, sums, _MACD_SPAN, _MACD_HISTOGRAM, reasons):
        change = _above_signal(state)
        put(_MACD_HISTOGRAM, by(change, _gk_vol(sums, _24H)), values, reasons)


@compiled
def _is_macd_full(state: Any, sums: Int64, window: int, column: int, reasons: UInt8) -> bool:
    """Whether the window, the day of the scale and the short mean all have a value."""
    return (
        is_full(state, sums, window, column, reasons)
        and is_full(state, sums, _24H, column, reasons)
        and is_full(state, sums, _12H, column, reasons)
    )


@compiled
def _above_signal(state: Any) -> float:
    """The difference of the MACD's two means now, less its mean at the last `_SIGNAL_H` hours."""
    known = np.zeros(MACD_SPAN_H + 1, np.int64)
    paths = np.zeros(MACD_SPAN_H + 1, np.int64)
    path = 0
    for back in range(MACD_SPAN_H):
        hour = state.hours[:, (state.last - back) % RING_H]
        known[back + 1] = known[back] + hour[KNOWN]
        paths[back + 1] = paths[back] + (path if hour[KNOWN] else 0)
        path -= hour[RETURN]
    now = 0.0
    mean = 0.0
    for back in range(_SIGNAL_H):
        short = paths[back + _SHORT_H] - paths[back]
        long = paths[back + _LONG_H] - paths[back]
        line = short / (known[back + _SHORT_H] - known[back])
        line -= long / (known[back + _LONG_H] - known[back])
        if back == 0:
            now = line
        mean += line / _SIGNAL_H
    return (now - mean) * 1e-9


@compiled
def _tape(state: Any, sums: Int64, values: Float64, reasons: UInt8) -> None:
    for i in range(len(_VOLUME)):
        column, short, long = _VOLUME[i]
        if is_full(state, sums, long, column, reasons) and is_full(
            state, sums, short, column, reasons
        ):
            change = sums[short, LOG_VOLUME] / sums[short, KNOWN]
            change = (change - sums[long, LOG_VOLUME] / sums[long, KNOWN]) * 1e-9
            put(column, min(max(change, -MAX_LOG_RATIO), MAX_LOG_RATIO), values, reasons)
    if is_full(state, sums, _24H, _QUIET_SHARE, reasons):
        put(_QUIET_SHARE, sums[_24H, QUIET] / sums[_24H, KNOWN], values, reasons)
    for i in range(len(_REALIZED)):
        column, window = _REALIZED[i]
        if is_full(state, sums, window, column, reasons):
            offered = sums[window, OFFERED]
            if is_enough(offered, WINDOWS[window]):
                put(column, root_mean(sums[window, REALIZED], offered), values, reasons)
            else:
                reasons[column] = _NOT_OFFERED


@compiled
def _season(state: Any, sums: Int64, seasons: Int64, values: Float64, reasons: UInt8) -> None:
    """How the target's hour of the day or of the week differs from the others, in ℓ."""
    for i in range(len(seasons)):
        column, period_h, count, window = seasons[i]
        known = 0
        total_e9 = 0
        for back in range(1, count + 1):
            hour = state.hours[:, (state.last + 1 - back * period_h) % RING_H]
            known += hour[KNOWN]
            total_e9 += hour[LOG_VOL] if hour[KNOWN] else 0
        missing = count - known
        if missing > (1 if count >= _SEASON_LENIENT_FROM else 0):
            reasons[column] = why_not(state, count * period_h)
        elif is_full(state, sums, window, column, reasons):
            mean = sums[window, LOG_VOL] / sums[window, KNOWN]
            put(column, (total_e9 / known - mean) * 1e-9, values, reasons)


@compiled
def _clock(target: int, values: Float64, reasons: UInt8) -> None:
    """What is known ahead of the hour that follows, counted since 1970."""
    hour = target % _DAY_H
    weekday = (target // _DAY_H + _EPOCH_WEEKDAY) % 7
    put(_TARGET_HOUR, float(hour), values, reasons)
    put(_TARGET_WEEKDAY, float(weekday), values, reasons)
    for j in range(_WAVES):
        day = 2.0 * math.pi * (j + 1) * hour / _DAY_H
        week = 2.0 * math.pi * (j + 1) * (weekday * _DAY_H + hour) / _WEEK_H
        put(_HOUR_WAVES + 2 * j, math.sin(day), values, reasons)
        put(_HOUR_WAVES + 2 * j + 1, math.cos(day), values, reasons)
        put(_WEEK_WAVES + 2 * j, math.sin(week), values, reasons)
        put(_WEEK_WAVES + 2 * j + 1, math.cos(week), values, reasons)
