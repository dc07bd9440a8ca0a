"""What drift tests say of a simulated market: while nothing changes, and when volatility doubled.

A market has two products: hours for a reference, hours that follow the same law, then four at
twice the volatility. All columns that models may use are tested, and how often tau is reached, by
`src/barograph/evaluation/drift.py` and by the usual tests. `docs/drift.py` makes tables of it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from barograph.arrays import Float64
from barograph.cases.market import MARKET
from barograph.cases.spikes import CLOCKS
from barograph.evaluation import (
    drift,
    drift_counts,
    drift_fitting,
    drift_limits,
    drift_statistics,
    drift_usual,
    labels,
)
from barograph.evaluation.drift import Reference, strengths
from barograph.evaluation.drift_counts import count
from barograph.evaluation.drift_fitting import KeyRows, reference
from barograph.evaluation.drift_limits import Cadence
from barograph.evaluation.drift_usual import (
    KS_LEVEL,
    PSI_LIMIT,
    kolmogorov_smirnov,
    stability_index,
)
from barograph.feature_set.catalogue import FEATURES
from barograph.feature_set.featurizer import Featurizer
from barograph.pipeline.drift_windows import CONFIRMED_BY, RELEASE
from barograph.simulated import law, market
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.types import NS_PER_S

PRODUCTS = ("BTC-USD", "ETH-USD")
START_S = 1_760_000_000
HOUR_S, DOUBLED_H, WARMUP_S, INTERVAL_S = 3600, 4, 900, 300
THINNED = 6
"""For the usual tests the reference has every sixth row: 7,200 of 12 hours."""
_OF_ONE_PRODUCT = {"quote currency", "base currency"}
COLUMNS = tuple(
    each.name
    for each in FEATURES
    if each.warmup_s <= INTERVAL_S
    and not each.window_s
    and each.name not in CLOCKS
    and each.unit not in _OF_ONE_PRODUCT
)
"""What says most of a market: windows of up to 300 s, without what only tells products apart."""
PLACES = [MARKET.places[name] for name in COLUMNS]
MADE_BY = (
    drift, drift_counts, drift_fitting, drift_limits, drift_statistics, drift_usual, law, market
)  # fmt: skip


class Variant(msgspec.Struct, frozen=True):
    """One choice of the test: hours of the reference, and minutes of a window."""

    reference_h: int
    window_min: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is done with a seed. `usual_every_h` is how far the hours of the usual tests are apart.

    The reference of each variant ends after `longest_h`, so that all are tested on the same hours.
    0 as `usual_every_h` leaves the usual tests out.
    """

    variants: tuple[Variant, ...]
    calm_h: int
    usual_every_h: int = 0

    @property
    def longest_h(self) -> int:
        """Hours of the longest reference."""
        return max(one.reference_h for one in self.variants)


class Tested(msgspec.Struct, frozen=True, kw_only=True):
    """This test on one market: `alarms` that began in `hours` without a change.

    `delay_min` is from the doubling to the end of the window that makes the first alarm, None where
    there was none. `columns` of `varying` were tested, and `too_short` counts the products whose
    reference is called too short.
    """

    variant: Variant
    alarms: int
    hours: float
    delay_min: float | None
    columns: int
    varying: int
    too_short: int


class UsualTested(msgspec.Struct, frozen=True, kw_only=True):
    """A usual test on one market: it alarms in `alarmed` of so many `hours` without a change."""

    test: str
    alarmed: int
    hours: int
    delay_min: float | None


class SeedResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the tests said of one simulated market."""

    seed: int
    tested: list[Tested]
    usual: list[UsualTested]


def result_of(seed: int, plan: Plan) -> SeedResult:
    """Simulate a market and test it."""
    rows = rows_of(seed, plan.longest_h + plan.calm_h)
    return SeedResult(
        seed=seed,
        tested=[tested(rows, one, plan) for one in plan.variants],
        usual=usual(rows, plan) if plan.usual_every_h else [],
    )


def key_of(seed: int, plan: Plan) -> str:
    """A name for a result, which changes with the code and the plan that it depends on."""
    files = [Path(__file__), *(Path(str(module.__file__)) for module in MADE_BY)]
    code = b"".join(file.read_bytes() for file in files)
    of = f"{seed} {MARKET.feature_set} {msgspec.json.encode(plan).decode()}".encode()
    return hashlib.sha256(of + code).hexdigest()[:16]


def rows_of(seed: int, hours: int) -> dict[str, KeyRows]:
    """The rows of a market whose volatility doubles after `hours`."""
    simulated = SimulatedMarket(PRESETS["market"], PRODUCTS, seed, START_S * NS_PER_S)
    featurizer = Featurizer()
    for product in PRODUCTS:
        featurizer.product_index(product)
    parts: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {product: [] for product in PRODUCTS}
    for hour in range(hours + DOUBLED_H):
        if hour == hours:
            simulated.model = simulated.model._replace(volatility=2 * simulated.model.volatility)
        every = featurizer.update(simulated.array(HOUR_S))[0]
        every = every[every["second"] >= START_S + WARMUP_S]
        for place, product in enumerate(PRODUCTS):
            of = every[every["product"] == place]
            values = of["values"][:, PLACES].astype(np.float32)  # as features enter models
            parts[product].append((of["second"].copy(), values))
    return {
        product: KeyRows(
            np.concatenate([second for second, _ in of]),
            np.concatenate([values for _, values in of]).astype(np.float64),
        )
        for product, of in parts.items()
    }


def between(rows: KeyRows, start_h: float, end_h: float) -> KeyRows:
    """Those of [start_h, end_h) hours."""
    hour = (rows.second - START_S) / HOUR_S
    kept = (hour >= start_h) & (hour < end_h)
    return KeyRows(rows.second[kept], rows.values[kept])


def tested(rows: Mapping[str, KeyRows], variant: Variant, plan: Plan) -> Tested:
    """This project's test: alarms before the doubling, and the time to the first one after it."""
    start_h, doubled_h = plan.longest_h, plan.longest_h + plan.calm_h
    before = {key: between(of, start_h - variant.reference_h, start_h) for key, of in rows.items()}
    now = COLUMNS.index(MARKET.value_now)
    of = reference(
        before,
        COLUMNS,
        cadence=Cadence(
            step_s=MARKET.step_s, interval_s=INTERVAL_S, window_s=60 * variant.window_min
        ),
        feature_set=MARKET.feature_set,
        span_ns=((START_S + (start_h - variant.reference_h) * HOUR_S) * NS_PER_S,
                 (START_S + start_h * HOUR_S) * NS_PER_S),
        tau={key: labels.tau(part.values[:, now]) for key, part in before.items()},
        value_now=MARKET.value_now,
    )  # fmt: skip
    doubled_s = START_S + doubled_h * HOUR_S
    ends_s, by_key = strongest(
        of, {key: between(part, start_h, 10**6) for key, part in rows.items()}
    )
    calm = ends_s <= doubled_s
    delays = [
        (int(ends_s[~calm][place]) - doubled_s) / 60
        for strength in by_key.values()
        if (place := first_alarm(strength[~calm])) is not None
    ]
    columns = [column for key in of.keys.values() for column in key.columns.values()]
    return Tested(
        variant=variant,
        alarms=sum(alarms(strength[calm]) for strength in by_key.values()),
        hours=int(calm.sum()) * INTERVAL_S / HOUR_S,
        delay_min=min(delays, default=None),
        columns=sum(not one.untested for one in columns),
        varying=sum(one.varies for one in columns),
        too_short=sum(key.lacking(of.cadence) is not None for key in of.keys.values()),
    )


def strongest(of: Reference, rows: Mapping[str, KeyRows]) -> tuple[np.ndarray, dict[str, Float64]]:
    """((w,) ends of windows, strength of the strongest test by key), as the live watch has them."""
    ends_s, by_key = np.empty(0, np.int64), {}
    for key, known in of.keys.items():
        places = [COLUMNS.index(column.column) for column in known.columns.values()]
        part = rows[key]
        counts = count(part.second, part.values[:, places], known.grid(), of.cadence.interval_s)
        windows = counts.windows(of.cadence.intervals)
        every = strengths(known, windows.bins, of.cadence).values()
        by_key[key] = np.fmax.reduce([*every, np.zeros(len(windows.interval))])
        ends_s = (windows.interval + 1) * of.cadence.interval_s
    return ends_s, by_key


def first_alarm(strength: Float64) -> int | None:
    """Place of the first window that confirms an alarm."""
    in_a_row = 0
    for place, one in enumerate(strength.tolist()):
        in_a_row = in_a_row + 1 if one >= 1 else 0
        if in_a_row == CONFIRMED_BY:
            return place
    return None


def alarms(strength: Float64) -> int:
    """Alarms that began, by the rule of the live watch."""
    began, start = 0, 0
    while (place := first_alarm(strength[start:])) is not None:
        began += 1
        released = np.flatnonzero(strength[start + place :] < RELEASE)
        if not len(released):
            break
        start += place + int(released[0])
    return began


def usual(rows: Mapping[str, KeyRows], plan: Plan) -> list[UsualTested]:
    """Whether each usual test alarms in whole hours, with the first variant's reference."""
    start_h, doubled_h = plan.longest_h, plan.longest_h + plan.calm_h
    reference_h = plan.variants[0].reference_h
    sides = {
        key: np.sort(between(of, start_h - reference_h, start_h).values[::THINNED], axis=0)
        for key, of in rows.items()
    }
    calm: dict[str, list[bool]] = {}
    wild: dict[str, list[bool]] = {}
    for hour in [*range(start_h, doubled_h, plan.usual_every_h),
                 *range(doubled_h, doubled_h + DOUBLED_H)]:  # fmt: skip
        previous = {key: between(of, hour - 1, hour).values for key, of in rows.items()}
        current = {key: between(of, hour, hour + 1).values for key, of in rows.items()}
        for name, against in (("the reference", sides), ("the hour before", previous)):
            for test, alarmed in usual_tests(against, current, name):
                (calm if hour < doubled_h else wild).setdefault(test, []).append(alarmed)
    return [
        UsualTested(
            test=test,
            alarmed=sum(alarmed),
            hours=len(alarmed),
            delay_min=60.0 * (wild[test].index(True) + 1) if any(wild[test]) else None,
        )
        for test, alarmed in calm.items()
    ]


def usual_tests(
    before: Mapping[str, Float64], after: Mapping[str, Float64], name: str
) -> Sequence[tuple[str, bool]]:
    """(usual test, whether it alarms) over all columns of all keys."""
    pairs = [
        (before[key][:, place], values[:, place])
        for key, values in after.items()
        for place in range(len(COLUMNS))
    ]
    p = np.array([kolmogorov_smirnov(*pair)[1] for pair in pairs])
    index = np.array([stability_index(*pair) for pair in pairs])
    return (
        (f"KS, p < 0.05 in any column, against {name}", bool((p < KS_LEVEL).any())),
        (f"KS, p < 0.05 / columns, against {name}", bool((p < KS_LEVEL / len(p)).any())),
        (
            f"KS, p < 0.05 in half of the columns, against {name}",
            bool((p < KS_LEVEL).mean() >= 0.5),
        ),
        (f"PSI > 0.2 in any column, against {name}", bool((index > PSI_LIMIT).any())),
        (
            f"PSI > 0.2 in half of the columns, against {name}",
            bool((index > PSI_LIMIT).mean() >= 0.5),
        ),
    )
