"""Rows of sessions in any order become one table, in the order of product and second."""

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from barograph.cases.market import MARKET
from barograph.feature_set.catalogue import NAMES, ROW
from barograph.training import dataset_parts
from barograph.training.dataset_parts import Parts

NAMED = ("BTC-USD", "ETH-USD")
VALUE_NOW = NAMES.index(MARKET.value_now)


def rows_of(product, first, count):
    """Rows of a session whose volatility tells the second."""
    rows = np.zeros(count, ROW)
    rows["product"], rows["second"] = product, np.arange(first, first + count)
    rows["values"][:, VALUE_NOW] = rows["second"]
    return rows


def table(folder, sessions, *, at_a_time):
    parts = Parts(folder, MARKET)
    rows = np.concatenate([rows_of(*session) for session in sessions])
    for start in range(0, len(rows), at_a_time):
        parts.add(rows[start : start + at_a_time], NAMED.__getitem__)
    facts = parts.finish(NAMED.__getitem__)
    return pl.concat([pl.read_parquet(path) for path in parts.paths]), facts


SESSIONS = [(0, 0, 100), (0, 300, 200), (0, 1000, 90), (1, 50, 130), (1, 400, 70)]


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(order=st.permutations(SESSIONS), at_a_time=st.integers(1, 400), part=st.integers(10, 200))
@example(order=SESSIONS[::-1], at_a_time=1, part=1)  # hundreds of parts: dear, and once enough
def test_any_order_of_sessions_gives_the_same_table(tmp_path_factory, order, at_a_time, part):
    folders = [tmp_path_factory.mktemp("parts") for _ in range(2)]
    expected, facts = table(folders[0], SESSIONS, at_a_time=1000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset_parts, "_ROWS_OF_A_PART", part)
        made, their_facts = table(folders[1], order, at_a_time=at_a_time)
    # exact: copies of the same numbers
    assert made.equals(expected)
    assert their_facts == facts
    seconds = made.filter(pl.col("product") == "BTC-USD")["second"].to_list()
    assert seconds == [*range(100), *range(300, 500), *range(1000, 1090)]


def test_an_outcome_is_that_of_its_own_session(tmp_path):
    made, facts = table(tmp_path, [(0, 1000, 100), (0, 0, 100)], at_a_time=50)
    known = made.filter(pl.col("outcome").is_not_null())
    assert (known["outcome"] == known["second"] + MARKET.horizon_s).all()
    assert known["second"].to_list() == [*range(40), *range(1000, 1040)]
    assert facts["BTC-USD"].labelled == len(known)
    assert (facts["BTC-USD"].first_second, facts["BTC-USD"].last_second) == (0, 1099)
