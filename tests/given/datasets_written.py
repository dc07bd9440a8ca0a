"""Datasets of a series that are written as they are given, with the manifest that tells of them."""

import msgspec
import numpy as np
import polars as pl

from barograph.files.lines import file_sha256
from barograph.training import dataset_table


def queue_rows(outcomes, *, start_s=0, step_s=60):
    """Rows of queues: outcomes by queue, None for an unknown one, all else known.

    Rows of a queue are `step_s` apart.
    """
    frames = []
    for queue, of_queue in outcomes.items():
        n = len(of_queue)
        now = np.arange(n) % 17 + 1.0
        frames.append(
            pl.DataFrame(
                {
                    "product": [queue] * n,
                    "second": start_s + step_s * np.arange(n),
                    "waiting": now,
                    "waiting_mean_10min": now,
                    "arriving": now,
                    "reasons": ["000"] * n,
                    "outcome": pl.Series(of_queue, dtype=pl.Float64),
                }
            )
        )
    return pl.concat(frames)


def written(home, case, frame, rows_of_a_group=50_000):
    """Write a frame as the dataset of a case; the home."""
    table, manifest = dataset_table.paths(home, case)
    table.parent.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(table, row_group_size=rows_of_a_group)
    facts = {
        "feature_set": case.feature_set, "data_hash": "d", "rows": len(frame),
        "table_sha256": file_sha256(table),
    }  # fmt: skip
    manifest.write_bytes(msgspec.json.encode(facts))
    return home
