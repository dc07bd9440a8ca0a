"""Stretches: which events each has, what it reads before them, and what it leaves behind."""

from itertools import pairwise

import msgspec
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.archive.lake import INDEX_COLUMNS
from barograph.errors import BadInputError
from barograph.training import stretches
from barograph.training.results import Folder, Results
from barograph.training.stretches import EARLIER_H, Stretch, compute, plan


def index_of(*files):
    """An index of one product's files: hour, first and last number."""
    rows = [("BTC-USD", hour, f"/lake/{hour}", first, last, 1, None) for hour, first, last in files]
    return pl.DataFrame(rows, schema=INDEX_COLUMNS, orient="row")


@pytest.fixture(autouse=True, scope="module")
def small():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stretches, "BLOCK_EVENTS", 10)
        patch.setattr(stretches, "MOST_EVENTS", 100)
        yield


def test_a_stretch_is_a_day_read_from_two_hours_before():
    files = [(hour, 10 * hour, 10 * hour + 9) for hour in range(48)]
    first, second, *more = plan(index_of(*files), {"BTC-USD": 480}, "lake")
    assert (first.first, first.end, first.reach) == (0, 100, 0)
    assert (second.first, second.end) == (100, 200)  # no more than MOST_EVENTS
    assert [each.first for each in more] == [200, 240, 340, 440]
    assert more[1].reach == 240 - 10 * EARLIER_H
    assert more[1].paths == tuple(f"/lake/{hour}" for hour in range(22, 34))


@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(1, 60)), min_size=1, max_size=30),
    st.integers(0, 3),
)
def test_the_stretches_of_any_lake_are_all_its_events_once(sizes, overlap):
    """Hours in any order, as of sessions, and late events that lie in the hour before."""
    files, number = {}, 0
    for hour, size in sizes:
        first, _ = files.get(hour, (max(0, number - overlap), 0))
        files[hour] = (first, number + size - 1)
        number += size
    index = index_of(*((hour, *ends) for hour, ends in files.items()))
    planned = list(plan(index, {"BTC-USD": number}, "lake"))
    assert planned[0].first == 0
    assert planned[-1].end == number
    for before, after in pairwise(planned):
        assert before.end == after.first
        assert after.first % 10 == 0
    for each in planned:
        assert 0 <= each.reach <= each.first < each.end <= each.first + 100
        needed = {
            f"/lake/{hour}"
            for hour, (first, last) in files.items()
            if first < each.end and last >= each.reach
        }
        assert set(each.paths) == needed


def test_events_that_no_file_has_are_a_damaged_index():
    with pytest.raises(BadInputError, match="no file has event 100"):
        list(plan(index_of((0, 0, 20)), {"BTC-USD": 150}, "lake"))


def test_a_product_without_events_has_no_stretch():
    assert list(plan(index_of(), {"BTC-USD": 0}, "lake")) == []


STRETCH = Stretch(product="BTC-USD", paths=("a",), reach=0, first=0, end=1, lake="x")


def test_what_it_reads_and_by_which_features_is_its_key():
    changes = [{"lake": "y"}, {"first": 1}, {"state": b""}, {"paths": ("b",)}]
    changes.append({"feature_set": "another"})
    keys = {msgspec.structs.replace(STRETCH, **change).key for change in [{}, *changes]}
    assert len(keys) == 6


def test_a_worker_with_other_features_computes_nothing(tmp_path):
    with pytest.raises(BadInputError, match="Install the same version"):
        compute(msgspec.structs.replace(STRETCH, feature_set="another"), Results(Folder(tmp_path)))
    assert list(tmp_path.iterdir()) == []
