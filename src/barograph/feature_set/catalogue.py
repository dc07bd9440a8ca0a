"""The catalogue: every feature's name, formula, unit, warm-up and source, in the order of a row.

`docs/features.md` is made from it, `FEATURE_SET_HASH` identifies it, and the kernels of this
package fill a row in this order. A feature whose value changes is a new feature set: bump
`FEATURE_SET`.
"""

import hashlib
from collections.abc import Iterator

import msgspec

from barograph.feature_set.rows import row_dtype

FEATURE_SET = 4
"""The version of the feature set; part of its hash."""

LONGEST_WINDOW_S = 3600
"""No value depends on anything older than this many seconds before its own."""

STALE_AFTER_S = 900
"""A quote that has stood for so long without a tick is not carried on: that would invent calm."""

OBSERVED_S = (10, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""The windows that carry on over holes, in seconds."""

EWMA_S = 60
"""Time constant of the exponential weights."""

EWMA_STEPS_S = (10, 30, 60, 120, 300)
"""The ages between which the exponential weights are their mean: sums of windows make them, so that
the memory is finite and exact.
"""

SHARES_S = (60, 300, 3600)
"""Those whose share of known seconds is a feature."""

MINUTE_S = 60
"""The volatility whose geometric mean over a window is the typical one."""

TYPICAL_S = (900, 1800, 3600)
"""The windows of the typical volatility, in seconds."""


def least_observed(window_s: int) -> int:
    """The fewest known returns of a window that carries on over holes: half of it, at most 30."""
    return min(window_s // 2, 30)


class Feature(msgspec.Struct, frozen=True):
    """One column.

    `warmup_s` complete seconds must have been seen since the last hole; of a window that carries on
    over holes, in the window. No value depends on anything older than `window_s` before its own;
    0 where the warm-up is the window.
    """

    name: str
    formula: str
    unit: str
    warmup_s: int
    source: str
    window_s: int = 0

    @property
    def reach_s(self) -> int:
        """How far back a value looks."""
        return max(self.warmup_s, self.window_s)


_ABDL = "Andersen, Bollerslev, Diebold, Labys (2003), Econometrica 71(2)"
_BNS = "Barndorff-Nielsen, Shephard (2004), J. Financial Econometrics 2(1)"
_RISKMETRICS = "J.P. Morgan, Reuters (1996), RiskMetrics Technical Document, 4th ed."
_PARKINSON = "Parkinson (1980), J. Business 53(1)"
_CORSI = "Corsi (2009), J. Financial Econometrics 7(2): relative components"
_STOIKOV = "Stoikov (2018), Quantitative Finance 18(12)"
_CONT = "Cont, Kukanov, Stoikov (2014), J. Financial Econometrics 12(1)"
_EASLEY = "Easley, López de Prado, O'Hara (2012), Review of Financial Studies 25(5)"
_HASBROUCK = "Hasbrouck (2007), Empirical Market Microstructure"
_ENGLE = "Engle, Russell (1998), Econometrica 66(5): durations carry information"
_UHF = "Engle (2000), Econometrica 68(1): the variance of a trade by its duration"
_HOUSE = "this project: docs/architecture.md, the grid"


def _moves() -> Iterator[Feature]:
    for w in (10, 60, 300):
        yield Feature(f"log_return_{w}s", f"ln m(t) − ln m(t−{w})", "1", w, _ABDL)
    for w in (10, 30, 60, 300, 900):
        yield Feature(
            f"realized_vol_{w}s", f"sqrt(Σ r² / {w}) of {w} one-second returns", "1/√s", w, _ABDL
        )
    for w in (60, 300):
        yield Feature(
            f"bipower_vol_{w}s",
            f"sqrt(π/2 · Σ |r(i)||r(i−1)| / {w - 1}), both returns in the window",
            "1/√s",
            w,
            _BNS,
        )
    yield Feature(
        "jump_share_60s", "max(0, 1 − bipower² / realized²); 0 where nothing moved", "1", 60, _BNS
    )
    for w in (60, 300):
        yield Feature(
            f"parkinson_{w}s",
            f"ln(high/low of the mid in the window) / sqrt(4 ln 2 · {w})",
            "1/√s",
            w,
            _PARKINSON,
        )
    for short, long in ((10, 300), (30, 300), (60, 300), (60, 900)):
        yield Feature(
            f"vol_ratio_{short}_{long}s",
            f"realized_vol_{short}s / realized_vol_{long}s; 1 where nothing moved",
            "1",
            long,
            _CORSI,
        )


def _book_and_tape() -> Iterator[Feature]:
    yield Feature("spread", "ask − bid", "quote currency", 0, _HASBROUCK)
    yield Feature("spread_bps", "10⁴ (ask − bid) / mid", "bps", 0, _HASBROUCK)
    for w in (30, 300):
        yield Feature(
            f"spread_bps_mean_{w}s", f"mean spread_bps of {w} closing quotes", "bps", w, _HASBROUCK
        )
    yield Feature(
        "microprice_deviation_bps",
        "10⁴ (microprice − mid) / mid, microprice = (bid·ask_size + ask·bid_size)/(sum of sizes)",
        "bps",
        0,
        _STOIKOV,
    )
    yield Feature("book_imbalance", "(bid_size − ask_size) / (bid_size + ask_size)", "1", 0, _CONT)
    yield Feature(
        "book_imbalance_mean_60s", "mean book_imbalance of 60 closing quotes", "1", 60, _CONT
    )
    for w in (10, 60, 300):
        yield Feature(f"tick_intensity_{w}s", f"ticks / {w}", "1/s", w, _ENGLE)
    yield Feature(
        "tick_intensity_ratio_60_300s",
        "tick_intensity_60s / tick_intensity_300s; 1 where nothing ticked",
        "1",
        300,
        _ENGLE,
    )
    yield Feature("quiet_share_60s", "share of the last 60 seconds without a tick", "1", 60, _HOUSE)
    yield Feature("staleness_s", "end of the second − time of the last tick", "s", 0, _HOUSE)
    for w in (60, 300):
        yield Feature(
            f"volume_24h_change_{w}s",
            f"v(t) − v(t−{w}) of the venue's rolling figure; may be negative",
            "base currency",
            w,
            _HOUSE,
        )
    yield Feature("traded_volume_60s", "Σ sizes of new trades", "base currency", 60, _EASLEY)
    yield Feature(
        "flow_imbalance_60s",
        "(bought − sold) / (bought + sold) by aggressor; 0 where nothing traded",
        "1",
        60,
        _EASLEY,
    )


def _ticks() -> Iterator[Feature]:
    for w in (10, 30, 60, 300):
        yield Feature(
            f"tick_vol_{w}s",
            "sqrt(mean of ρ² / (δ + 0.01 s)), ρ a tick's log return of the mid and δ its duration; "
            "ticks of one second come to 0.03/s at most; 0 where nothing ticked",
            "1/√s",
            w,
            _UHF,
        )
    yield Feature(
        "tick_spread_bps_mean_10s",
        "mean spread_bps of the ticks; that of the closing quote where nothing ticked",
        "bps",
        10,
        _HASBROUCK,
    )


def _observed() -> Iterator[Feature]:
    for w in OBSERVED_S:
        least = least_observed(w)
        yield Feature(
            f"observed_vol_{w}s",
            f"sqrt(Σ r² / n) of the n ≥ {least} returns known of the last {w} s, over holes; "
            "a return counts as 5 % at most",
            "1/√s",
            least,
            _ABDL,
            w,
        )
    yield Feature(
        f"ewma_vol_{EWMA_S}s",
        f"sqrt(Σ w r² / Σ w) of the returns known of the last {EWMA_STEPS_S[-1]} s, over holes; "
        f"w is the mean of exp(−age / {EWMA_S} s) from each of the ages of 0, "
        f"{', '.join(map(str, EWMA_STEPS_S))} s to the next",
        "1/√s",
        least_observed(EWMA_S),
        _RISKMETRICS,
        EWMA_STEPS_S[-1],
    )
    for w in SHARES_S:
        yield Feature(f"observed_share_{w}s", f"n / {w} of observed_vol_{w}s", "1", 0, _HOUSE, w)
    for w in TYPICAL_S:
        yield Feature(
            f"typical_vol_{w}s",
            f"exp(mean of ln max(v, 10⁻⁷)), v the observed_vol_{MINUTE_S}s of every second with a "
            f"known return whose minute lies within the last {w} s",
            "1/√s",
            least_observed(MINUTE_S),
            _HOUSE,
            w,
        )


def _hours() -> Iterator[Feature]:
    yield Feature("hour_sin", "sin(2π · seconds of the UTC day / 86400)", "1", 0, _HOUSE)
    yield Feature("hour_cos", "cos(2π · seconds of the UTC day / 86400)", "1", 0, _HOUSE)


FEATURES = (*_moves(), *_book_and_tape(), *_ticks(), *_observed(), *_hours())
NAMES = tuple(feature.name for feature in FEATURES)
COLUMN = {name: i for i, name in enumerate(NAMES)}
"""Name → place in a row's `values`."""

FEATURE_SET_HASH = hashlib.sha256(
    msgspec.json.encode([FEATURE_SET, [msgspec.structs.astuple(f) for f in FEATURES]])
).hexdigest()[:16]

ROW = row_dtype(len(FEATURES))
"""One feature row; see `types.FeatureRow`. `return_e9` and `receive_time_ns` may be NAT."""
