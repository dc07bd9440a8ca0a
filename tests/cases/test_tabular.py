"""Cases of records without time."""

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.cases.tabular import best_f1, judge, lot
from barograph.errors import BadInputError
from barograph.registry.model import ModelFacts
from customers import CUSTOMERS, FEATURES, STREAM, customers

FACTS = ModelFacts(
    case="customers",
    candidate="logistic",
    features=FEATURES,
    feature_set="customers/1",
    tau={},
    threshold=0.5,
    horizon_s=0,
    train_start_ns=0,
    train_end_ns=0,
    data_hash="d",
    seed=1,
    sha256="s",
    scores={},
    created_time_ns=1,
)


def test_a_lot_follows_from_the_key_alone_and_is_the_same_for_ever():
    assert lot("customer 7") == 5922836630828150
    assert lot("") == 8011147086339971


@given(st.text(max_size=30))
def test_a_lot_is_exact_in_every_reader_of_json(key):
    assert 0 <= lot(key) < 2**53
    assert int(float(lot(key))) == lot(key)


def test_lots_of_keys_that_count_up_lie_everywhere():
    lots = np.array([lot(f"customer {number}") for number in range(8000)]) / 2**53
    counts, _ = np.histogram(lots, bins=8, range=(0, 1))
    assert np.abs(counts - 1000).max() < 120


def test_a_table_has_the_features_of_the_contract_and_the_known_outcomes():
    frame = customers(50).frame
    half = frame.with_columns(pl.when(pl.int_range(50) % 2 == 0).then(pl.col("left")).alias("left"))
    table = CUSTOMERS.table(half)
    assert table.features == FEATURES == STREAM.contract.features
    assert table.x.shape == (25, 3)
    assert table.outcome.tolist() == frame["left"].gather_every(2).to_list()
    assert table.unused == {"outcome unknown": 25}
    assert table.order.tolist() == [lot(key) for key in frame["name"].gather_every(2)]
    assert CUSTOMERS.table(frame).unused == {}


def test_the_same_key_twice_is_never_on_two_sides_of_a_fold():
    frame = customers(400).frame
    table = CUSTOMERS.table(pl.concat([frame, frame.with_columns(left=1 - pl.col("left"))]))
    kind, folds = CUSTOMERS.split(table, 4, "auto")
    assert kind == "stratified"
    for fold in folds:
        for one, other in ((fold.train, fold.test), *fold.inner):
            assert not set(table.order[one]) & set(table.order[other])
        assert len(fold.test) >= 2 * len(set(table.order[fold.test]))


@pytest.mark.parametrize("protocol", ["walk-forward", "leave-session-out"])
def test_what_has_no_time_is_not_cut_in_time(protocol):
    table = CUSTOMERS.table(customers(50).frame)
    with pytest.raises(BadInputError, match="these records have no time"):
        CUSTOMERS.split(table, 4, protocol)


def naive_f1(y, acted):
    hits = sum(1 for yes, act in zip(y, acted, strict=True) if yes and act)
    return 2 * hits / (sum(acted) + sum(y)) if sum(acted) + sum(y) else 0.0


@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from([0.1, 0.2, 0.3, 0.5, 0.9])),
        min_size=1,
        max_size=20,
    )
)
def test_the_threshold_has_the_best_f1_that_any_has(rows):
    y = np.array([float(yes) for yes, _ in rows])
    probability = np.array([each for _, each in rows])
    chosen = best_f1(y, probability)
    best = max(naive_f1(y, probability >= at) for at in probability)
    assert chosen in probability
    assert naive_f1(y, probability >= chosen) == pytest.approx(best)


def test_acting_is_judged_by_recall_precision_and_share():
    y = np.array([1.0, 1.0, 0.0, 0.0, 1.0])
    acted = np.array([True, True, True, False, False])
    judged = judge(CUSTOMERS, np.arange(5), y, acted)
    # exact: counts, divided once
    assert judged == {"recall": 2 / 3, "precision": 2 / 3, "flagged_share": 0.6}
    assert all(type(value) is float for value in judged.values())


@pytest.mark.parametrize(
    ("y", "acted", "undefined"), [(0.0, True, "recall"), (1.0, False, "precision")]
)
def test_what_is_not_defined_is_no_figure(y, acted, undefined):
    judged = judge(CUSTOMERS, np.arange(3), np.full(3, y), np.full(3, acted))
    assert [name for name, value in judged.items() if np.isnan(value)] == [undefined]


def test_unseen_are_the_keys_whose_lots_lie_above_all_that_was_fitted_on():
    table = CUSTOMERS.table(customers(500).frame)
    rows = np.arange(100, 500)
    middle = int(np.median(table.order))
    above = CUSTOMERS.unseen(table, rows, msgspec.structs.replace(FACTS, last_order=middle))
    assert above.tolist() == [order > middle for order in table.order[rows]]


def test_of_a_model_that_does_not_tell_nothing_is_unseen():
    table = CUSTOMERS.table(customers(50).frame)
    assert not CUSTOMERS.unseen(table, np.arange(50), FACTS).any()


def test_time_plays_no_part():
    table = CUSTOMERS.table(customers(50).frame)
    assert CUSTOMERS.span_ns(table, np.arange(50)) == (0, 0)
    assert CUSTOMERS.horizon_s == 0
    assert CUSTOMERS.events(table, np.arange(50), table.outcome) == table.outcome.sum()
    assert CUSTOMERS.stream is STREAM
