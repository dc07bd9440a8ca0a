"""Which rows of a long table are usable, without having them all in memory.

What decides it is the same in many rows: the product, the regime, whether the outcome is known, and
the reasons of the features. So one row of each kind is kept, which stands for all of them, and the
case's own `table` says the rest.
"""

from typing import NamedTuple

import numpy as np
import polars as pl

from barograph.cases.case import Case
from barograph.cases.sampled import HISTORY, REGIME, STANDS_FOR
from barograph.cases.series import REGIME_HOLE_S
from barograph.training.dataset_table import FoundTable
from barograph.training.history_sample import Spans


class UsableCounts(NamedTuple):
    """How many rows are usable, how many are not, by reason, and why features are not used."""

    usable: int
    unused: dict[str, int]
    left_out: dict[str, str]


def usable_counts(table: FoundTable, case: Case) -> UsableCounts:
    """Count the usable rows of a case's table, as its `table` would say of all of them.

    In bounded memory where the case takes rows that stand for others (`Case.samples_history`).
    """
    if case.samples_history:
        known = case.table(_kinds(table))
        if known.sampled is not None:
            usable = int(known.sampled.stands_for.sum())
            return UsableCounts(usable, dict(known.unused), dict(known.left_out))
    known = case.table(table.scanned().collect())
    return UsableCounts(len(known.order), dict(known.unused), dict(known.left_out))


def _kinds(table: FoundTable) -> pl.DataFrame:
    """A row of each kind, with how many there are."""
    regimes = Spans(REGIME_HOLE_S)
    for some in table.pieces("second"):
        regimes.add(some["second"].to_numpy().astype(np.int64))
    kinds: list[pl.DataFrame] = []
    for some in table.pieces():
        regime = regimes.number(some["second"].to_numpy().astype(np.int64))
        each = some.with_columns(pl.Series(REGIME, regime), pl.lit(1, pl.Int64).alias(STANDS_FOR))
        kinds = [_together(pl.concat([*kinds, _together(each)]))]
    return kinds[0].with_columns(pl.lit(value=False).alias(HISTORY))


def _together(rows: pl.DataFrame) -> pl.DataFrame:
    """The first row of each kind, in their order, for all rows of the kind."""
    kind = ["product", REGIME, "reasons", pl.col("outcome").is_null().alias("unknown")]
    count = pl.col(STANDS_FOR)
    return (
        rows.group_by(kind, maintain_order=True)
        .agg(pl.exclude(STANDS_FOR).first(), count.sum())
        .select(rows.columns)
    )
