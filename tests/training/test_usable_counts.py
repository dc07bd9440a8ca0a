"""How many rows of a table are usable: by kinds of rows, as by all rows."""

import dataclasses

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.cases.sampled import STANDS_FOR
from barograph.cases.spikes import HORIZONS, SPIKES
from barograph.training import dataset_table
from barograph.training.dataset_table import FoundTable
from barograph.training.usable_counts import usable_counts
from barograph.types import Reason
from datasets_written import queue_rows, written
from markets import market
from queues import QUEUES


def by_all_rows(case, frame):
    table = case.table(frame)
    return len(table.order), dict(table.unused), dict(table.left_out)


REASONS = st.sampled_from([Reason.KNOWN] * 9 + [Reason.WARMUP, Reason.GAP, Reason.NOT_OFFERED])


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(REASONS, REASONS, st.booleans()), min_size=1, max_size=40),
    st.integers(20, 90),
    st.integers(0, 40),
)
def test_kinds_of_rows_tell_what_all_rows_do(tmp_path_factory, pattern, at_once, hole):
    many = (pattern * 900)[:900]
    outcomes = [None if unknown and n % 5 == 0 else 1.0 for n, (_, _, unknown) in enumerate(many)]
    reasons = [f"0{int(one)}{int(other)}" for one, other, _ in many]
    frame = queue_rows({"south": outcomes, "north": outcomes}).with_columns(
        pl.Series("reasons", reasons * 2)
    )
    frame = frame.filter(~(pl.col("second") // 600).is_between(hole, hole + 40))
    home = written(tmp_path_factory.mktemp("home"), QUEUES, frame)
    with pytest.MonkeyPatch.context() as now:
        now.setattr("barograph.training.dataset_table.ROWS_AT_ONCE", at_once)
        counts = usable_counts(dataset_table.found(home, QUEUES), QUEUES)
    assert counts == by_all_rows(QUEUES, frame)


@pytest.mark.slow
def test_kinds_of_rows_of_a_market_tell_what_all_rows_do_at_each_horizon(tmp_path):
    frame = market("market", 2, seed=3, products=("BTC-USD", "ETH-USD")).frame
    frame = frame.filter(~pl.col("second").is_between(1_750_003_000, 1_750_003_100))
    for case in (SPIKES, *HORIZONS):
        table = dataset_table.found(written(tmp_path, case, frame), case)
        assert usable_counts(table, case) == by_all_rows(case, frame)


def test_all_rows_are_read_for_a_case_that_does_not_know_what_rows_stand_for(tmp_path):
    frame = queue_rows({"south": [1.0, None, 2.0]})
    home = written(tmp_path, QUEUES, frame)
    found = dataset_table.found(home, QUEUES)
    deaf = dataclasses.replace(QUEUES, table=lambda rows: QUEUES.table(_plain(rows)))
    never = dataclasses.replace(deaf, samples_history=False)
    for case in (QUEUES, deaf, never):
        assert usable_counts(FoundTable(*found), case) == (2, {"label unknown": 1}, {})


def _plain(rows):
    return rows.drop(STANDS_FOR) if STANDS_FOR in rows.columns else rows
