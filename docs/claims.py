"""Fills the table of `claims.md`: what projects of this kind claim, met honestly and not.

`make claims` runs it on the candles of `make hourly-demo`, in about a minute; `CANDLES=` takes
invented ones. Everything is measured on the second half of the hours. What is fitted is fitted on
the first half, with a month between.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np

from barograph.app.runs import extracting
from barograph.app.settings import Settings
from barograph.arrays import Bool, Float64
from barograph.candle_records import HOUR_S
from barograph.cases.case import Table
from barograph.cases.hourly import HOURLY
from barograph.evaluation import scores
from barograph.feature_set.hourly.catalogue import LONGEST_WINDOW_H
from barograph.learning.relative import VOL_FLOOR
from barograph.log import open_log
from barograph.simulated.candle_history import CandleHistory
from barograph.training import dataset, series_dataset
from barograph.types import NS_PER_S

PAGE = Path(__file__).with_name("claims.md")
BEGIN, END = "<!-- claims:begin -->", "<!-- claims:end -->"
HEAD = "| claim | how | figure | met |\n|---|---|---|---|"
WINDOW = "gk_vol_24h"
HOURS = 20_000
"""Of an invented market."""
_NOISE_ROWS, _NOISE_FEATURES, _OVERLAP = 3600, 12, 60


class Claim(NamedTuple):
    """A row of the table: a bar, a way to measure, what that gives, and whether the bar is met."""

    bar: str
    how: str
    figure: str
    met: bool


def candle_table(file: Path) -> Table:
    """The usable hours of a file of BTC-USD candles, as for `barograph train --case hourly`."""
    with tempfile.TemporaryDirectory() as place:
        settings = Settings(home=Path(place))
        policy, now_ns = extracting.policy_of(settings), time.time_ns()
        judged = extracting.judged_file(file, "BTC-USD", policy, now_ns)
        with closing(open_log(settings.home)) as log:
            extracting.from_files(log, settings, [judged], "BTC-USD")
            series_dataset.build(log, settings.home, HOURLY)
        return HOURLY.table(dataset.read(settings.home, HOURLY).frame)


def invented(folder: Path) -> Path:
    """A file of an invented market's hours."""
    history = CandleHistory({"BTC-USD": 60_000.0}, time.time_ns(), seed=1)
    end_s = time.time_ns() // NS_PER_S // HOUR_S * HOUR_S
    bars = history.bars("BTC-USD", end_s - HOURS * HOUR_S, end_s)
    lines = [f"{b.start_s},{b.open},{b.high},{b.low},{b.close},{b.volume}" for b in bars]
    file = folder / "invented.csv"
    file.write_text("\n".join(["time,open,high,low,close,volume", *lines]), encoding="utf-8")
    return file


def claims(table: Table) -> Iterator[Claim]:
    """Every bar, each in several ways."""
    half = len(table.order) // 2
    first, second = slice(0, half - LONGEST_WINDOW_H), slice(half, None)
    wide = column(table, WINDOW)
    came = np.maximum(table.outcome, VOL_FLOOR)

    bar = "R² > 0.75"
    honest = fitted(table, first, second)
    yield of_r2(bar, "the next hour, least squares on all columns", came[second], honest)
    # Each pair of windows has 23 of its 24 hours in common.
    follows = np.flatnonzero(np.diff(table.order) == np.diff(table.order).min())
    later = follows[follows >= half]
    yield of_r2(
        bar, "*a window of 24 hours, one hour later, by itself*", wide[later + 1], wide[later]
    )
    apart = column(table, "parkinson_vol_6h")
    yield of_r2(
        bar, "*the last six hours, by their own ranges*", column(table, "gk_vol_6h")[second],
        apart[second],
    )  # fmt: skip

    zero = np.zeros(len(came[second]))
    for bar, most, score in (("RMSE < 0.05", 0.05, scores.rmse), ("MAE < 0.03", 0.03, scores.mae)):
        value = score(came[second], honest)
        yield Claim(
            bar, "the next hour, least squares on all columns", f"{value:.4f}", value < most
        )
        value = score(came[second], zero)
        yield Claim(bar, "*zero, always: the unit is 1/√h*", f"{value:.4f}", value < most)

    noise, noise_rate = shuffled_noise()
    for least in (0.6, 0.7):
        bar = f"PR-AUC ≥ {least:.2f}"
        for how, share, of in (
            ("the next hour, above its 0.90 quantile in training", 0.9, first),
            ("*the next hour, above its median in the test*", 0.5, second),
        ):
            high = (table.outcome[second] >= np.quantile(table.outcome[of], share)).astype(
                np.float64
            )
            value = scores.pr_auc(high, honest)
            figure = f"{value:.2f} at a base rate of {high.mean():.2f}"
            yield Claim(bar, how, figure, value >= least)
        figure = f"{noise:.2f} at a base rate of {noise_rate:.2f}"
        yield Claim(bar, "*noise with overlapping labels, rows shuffled*", figure, noise >= least)

    taken_ms = least_squares_ms(table)
    yield Claim("8.2 ms", "*around `predict()` of one row*", f"{taken_ms:.3f} ms", taken_ms < 8.2)


def column(table: Table, name: str) -> Float64:
    """(n,) one feature of a table's rows."""
    values: Float64 = table.x[:, table.features.index(name)].astype(np.float64)
    return values


def design(table: Table, rows: slice) -> Float64:
    """(n, m) inputs of the regression: volatilities as logarithms, other columns as they are."""
    names = enumerate(table.features)
    parts = [
        np.log(np.maximum(table.x[rows, place], VOL_FLOOR))
        if "_vol_" in name
        else table.x[rows, place]
        for place, name in names
        if name not in {"target_hour", "target_weekday"}
    ]
    return np.column_stack([*parts, np.ones(len(parts[0]))]).astype(np.float64)


def weights(table: Table, rows: slice) -> Float64:
    """(m,) least squares of the logarithm of the next hour's volatility."""
    solution: Float64 = np.linalg.lstsq(
        design(table, rows), np.log(np.maximum(table.outcome[rows], VOL_FLOOR)), rcond=None
    )[0]
    return solution


def fitted(table: Table, train: slice, test: slice) -> Float64:
    """(n,) forecasts of the tested rows by a regression that was fitted before them."""
    return np.exp(design(table, test) @ weights(table, train))


def of_r2(bar: str, how: str, came: Float64, forecast: Float64) -> Claim:
    """A claim about R²."""
    value = scores.r2(came, forecast)
    return Claim(bar, how, f"{value:.2f}", value > 0.75)


def shuffled_noise() -> tuple[float, float]:
    """PR-AUC and base rate of neighbours on noise whose labels overlap, as in minutes of seconds.

    Features are a random walk; the label of a row is whether a sum over the next `_OVERLAP` draws
    of other noise is among the largest tenth. Every other row is tested, by its nearest row.
    """
    rng = np.random.default_rng(1)
    walk = np.cumsum(rng.normal(size=(_NOISE_ROWS, _NOISE_FEATURES)), axis=0)
    draws = np.concatenate([[0.0], np.cumsum(rng.normal(size=_NOISE_ROWS + _OVERLAP))])
    ahead = draws[_OVERLAP + 1 :] - draws[1:-_OVERLAP]
    high: Bool = ahead >= np.quantile(ahead, 0.9)
    rows = rng.permutation(_NOISE_ROWS)
    train, test = rows[::2], rows[1::2]
    apart = ((walk[test][:, None, :] - walk[train][None, :, :]) ** 2).sum(axis=2)
    nearest = np.argsort(apart, axis=1)[:, :5]
    value = scores.pr_auc(high[test].astype(np.float64), high[train][nearest].mean(axis=1))
    return value, float(high[test].mean())


def least_squares_ms(table: Table) -> float:
    """Median time of one row through the regression, in milliseconds."""
    row, solution = design(table, slice(0, 1)), weights(table, slice(0, 5000))
    taken = []
    for _ in range(1000):
        started = time.perf_counter()
        float((row @ solution)[0])
        taken.append(time.perf_counter() - started)
    return 1000 * float(np.median(taken))


def with_table(text: str, rows: list[Claim]) -> str:
    """The page with its table made anew. Raises ValueError where it has no place for one."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"there is no place for the table in {PAGE.name}")
    lines = [
        f"| {row.bar} | {row.how} | {row.figure} | {'yes' if row.met else 'no'} |" for row in rows
    ]
    return before + "\n".join([begin, HEAD, *lines, end]) + after


def main() -> None:
    """Measure, print, and write the page."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("candles", type=Path, nargs="?", help="of BTC-USD, CSV or Parquet")
    named = arguments.parse_args().candles
    with tempfile.TemporaryDirectory() as folder:
        rows = list(claims(candle_table(named or invented(Path(folder)))))
    for row in rows:
        print(f"{row.bar:<14} {row.figure:<28} {row.how}")
    if named is None:
        print("The page keeps the figures of real candles.")
        return
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), rows), encoding="utf-8")


if __name__ == "__main__":
    main()
