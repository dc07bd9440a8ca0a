"""Rows of a series whose history was sampled: how many rows each kept one stands for.

The newest rows are complete. Of the history before them rows were left out, so that those that were
kept stand for others too. A sampled frame says so in the columns named here, beside those of its
dataset.
"""

from typing import NamedTuple

import msgspec

from barograph.arrays import Bool, Int64
from barograph.evaluation.splits import Rows

STANDS_FOR = "sample:stands_for"
"""Column, int64: how many rows of the dataset a row stands for."""

HISTORY = "sample:history"
"""Column, bool: whether a row is of the sampled history, and is only fitted on."""

REGIME = "sample:regime"
"""Column, int64: the number of the row's regime among those of all rows of the dataset."""


class SampledRows(NamedTuple):
    """How many rows each row (n,) stands for, and which (n,) are of the sampled history."""

    stands_for: Int64
    history: Bool

    def only(self, rows: Rows | Bool) -> "SampledRows":
        """Those of these rows."""
        return SampledRows(self.stands_for[rows], self.history[rows])


class SampleFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What was kept of a dataset that has more than `max_rows` rows.

    All `complete_rows` from second `complete_from_s` (since 1970) on are kept: they are tested,
    held out and fitted on. Of the `history_rows` before them, which are only fitted on,
    `history_kept` are: of the `on_stride` rows whose second is a multiple of the case's stride all
    `episode_rows`, whose outcome is at or above `tau` of their product, and one in `one_in` of the
    others. `spacing` rows follow each other from one of a product on the stride to the next.
    `episodes` counts those of each product in the history, `episodes_between` those of them without
    a row on the stride.
    """

    rows: int
    max_rows: int
    complete_from_s: int
    complete_rows: int
    history_rows: int
    on_stride: int
    history_kept: int
    episode_rows: int
    episodes: int
    episodes_between: int
    one_in: int
    spacing: int
    tau: dict[str, float]
