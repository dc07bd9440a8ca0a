"""Prints what could be said in the first minutes of a feed, as decision 0049 quotes it.

    python docs/first_minutes.py RECORDING… [--home HOME]

Two questions are measured on real recordings, given in order of time. Can trades from a venue's
REST fill the warm-up, although features are made of mids? And does a scale-free model that was
trained on simulated markets say more than nothing, or than the baseline, before there is a model?
HOME has a dataset of the same recordings; without it one is built (`barograph dataset`).
`make first-minutes RECORDINGS="…"` runs it, in some five minutes.
"""

import argparse
import math
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import polars as pl
from simulated_table import START_S, simulated_table

from barograph.arrays import Bool, Float64, Int64
from barograph.cases.cold_start import ColdStart
from barograph.cases.spikes import SPIKES
from barograph.evaluation import bootstrap, labels, scores
from barograph.evaluation.splits import sessions
from barograph.files.lines import lines_of
from barograph.learning import candidates
from barograph.learning.candidates import Slices
from barograph.learning.examples import Examples
from barograph.learning.fitted import Fitted
from barograph.times import parse_time
from barograph.training import dataset
from barograph.types import NS_PER_S

WINDOWS = ("realized_vol_10s", "realized_vol_30s", "realized_vol_60s")
INPUTS = ("now", "short", "middle", "spread", "seconds", "now_times_seconds", "now_by_spread")
SEEDS, HOURS, PRODUCTS = (1, 2), 12, ("BTC-USD", "ETH-USD", "SOL-USD")
BEGIN_EVERY_S = 5_400
"""A simulated history is cut into beginnings of so many seconds."""

LEAST_S, HOLE_S, FIRST_S, HOUR_S = 1_200, 1_800, 720, 3_600
_FLOOR, _LONGEST_BYTES = 1e-7, 1 << 20


class Beginning(NamedTuple):
    """A product from the first second of a session on; each is (n,), volatilities (n, 3)."""

    second: Int64
    volatility: Float64
    outcome: Float64
    tau: dict[str, float]


def beginnings(frame: pl.DataFrame, *, hole_s: int, every_s: int = 0) -> list[Beginning]:
    """Cut each product where a feed would have begun anew: after a hole, or every so often."""
    second = frame["second"].to_numpy().astype(np.int64)
    session = sessions(second, hole_s=hole_s)
    found = []
    for name in frame["product"].unique().sort().to_list():
        of_product = (frame["product"] == name).to_numpy()
        outcome = _floats(frame, "outcome")[of_product]
        clock, number = second[of_product], session[of_product]
        if every_s:
            number = (clock - clock[0]) // every_s + number * 10**6
        values = np.column_stack([_floats(frame, window)[of_product] for window in WINDOWS])
        for each in np.unique(number):
            rows = np.flatnonzero(number == each)
            known = outcome[rows][~np.isnan(outcome[rows])]
            if len(known) >= LEAST_S:
                tau = {
                    "product": labels.tau(outcome),
                    "session": labels.tau(known),
                }
                found.append(Beginning(clock[rows], values[rows], outcome[rows], tau))
    return found


def _floats(frame: pl.DataFrame, column: str) -> Float64:
    values: Float64 = frame[column].cast(pl.Float64).fill_null(np.nan).to_numpy()
    return values


def inputs(volatility: Float64) -> tuple[Float64, Int64]:
    """(n, 7) scale-free inputs known at each second, and (n,) how many values had come by then."""
    logs = np.log(np.maximum(volatility, _FLOOR))
    now, known = logs[:, 2], ~np.isnan(volatility[:, 2])
    count = np.cumsum(known)
    summed = np.cumsum(np.where(known, now, 0.0)) / np.maximum(count, 1)
    squares = np.cumsum(np.where(known, now * now, 0.0)) / np.maximum(count, 1)
    spread = np.sqrt(np.maximum(0.0, squares - summed**2))
    away, seconds = now - summed, np.log(np.maximum(count, 1) / 600.0)
    short, middle = np.clip(logs[:, 0] - now, -3, 3), logs[:, 1] - now
    columns = (away, short, middle, spread, seconds, away * seconds, away / (spread + 0.2))
    return np.column_stack(columns), count


class Rows(NamedTuple):
    """Rows with an outcome: inputs (n, 7), and each (n,): y, how long it had been on, second."""

    x: Float64
    y: Float64
    known_s: Int64
    second: Int64
    beginning: Int64
    cold: Float64


def rows_of(every: Sequence[Beginning], tau: str, cold: Sequence[Float64]) -> Rows:
    """The rows of all beginnings that have inputs and an outcome."""
    parts = []
    for number, (each, baseline) in enumerate(zip(every, cold, strict=True)):
        x, known_s = inputs(each.volatility)
        usable = ~(np.isnan(x).any(axis=1) | np.isnan(each.outcome))
        y = labels.spikes(each.outcome, each.tau[tau])
        parts.append(
            Rows(
                x[usable],
                y[usable],
                known_s[usable],
                each.second[usable],
                np.full(usable.sum(), number),
                baseline[usable],
            )
        )
    return Rows(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def cold_start(each: Beginning) -> Float64:
    """(n,) what the baseline says that begins with the session; NaN before it does."""
    baseline, said = ColdStart(), np.full(len(each.second), np.nan)
    for place, (second, value) in enumerate(
        zip(each.second.tolist(), each.volatility[:, 2].tolist(), strict=True)
    ):
        if not math.isnan(value):
            baseline.learn(second, value)
            forecast = baseline.predict(value)
            said[place] = np.nan if forecast is None else forecast[0]
    return said


def fitted(rows: Rows, of: Bool) -> Fitted:
    """A logistic regression of every tenth of these rows, calibrated on halves of beginnings."""
    chosen = np.flatnonzero(of & (rows.known_s <= HOUR_S))[::10]

    def examples(mask: Bool) -> Examples:
        at = chosen[mask]
        x = np.ascontiguousarray(rows.x[at], np.float32)
        return Examples(x, rows.y[at] == 1.0)

    odd = rows.beginning[chosen] % 2 == 1
    slices = Slices(
        examples(np.ones(len(chosen), np.bool_)),
        ((examples(odd), examples(~odd)), (examples(~odd), examples(odd))),
    )
    return candidates.logistic(INPUTS, repeats=6).fit(slices, 1)


def probabilities(model: Fitted, rows: Rows) -> Float64:
    """(n,) of the rows."""
    said: Float64 = model.predict(np.ascontiguousarray(rows.x, np.float32))
    return said


def left_out(rows: Rows) -> Float64:
    """(n,) of a model fitted on the real beginnings but those of the row's day: an upper bound."""
    said, day = np.full(len(rows.y), np.nan), rows.second // 86_400
    for each in np.unique(day):
        of_day = day == each
        only = Rows(*(column[of_day] for column in rows))
        said[of_day] = probabilities(fitted(rows, ~of_day), only)
    return said


def prior_table(real: Sequence[Beginning], simulated: Sequence[Beginning]) -> Iterator[str]:
    """Lines: the first twelve minutes beside a constant, then an hour beside the baseline."""
    cold = [cold_start(each) for each in real]
    yield f"{len(real)} beginnings of products, {sum(len(each.second) for each in real):,} seconds"
    for tau in ("product", "session"):
        rows = rows_of(real, tau, cold)
        learned = rows_of(simulated, tau, [np.full(len(s.second), np.nan) for s in simulated])
        said = {
            "always 10 %": np.full(len(rows.y), 0.1),
            "prior of simulated markets": probabilities(
                fitted(learned, np.ones(len(learned.y), np.bool_)), rows
            ),
            "fitted on other real days": left_out(rows),
            "baseline (cold start)": rows.cold,
        }
        knows = ~np.isnan(rows.cold)
        for name, part in (
            ("first 12 minutes", ~knows & (rows.known_s <= FIRST_S)),
            ("rest of the first hour", knows & (rows.known_s <= HOUR_S)),
        ):
            share = rows.y[part].mean()
            yield f"\ntau of the {tau}, {name}: {part.sum():,} rows, {share:.3f} spikes"
            yield from _scored(rows, part, said)


def _scored(rows: Rows, part: Bool, said: dict[str, Float64]) -> Iterator[str]:
    second = rows.second[part]
    drawn = bootstrap.resamples(second, sessions(second, hole_s=HOLE_S), count=200)
    y = rows.y[part]
    known = {name: p[part] for name, p in said.items() if not np.isnan(p[part]).any()}
    asked = [(score, p) for p in known.values() for score in (scores.pr_auc, scores.brier)]
    results = bootstrap.resampled_together(asked, y, drawn)
    reference = "baseline (cold start)" if "baseline (cold start)" in known else "always 10 %"
    of = dict(zip(known, zip(results[::2], results[1::2], strict=True), strict=True))
    for name, (ranking, error) in of.items():
        better = (error - of[reference][1]).interval()
        yield (
            f"  {name:28} PR-AUC {ranking.estimate:.3f}  Brier {error.estimate:.4f}"
            f"  minus {reference} {better.estimate:+.4f} [{better.low:+.4f}, {better.high:+.4f}]"
        )


class _Line(msgspec.Struct):
    product_id: str = ""
    price: str = ""
    best_bid: str = ""
    best_ask: str = ""
    time: str = ""


def trades_table(paths: Sequence[Path]) -> Iterator[str]:
    """Lines: 60-second volatility of last trade prices beside that of mids, by product."""
    ratios: dict[str, list[Float64]] = {}
    wrong: dict[str, list[tuple[Float64, Float64]]] = {}
    for path in paths:
        for name, second, price, mid in _closes(path):
            of_trades, of_mids = (_volatility(second, each) for each in (price, mid))
            both = ~np.isnan(of_mids) & (of_mids > 0)
            ratios.setdefault(name, []).append(of_trades[both] / of_mids[both])
            wrong.setdefault(name, []).append((of_trades[both], of_mids[both]))
    yield "60-second volatility of trade prices / of mids: p10, median, p90; at or above tau"
    for name, parts in sorted(ratios.items()):
        ratio = np.concatenate(parts)
        trades, mids = (np.concatenate(each) for each in zip(*wrong[name], strict=True))
        tau = np.quantile(mids, 0.9)
        low, middle, high = np.quantile(ratio, [0.1, 0.5, 0.9])
        yield (
            f"  {name:8} {len(ratio):8,} s  {low:.2f}  {middle:.2f}  {high:.2f}"
            f"  {(trades >= tau).mean():.1%} of seconds, not {(mids >= tau).mean():.1%}"
        )


def _closes(path: Path) -> Iterator[tuple[str, Int64, Float64, Float64]]:
    """By product: seconds with a ticker, their last trade price and mid."""
    closes: dict[str, dict[int, tuple[float, float]]] = {}
    decoder = msgspec.json.Decoder(_Line)
    with path.open("rb") as file:
        for _, line in lines_of(file, _LONGEST_BYTES):
            tick = decoder.decode(bytes(line) if isinstance(line, bytes) else b"{}")
            if tick.best_bid and tick.best_ask and tick.price:
                mid = (float(tick.best_bid) + float(tick.best_ask)) / 2
                second = parse_time(tick.time) // NS_PER_S
                closes.setdefault(tick.product_id, {})[second] = (float(tick.price), mid)
    for name, of_second in closes.items():
        ordered = sorted(of_second)
        both = np.array([of_second[second] for second in ordered])
        yield name, np.array(ordered), both[:, 0], both[:, 1]


def _volatility(second: Int64, close: Float64) -> Float64:
    """(n,) of the last 60 seconds at each second with a ticker; NaN near a silence over 10 s."""
    grid = np.arange(second[0], second[-1] + 1)
    at = np.searchsorted(second, grid, side="right") - 1
    logs = np.log(close[at])
    returns = np.diff(logs, prepend=logs[0])
    returns[grid - second[at] > 10] = np.nan
    squares = np.concatenate([[0.0], np.cumsum(np.where(np.isnan(returns), 0.0, returns**2))])
    broken = np.concatenate([[0], np.cumsum(np.isnan(returns))])
    out = np.full(len(grid), np.nan)
    whole = np.arange(60, len(grid))
    mean = (squares[whole + 1] - squares[whole - 59]) / 60
    out[whole] = np.where(
        broken[whole + 1] == broken[whole - 59], np.sqrt(np.maximum(mean, 0)), np.nan
    )
    at_tickers: Float64 = out[second - second[0]]
    return at_tickers


def simulated_beginnings() -> list[Beginning]:
    """Beginnings of simulated markets, to learn from."""
    made = []
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as home:
            simulated_table(Path(home), "market", PRODUCTS, seed=seed, hours=HOURS)
            frame = dataset.read(Path(home), SPIKES).frame.sort("product", "second")
        made += beginnings(frame, hole_s=START_S, every_s=BEGIN_EVERY_S)
    return made


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", nargs="+", type=Path)
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    print("\n".join(trades_table(options.recordings)))
    with tempfile.TemporaryDirectory() as folder:
        home = options.home or Path(folder)
        if options.home is None:
            dataset.build(home, SPIKES, recordings=options.recordings)
        frame = dataset.read(home, SPIKES).frame.sort("product", "second")
    real = beginnings(frame, hole_s=HOLE_S)
    print("\n".join(["", *prior_table(real, simulated_beginnings())]))


if __name__ == "__main__":
    main()
