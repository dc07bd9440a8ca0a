"""Datasets of the queues whose later half follows another law, or the same."""

import numpy as np
import polars as pl

from barograph.cases.case import Dataset
from drifting_rows import START, remembering, seconds
from queues import COLUMNS


def dataset_of(earlier, later, keys=("north", "south"), holes=()):
    """One half after the other, by key; the rows at `holes` are not there."""
    values = np.concatenate([earlier, later])
    kept = np.setdiff1d(np.arange(len(values)), holes)
    second = seconds(len(values), START)[kept]
    frames = [
        pl.DataFrame(
            {"product": [key] * len(kept), "second": second}
            | {name: values[kept, place] for place, name in enumerate(COLUMNS)}
            | {"outcome": np.abs(values[kept, 0])}
        ).with_columns(
            pl.col(COLUMNS).fill_nan(None),
            log_mid_e9=pl.lit(None, pl.Int64),
            return_e9=pl.lit(None, pl.Int64),
            reasons=pl.Series(
                [
                    "".join("2" if missing else "0" for missing in row)
                    for row in np.isnan(values[kept])
                ]
            ),
        )
        for key in keys
    ]
    return Dataset(pl.concat(frames), "hash")


def unchanged(rows=2000):
    whole = remembering(2 * rows, 3, memory=0.3)
    return dataset_of(whole[:rows], whole[rows:])


def changed(rows=2000, **more):
    later = 5 * remembering(rows, 4, memory=0.3) + 9
    return dataset_of(remembering(rows, 3, memory=0.3), later, **more)
