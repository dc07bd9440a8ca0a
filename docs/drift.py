"""Prints how often drift tests alarm where nothing drifts, and how soon where volatility doubles.

    python docs/drift.py [--seeds 20] [--first 1] [--hours 50] [--reference 12] [--every 10]

Each seed is a simulated market of two products: a reference, hours that follow the same law, then
four hours at twice the volatility. All columns that models may use are tested, by the test of
`src/barograph/evaluation/drift.py` and by the usual ones. `docs/drift.md` quotes the table;
`make drift-table` makes it, in some minutes. What a seed gave is kept in the folder of `--cache`.
"""

import argparse
import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from barograph.arrays import Float64
from barograph.cases.market import MARKET
from barograph.cases.spikes import WANTED
from barograph.evaluation import drift, drift_counts, drift_limits, drift_usual, labels
from barograph.evaluation.drift import KeyRows, Reference, findings, reference
from barograph.evaluation.drift_counts import count
from barograph.evaluation.drift_limits import cadence_of
from barograph.evaluation.drift_usual import (
    KS_LEVEL,
    PSI_LIMIT,
    kolmogorov_smirnov,
    stability_index,
)
from barograph.features.featurizer import Featurizer
from barograph.pipeline.drift_windows import CONFIRMED_BY, RELEASE
from barograph.simulated import law, market
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.types import NS_PER_S

PRODUCTS = ("BTC-USD", "ETH-USD")
START_S = 1_760_000_000
HOUR_S, DOUBLED_H, WARMUP_S = 3600, 4, 900
THINNED = 6
"""For the usual tests the reference has every sixth row: 7,200 of 12 hours."""
COLUMNS = tuple(dict.fromkeys([*WANTED, MARKET.value_now]))
PLACES = [MARKET.places[name] for name in COLUMNS]
OURS = "this test"
MADE_BY = (drift, drift_counts, drift_limits, drift_usual, law, market)
"""What a result depends on, beside the features."""

Hours = dict[str, list[bool]]


def rows_of(seed: int, hours: int) -> dict[str, KeyRows]:
    """The rows of a market whose volatility doubles after `hours`."""
    simulated = SimulatedMarket(PRESETS["market"], PRODUCTS, seed, START_S * NS_PER_S)
    featurizer = Featurizer()
    for product in PRODUCTS:
        featurizer.product_index(product)
    parts = []
    for hour in range(hours + DOUBLED_H):
        if hour == hours:
            simulated.model = simulated.model._replace(volatility=2 * simulated.model.volatility)
        parts.append(featurizer.update(simulated.array(HOUR_S))[0])
    every = np.concatenate(parts)
    every = every[every["second"] >= START_S + WARMUP_S]
    rows = {}
    for place, product in enumerate(PRODUCTS):
        of = every[every["product"] == place]
        values = of["values"][:, PLACES].astype(np.float32)  # as features enter models
        rows[product] = KeyRows(of["second"].copy(), values.astype(np.float64))
    return rows


def between(rows: KeyRows, start_h: float, end_h: float) -> KeyRows:
    """Those of [start_h, end_h) hours."""
    hour = (rows.second - START_S) / HOUR_S
    kept = (hour >= start_h) & (hour < end_h)
    return KeyRows(rows.second[kept], rows.values[kept])


def ours(rows: Mapping[str, KeyRows], reference_h: int, hours: int) -> dict[str, object]:
    """Alarms before the doubling, and minutes to the first one after it, of this project's test."""
    span_ns = (START_S * NS_PER_S, (START_S + reference_h * HOUR_S) * NS_PER_S)
    before = {key: between(of, 0, reference_h) for key, of in rows.items()}
    now = COLUMNS.index(MARKET.value_now)
    known = reference(
        before,
        COLUMNS,
        cadence=cadence_of(MARKET.step_s),
        feature_set=MARKET.feature_set,
        span_ns=span_ns,
        tau={key: labels.tau(of.values[:, now]) for key, of in before.items()},
        value_now=MARKET.value_now,
    )
    strengths: dict[int, float] = {}
    for key, of in rows.items():
        for end_s, strength in strongest(known, key, between(of, reference_h, 10**6)):
            strengths[end_s] = max(strengths.get(end_s, 0.0), strength)
    doubled_s = START_S + hours * HOUR_S
    calm = [strength for end_s, strength in sorted(strengths.items()) if end_s <= doubled_s]
    wild = [(end_s, strength) for end_s, strength in sorted(strengths.items()) if end_s > doubled_s]
    in_a_row, delay = 0, None
    for end_s, strength in wild:
        in_a_row = in_a_row + 1 if strength >= 1 else 0
        if in_a_row == CONFIRMED_BY:
            delay = (end_s - doubled_s) / 60
            break
    return {
        "alarms": alarms(calm),
        "hours": len(calm) / 12,
        "delay_min": delay,
        "tests": known.tests,
    }


def strongest(of: Reference, key: str, rows: KeyRows) -> Iterator[tuple[int, float]]:
    """(end of a window, its strongest test), as the live watch has them."""
    known, cadence = of.keys[key], of.cadence
    places = [COLUMNS.index(column.column) for column in known.columns.values()]
    counts = count(rows.second, rows.values[:, places], known.grid(), cadence.interval_s)
    windows = counts.windows(cadence.intervals)
    for interval, bins in zip(windows.interval.tolist(), windows.bins, strict=True):
        tests = (one.strength for one in findings(key, known, bins, cadence))
        yield (interval + 1) * cadence.interval_s, max(tests, default=0.0)


def alarms(strengths: list[float]) -> int:
    """Alarms that began, by the rule of the live watch."""
    began, in_a_row, alarmed = 0, 0, False
    for strength in strengths:
        in_a_row = in_a_row + 1 if strength >= 1 else 0
        if not alarmed and in_a_row >= CONFIRMED_BY:
            began, alarmed = began + 1, True
        elif alarmed and strength < RELEASE:
            alarmed = False
    return began


def usual(
    rows: Mapping[str, KeyRows], reference_h: int, hours: int, every: int
) -> dict[str, Hours]:
    """Whether each usual test alarms: every so many hours before the doubling, each after it."""
    flags: dict[str, Hours] = {"calm": {}, "wild": {}}
    sides = {key: sorted_columns(between(of, 0, reference_h)) for key, of in rows.items()}
    for hour in range(reference_h, hours + DOUBLED_H):
        if hour < hours and (hour - reference_h) % every:
            continue
        previous = {key: between(of, hour - 1, hour).values for key, of in rows.items()}
        current = {key: between(of, hour, hour + 1).values for key, of in rows.items()}
        for name, against in (("the reference", sides), ("the hour before", previous)):
            ks, psi = [], []
            for key, values in current.items():
                for place in range(len(COLUMNS)):
                    before, after = against[key][:, place], values[:, place]
                    ks.append(kolmogorov_smirnov(before, after)[1])
                    psi.append(stability_index(before, after))
            p, index = np.array(ks), np.array(psi)
            part = flags["calm" if hour < hours else "wild"]
            for test, alarmed in (
                (f"KS, p < 0.05 in any column, against {name}", (p < KS_LEVEL).any()),
                (f"KS, p < 0.05 / columns, against {name}", (p < KS_LEVEL / len(p)).any()),
                (
                    f"KS, p < 0.05 in half of the columns, against {name}",
                    (p < KS_LEVEL).mean() >= 0.5,
                ),
                (f"PSI > 0.2 in any column, against {name}", (index > PSI_LIMIT).any()),
                (
                    f"PSI > 0.2 in half of the columns, against {name}",
                    (index > PSI_LIMIT).mean() >= 0.5,
                ),
            ):
                part.setdefault(test, []).append(bool(alarmed))
    return flags


def sorted_columns(rows: KeyRows) -> Float64:
    """Each column of every `THINNED`th row in order, which spares the tests to sort it again."""
    return np.sort(rows.values[::THINNED], axis=0)


def result_of(seed: int, chosen: argparse.Namespace) -> dict[str, object]:
    """What the tests said of one seed; kept in the cache under what it depends on."""
    made_by = b"".join(Path(str(module.__file__)).read_bytes() for module in MADE_BY)
    asked = f"{seed} {chosen.hours} {chosen.reference} {chosen.every}".encode() + made_by
    file = chosen.cache / f"{hashlib.sha256(asked).hexdigest()[:16]}.json"
    if not file.exists():
        hours = chosen.reference + chosen.hours
        rows = rows_of(seed, hours)
        result = {
            OURS: ours(rows, chosen.reference, hours),
            "usual": usual(rows, chosen.reference, hours, chosen.every),
        }
        chosen.cache.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(result), encoding="utf-8")
    kept: dict[str, object] = json.loads(file.read_text(encoding="utf-8"))
    return kept


def as_table(results: list[dict]) -> str:
    """Markdown."""
    mine = [one[OURS] for one in results]
    hours = sum(one["hours"] for one in mine)
    began = sum(one["alarms"] for one in mine)
    rate = began / hours * 168
    delays = [one["delay_min"] for one in mine]
    lines = [
        "| test | alarms while nothing changed | after volatility doubled |",
        "|---|---:|---:|",
        f"| **{OURS}** | {began} in {hours:,.0f} h: {rate:.2f} a week | {found(delays)} |",
    ]
    for test in results[0]["usual"]["calm"]:
        calm = [flag for one in results for flag in one["usual"]["calm"][test]]
        first = [
            60 * (flags.index(True) + 1) if any(flags) else None
            for flags in (one["usual"]["wild"][test] for one in results)
        ]
        share = sum(calm) / len(calm)
        lines.append(
            f"| {test} | {share:.1%} of {len(calm):,} hours: {share * 168:.1f} hours a week | "
            f"{found(first)} |"
        )
    return "\n".join(lines).replace("%", " %") + "\n"


def found(delays: list[float | None]) -> str:
    """Median and largest delay, and how often there was none within the doubled hours."""
    known = sorted(delay for delay in delays if delay is not None)
    missed = len(delays) - len(known)
    word = f", not within {DOUBLED_H} h in {missed} of {len(delays)}" if missed else ""
    if not known:
        return "never" + word
    return f"median {known[len(known) // 2]:.0f} min, at most {known[-1]:.0f} min{word}"


def main() -> None:
    """Simulate, test and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--hours", type=int, default=50, help="unchanged hours of each seed")
    parser.add_argument("--reference", type=int, default=12, help="hours of the reference")
    parser.add_argument("--every", type=int, default=10, help="hours between those of usual tests")
    parser.add_argument("--first", type=int, default=1, help="first seed")
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "barograph-drift"
    )
    chosen = parser.parse_args()
    seeds = range(chosen.first, chosen.first + chosen.seeds)
    print(as_table([result_of(seed, chosen) for seed in seeds]), end="")


if __name__ == "__main__":
    main()
