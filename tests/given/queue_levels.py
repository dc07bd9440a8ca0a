"""The case of the queues whose value is forecast: how many wait, and from how many to how many."""

from dataclasses import replace
from itertools import islice

import numpy as np
import polars as pl

from barograph import codec
from barograph.cases import candidates, series_case
from barograph.cases.case import Dataset
from barograph.evaluation import labels
from barograph.evaluation.conformal import LevelRule
from barograph.learning.relative import Ratio
from barograph.types import Record
from queues import COLUMNS, LIVE, Counters, minutes

FLOOR = 0.1
LEVEL = LevelRule(slots=2, window=200, floor=FLOOR)


def contenders(features):
    """As many as now; regressions on the past alone, and on who is on the way; a classifier."""
    past = [Ratio(name, floor=FLOOR) for name in features if name != "arriving"]
    every = [Ratio(name, floor=FLOOR) for name in features]
    linear = candidates.least_squares(every, name="linear", repeats=10)
    har = candidates.least_squares(past, name="har", repeats=10)
    return (
        candidates.persistence("waiting", repeats=10),
        har,
        linear,
        candidates.logistic(features, repeats=10),
        candidates.combination((linear, har), repeats=10),
    )


QUEUE_LEVELS = series_case(
    "queue-levels",
    replace(LIVE, group_prefix="queue-levels-"),
    candidates=contenders,
    baselines=("persistence", "har"),
    longest_window_s=600,
    level=LEVEL,
)


def feature_rows(count, seed, queues=("north", "south"), start=0):
    """Records of feature rows, by minute, then by queue."""
    each = [list(minutes(count, seed, (queue,), start)) for queue in queues]
    machine, rows = Counters(), []
    for together in zip(*each, strict=True):
        records = [Record(one.topic, 0, 0, one.key, one.value) for one in together]
        rows += machine.receive(records).values
    return [Record(LIVE.rows, 0, place, key, value) for place, (key, value) in enumerate(rows)]


def dataset(count, seed):
    """Rows with their outcomes, as `training.series_dataset` makes them from a log."""
    rows = [codec.decode_row(record.value) for record in feature_rows(count, seed)]
    frames = []
    for queue in ("north", "south"):
        of_queue = [row for row in rows if row.product == queue]
        second = np.array([row.second for row in of_queue], np.int64)
        values = np.array([row.values for row in of_queue], np.float64)
        outcome = labels.later(second, values[:, 0], horizon_s=LIVE.horizon_s)
        frames.append(
            pl.DataFrame(
                {
                    "product": [queue] * len(second),
                    "second": second,
                    **{name: values[:, place] for place, name in enumerate(COLUMNS)},
                    "reasons": [row.reasons for row in of_queue],
                    "outcome": outcome,
                }
            ).with_columns(pl.col(*COLUMNS, "outcome").fill_nan(None))
        )
    return Dataset(pl.concat(frames), f"queues {count} {seed}")


def batches(records, sizes):
    """The records in batches of these sizes, in turns."""
    records = iter(records)
    turn = 0
    while some := list(islice(records, sizes[turn % len(sizes)])):
        yield some
        turn += 1
