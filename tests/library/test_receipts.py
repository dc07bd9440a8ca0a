"""Receipts that leave every event time believed, and others."""

from datetime import UTC

import polars as pl
import pytest

from barograph.library.receipts import all_believed
from barograph.library.tick_columns import tick_table
from barograph.types import NS_PER_S

START_NS = 1_750_000_000 * NS_PER_S
FUTURE_NS = 60 * NS_PER_S


def believed(*behind_s):
    """Of rows a second apart, each received so much behind its time; None for not told."""
    times = [START_NS + n * NS_PER_S for n in range(len(behind_s))]
    got = [
        None if behind is None else time + int(behind * NS_PER_S)
        for time, behind in zip(times, behind_s, strict=True)
    ]
    frame = pl.DataFrame({"time": times, "received": pl.Series(got, dtype=pl.Int64)})
    frame = frame.with_columns(product=pl.lit("A-USD"), bid=1.0, ask=2.0)
    return all_believed(
        tick_table(frame, {name: name for name in frame.columns}, UTC).rows, FUTURE_NS
    )


@pytest.mark.parametrize(
    "behind_s",
    [[None] * 3, [0.05] * 3, [-1.5, 0.1, 0.2], [0.05, 5.0, 0.05] * 5, [90.0] * 4],
    ids=str,
)
def test_delays_and_clocks_that_differ_a_little_are_believed(behind_s):
    assert believed(*behind_s)


@pytest.mark.parametrize(
    "behind_s",
    [[0.05, 0.05, -3.0], [0.1, -61.0], [5.0] * 2500 + [0.5]],
    ids=["ahead", "far", "set"],
)
def test_an_event_far_ahead_of_its_receipt_is_for_the_machine(behind_s):
    assert not believed(*behind_s)
