"""The catalogue of hourly features: name, formula, unit, span and source, in the order of a row.

`docs/hourly-features.md` is made from it and `FEATURE_SET_HASH` identifies it. A feature whose
value changes is a new feature set: bump `FEATURE_SET`.
"""

import hashlib
from collections.abc import Iterator

import msgspec

from barograph.feature_set.rows import row_dtype

FEATURE_SET = 1
"""The version of the feature set; part of its hash."""

LONGEST_WINDOW_H = 720
"""No value depends on anything older than this many hours before its own, when its hour ends."""


class HourlyFeature(msgspec.Struct, frozen=True):
    """One column. `span_h`: how many hours back from the end of its own a value may depend on."""

    name: str
    formula: str
    unit: str
    span_h: int
    source: str


GK_WINDOWS_H = (1, 3, 6, 12, 24, 48, 168, 336, 720)
LOG_WINDOWS_H = (3, 6, 12, 24, 48, 168, 336, 720)
RANGE_WINDOWS_H = (6, 24, 168, 720)
CLOSE_WINDOWS_H = (3, 6, 24, 168, 720)
YANG_ZHANG_WINDOWS_H = (24, 168, 720)
MAX_WINDOWS_H = (24, 168, 720)
VARIATION_WINDOWS_H = (6, 24, 168)
LAGS_H = (1, 2, 3, 4, 5, 22, 23, 24, 46, 47, 48, 71, 95, 119, 143, 166, 167, 168, 335)
RETURN_WINDOWS_H = (3, 6, 24, 168, 720)
DOWNSIDE_WINDOWS_H = (3, 6, 24, 168)
VOLUME_WINDOWS_H = ((1, 168), (3, 168), (24, 168), (168, 720))
AVERAGE_WINDOWS_H = ((6, 24), (24, 168), (168, 720))
RSI_WINDOWS_H = (14, 72)
PLACE_WINDOWS_H = (24, 168, 720)
SEASON_DAYS = (3, 7, 14, 28)
SEASON_WEEKS = (2, 4)
REALIZED_WINDOWS_H = (1, 6, 24, 168)
HARMONICS = (1, 2, 3)

VOL = "1/√h"
LOG_FLOOR_VOL = 1e-5
"""The least volatility of an hour in a logarithm, 1/√h; an hour in which nothing moved has it."""
LOG_FLOOR_VOLUME = 1e-8
"""The least volume of an hour in a logarithm, in the base currency."""
MAX_LOG_RATIO = 7.0
"""Logarithms of volume ratios are cut at ± this."""

_GARMAN = "Garman, Klass (1980), J. Business 53(1)"
_CORSI = "Corsi (2009), J. Financial Econometrics 7(2)"
_PARKINSON = "Parkinson (1980), J. Business 53(1)"
_ROGERS = "Rogers, Satchell (1991), Annals of Applied Probability 1(4)"
_YANG = "Yang, Zhang (2000), J. Business 73(3)"
_ABDL = "Andersen, Bollerslev, Diebold, Labys (2003), Econometrica 71(2)"
_PATTON = "Patton, Sheppard (2015), Review of Economics and Statistics 97(3): signed variance"
_BLACK = "Black (1976), Proc. American Statistical Association: falling prices move more"
_KARPOFF = "Karpoff (1987), J. Financial and Quantitative Analysis 22(1): volume and volatility"
_ANDERSEN = "Andersen, Bollerslev (1997), J. Empirical Finance 4(2-3): the pattern of the day"
_APPEL = "Appel (2005), Technical Analysis: Power Tools for Active Investors"
_CUTLER = "Wilder (1978), New Concepts in Technical Trading Systems; means as Cutler's"
_BROCK = "Brock, Lakonishok, LeBaron (1992), J. Finance 47(5): moving averages"
_HOUSE = "this project"


def _levels() -> Iterator[HourlyFeature]:
    for n in GK_WINDOWS_H:
        yield HourlyFeature(
            f"gk_vol_{n}h", f"sqrt(mean of g over {n} hours)", VOL, n, _GARMAN if n < 3 else _CORSI
        )
    for n in LOG_WINDOWS_H:
        yield HourlyFeature(f"log_gk_mean_{n}h", f"mean of ℓ over {n} hours", "ln(1/√h)", n, _CORSI)
    for n in RANGE_WINDOWS_H:
        yield HourlyFeature(
            f"parkinson_vol_{n}h", f"sqrt(mean of (H − L)² / (4 ln 2), {n} hours)", VOL, n,
            _PARKINSON,
        )  # fmt: skip
    for n in RANGE_WINDOWS_H:
        yield HourlyFeature(
            f"rogers_satchell_vol_{n}h",
            f"sqrt(mean of (H − C)(H − O) + (L − C)(L − O), {n} hours)",
            VOL,
            n,
            _ROGERS,
        )
    for n in CLOSE_WINDOWS_H:
        yield HourlyFeature(f"close_vol_{n}h", f"sqrt(mean of r² over {n} hours)", VOL, n, _ABDL)
    for n in YANG_ZHANG_WINDOWS_H:
        yield HourlyFeature(
            f"yang_zhang_vol_{n}h",
            f"sqrt(var(r − (C − O)) + k·var(C − O) + (1 − k)·rogers_satchell²) over {n} hours, "
            "k = 0.34 / (1.34 + (n + 1)/(n − 1)), n the known hours",
            VOL,
            n,
            _YANG,
        )
    for n in MAX_WINDOWS_H:
        yield HourlyFeature(f"gk_vol_max_{n}h", f"sqrt(largest g of {n} hours)", VOL, n, _GARMAN)
    for n in VARIATION_WINDOWS_H:
        yield HourlyFeature(
            f"gk_vol_cv_{n}h",
            f"standard deviation of sqrt(g) over {n} hours by its mean; 0 where nothing moved",
            "1",
            n,
            _HOUSE,
        )
    for k in LAGS_H:
        yield HourlyFeature(f"gk_vol_lag_{k}h", f"sqrt(g) of {k} hours ago", VOL, k + 1, _CORSI)


def _moves() -> Iterator[HourlyFeature]:
    yield HourlyFeature(
        "scaled_return_1h", "r / gk_vol_24h; 0 where nothing moved", "1", 24, _BLACK
    )
    yield HourlyFeature(
        "scaled_abs_return_1h", "|r| / gk_vol_1h; 0 where nothing moved", "1", 1, _HOUSE
    )
    for n in RETURN_WINDOWS_H:
        yield HourlyFeature(
            f"scaled_return_{n}h", f"Σ r / sqrt(Σ g) of {n} hours; 0 where nothing moved", "1", n,
            _BLACK,
        )  # fmt: skip
    yield HourlyFeature(
        "acceleration_6h",
        "(Σ r of 3 hours − Σ r of the 3 before) / (gk_vol_24h·sqrt(6)); 0 where nothing moved",
        "1",
        24,
        _HOUSE,
    )
    for n in DOWNSIDE_WINDOWS_H:
        yield HourlyFeature(
            f"downside_share_{n}h",
            f"Σ g of the hours with r < 0 by Σ g, {n} hours; 0.5 where nothing moved",
            "1",
            n,
            _PATTON,
        )
    for short, long in AVERAGE_WINDOWS_H:
        yield HourlyFeature(
            f"average_ratio_{short}_{long}h",
            f"(mean of P over {short} hours − mean over {long}) / (gk_vol_{long}h·sqrt({long})); "
            "0 where nothing moved",
            "1",
            long,
            _BROCK,
        )
    yield HourlyFeature(
        "macd_12_26h",
        "(mean of P over 12 hours − mean over 26) / gk_vol_24h; 0 where nothing moved",
        "√h",
        26,
        _APPEL,
    )
    yield HourlyFeature(
        "macd_histogram_12_26_9h",
        "the difference of means of macd_12_26h less its mean at the last 9 hours, / gk_vol_24h; "
        "0 where nothing moved",
        "√h",
        34,
        _APPEL,
    )
    for n in RSI_WINDOWS_H:
        yield HourlyFeature(
            f"rsi_{n}h", f"Σ max(r, 0) / Σ |r| of {n} hours; 0.5 where nothing moved", "1", n,
            _CUTLER,
        )  # fmt: skip
    for n in PLACE_WINDOWS_H:
        yield HourlyFeature(
            f"close_place_{n}h",
            f"(P − least P) / (greatest P − least P) of {n} hours; 0.5 where all are equal",
            "1",
            n,
            _HOUSE,
        )


def _tape() -> Iterator[HourlyFeature]:
    for short, long in VOLUME_WINDOWS_H:
        yield HourlyFeature(
            f"log_volume_ratio_{short}_{long}h",
            f"mean of ln volume over {short} hours − mean over {long}, within ±{MAX_LOG_RATIO:g}",
            "1",
            long,
            _KARPOFF,
        )
    yield HourlyFeature("quiet_share_24h", "share of hours without a trade", "1", 24, _HOUSE)
    for n in REALIZED_WINDOWS_H:
        yield HourlyFeature(
            f"realized_vol_{n}h",
            f"sqrt(mean over {n} hours of the candle's realized_vol²); not offered where it is not",
            VOL,
            n,
            _ABDL,
        )


def _season() -> Iterator[HourlyFeature]:
    for days in SEASON_DAYS:
        yield HourlyFeature(
            f"same_hour_{days}d",
            f"mean of ℓ at the target's hour of the day, {days} days, − mean of ℓ of those days",
            "1",
            24 * days,
            _ANDERSEN,
        )
    for weeks in SEASON_WEEKS:
        yield HourlyFeature(
            f"same_hour_of_week_{weeks}w",
            f"mean of ℓ at the target's hour of the week, {weeks} weeks, − mean of ℓ of those "
            "weeks",
            "1",
            168 * weeks,
            _ANDERSEN,
        )
    for period, hours, place in (
        ("hour", 24, "hour of the day"),
        ("week", 168, "hour of the week"),
    ):
        for j in HARMONICS:
            for wave in ("sin", "cos"):
                yield HourlyFeature(
                    f"{period}_{wave}_{j}", f"{wave}(2π · {j} · target's {place} / {hours})", "1",
                    0, _ANDERSEN,
                )  # fmt: skip
    yield HourlyFeature("target_hour", "hour of the day that follows, UTC, 0 to 23", "h", 0, _HOUSE)
    yield HourlyFeature(
        "target_weekday", "weekday of the hour that follows, UTC, Monday 0", "d", 0, _HOUSE
    )


FEATURES = (*_levels(), *_moves(), *_tape(), *_season())
NAMES = tuple(feature.name for feature in FEATURES)
COLUMN = {name: i for i, name in enumerate(NAMES)}
"""Name → place in a row's `values`."""

FEATURE_SET_HASH = hashlib.sha256(
    msgspec.json.encode(["hourly", FEATURE_SET, [msgspec.structs.astuple(f) for f in FEATURES]])
).hexdigest()[:16]

ROW = row_dtype(len(FEATURES))
"""One feature row: `log_mid_e9` is the log close, NAT without a trade; `return_e9` is NAT."""
