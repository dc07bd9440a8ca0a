"""Tables of candles as the gate takes them, and what is done to them."""

import numpy as np
import polars as pl

from barograph.evaluation.quality_report import SCHEMA
from barograph.venues.candle_pages import CandleRow

START_S = 1_732_924_800
HOUR_S = 3600


def rows(n, seed=1, step_s=HOUR_S, start_s=START_S):
    """`n` good candles, as rows of a page."""
    rng = np.random.default_rng(seed)
    close = 90_000 * np.exp(np.cumsum(rng.normal(0, 0.005, n + 1)))
    return [
        CandleRow(
            start_s=start_s + i * step_s,
            open=f"{close[i]:.2f}",
            high=f"{max(close[i], close[i + 1]) * 1.001:.2f}",
            low=f"{min(close[i], close[i + 1]) * 0.999:.2f}",
            close=f"{close[i + 1]:.2f}",
            volume=f"{rng.uniform(50, 900):.2f}",
        )
        for i in range(n)
    ]


def table(n, seed=1, step_s=HOUR_S, **changed):
    """`n` good candles as a table; `changed` is column → {row: value}."""
    columns = {"line": list(range(2, n + 2))}
    made = rows(n, seed, step_s)
    for name in SCHEMA:
        if name != "line":
            columns[name] = [getattr(row, name) for row in made]
        for place, value in changed.get(name, {}).items():
            columns[name][place] = value
    return pl.DataFrame(columns, schema=SCHEMA)


def csv_of(made, header="time,open,high,low,close,volume"):
    """Rows as a CSV file."""
    lines = [
        f"{row.start_s},{row.open or ''},{row.high or ''},{row.low or ''},{row.close or ''},"
        f"{row.volume}"
        for row in made
    ]
    return "\n".join([header, *lines, ""])
