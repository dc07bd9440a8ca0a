import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.cases.case import Target, adapted
from barograph.cases.sampled import SampledRows
from barograph.cases.spikes import CLOCKS, SPIKES, WANTED
from barograph.errors import BadInputError
from barograph.learning import candidates
from customers import CUSTOMERS
from queues import QUEUES
from small_table import table


def test_columns_come_in_the_order_asked_for_and_as_models_take_them():
    columns = table().columns(("c", "a"), np.array([3, 1]))
    assert columns.tolist() == [[11.0, 9.0], [5.0, 3.0]]
    assert columns.dtype == np.float32
    assert columns.flags.c_contiguous


def test_a_feature_that_the_table_does_not_have_is_an_error():
    with pytest.raises(ValueError, match="not in tuple"):
        table().columns(("price",), np.array([0]))


def test_examples_are_the_answers_of_the_fold():
    target = Target(np.array([0.0, 1.0, np.nan, 1.0]), {"one": 1.0}, {})
    examples = target.examples(table(), ("b",), np.array([0, 1, 3]))
    assert examples.y.tolist() == [False, True, True]
    assert examples.x.tolist() == [[1.0], [4.0], [10.0]]
    assert examples.outcome.tolist() == [0.0, 1.0, 3.0]
    assert examples.weight.tolist() == table().weight(np.array([0, 1, 3])).tolist()


def test_what_the_training_rows_decide_stands_beside_the_features_in_the_order_asked_for():
    target = Target(np.zeros(4), {}, {}, {"tau": np.array([5.0, 6.0, 7.0, 8.0])})
    columns = target.columns(table(), ("c", "tau", "a"), np.array([3, 1]))
    assert columns.tolist() == [[11.0, 8.0, 9.0], [5.0, 6.0, 3.0]]
    assert columns.dtype == np.float32
    assert columns.flags.c_contiguous


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40))
def test_a_regime_weighs_as_the_fourth_root_of_its_rows(regime):
    rows = np.arange(len(regime))
    many = dataclasses.replace(table(), regime=np.array(regime))
    weight = many.weight(rows)
    assert weight.mean() == pytest.approx(1)
    share = {number: weight[many.regime == number].sum() for number in set(regime)}
    first = regime[0]
    for number, whole in share.items():
        expected = (regime.count(number) / regime.count(first)) ** 0.25
        assert whole / share[first] == pytest.approx(expected)
        assert len(set(weight[many.regime == number].tolist())) == 1


def test_no_rows_have_no_weight():
    assert len(table().weight(np.array([], np.int64))) == 0


def test_the_reference_is_the_first_baseline():
    assert CUSTOMERS.reference == CUSTOMERS.baselines[0] == "charges"


def test_a_case_can_be_asked_with_some_of_its_candidates():
    few = adapted(SPIKES, quantile=None, candidates=["ridge"])
    names = [each.name for each in few.candidates((*WANTED, *CLOCKS))]
    assert set(names) - {"garch"} == {"persistence", "har", "ewma", "climatology", "ridge"}
    assert adapted(SPIKES, quantile=None, candidates=()) is SPIKES
    unknown = adapted(SPIKES, quantile=None, candidates=["ridge", "oracle"])
    with pytest.raises(BadInputError, match=r"--candidates oracle: .* Name some of .*ridge"):
        unknown.candidates((*WANTED, *CLOCKS))


def test_a_quantile_is_asked_of_a_case_that_has_one():
    assert adapted(SPIKES, quantile=0.8, candidates=()).target is not SPIKES.target
    with pytest.raises(BadInputError, match="Leave it out"):
        adapted(CUSTOMERS, quantile=0.8, candidates=())


def test_candidates_of_the_callers_own_stand_behind_the_baselines():
    one = candidates.persistence("ewma_vol_60s", name="one")

    def made(features):
        return [candidates.persistence(features[0], name="two")]

    names = [each.name for each in adapted(SPIKES, own=[one, made]).candidates((*WANTED, *CLOCKS))]
    assert names[-2:] == ["one", "two"]
    assert set(names) - {"garch", "one", "two"} == {"persistence", "har", "ewma", "climatology"}
    both = adapted(SPIKES, candidates=["ridge"], own=[one]).candidates((*WANTED, *CLOCKS))
    assert [each.name for each in both][-2:] == ["ridge", "one"]


def test_two_candidates_cannot_have_one_name():
    twice = adapted(SPIKES, own=[candidates.persistence("ewma_vol_60s", name="har")])
    with pytest.raises(BadInputError, match="Give it a name of its own"):
        twice.candidates((*WANTED, *CLOCKS))


stood_for = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), min_size=1, max_size=40)


def sampled(table_of, times, history=None):
    history = np.zeros(len(times), np.bool_) if history is None else np.array(history)
    return dataclasses.replace(table_of, sampled=SampledRows(np.array(times), history))


@given(stood_for)
def test_a_row_weighs_as_much_as_all_rows_that_it_stands_for(of):
    regime, times = (np.array(column) for column in zip(*of, strict=True))
    some = sampled(dataclasses.replace(table(), regime=regime), times)
    every = np.repeat(np.arange(len(of)), times)
    whole = dataclasses.replace(table(), regime=regime[every])
    expected = np.bincount(every, whole.weight(np.arange(len(every))))
    np.testing.assert_allclose(some.weight(np.arange(len(of))), expected, rtol=1e-9)


@given(stood_for, st.integers(1, 5))
def test_thinned_rows_weigh_as_the_thinned_rows_of_the_whole(of, spacing):
    """Rows that stand for no more than the spacing are each one of the thinned whole."""
    regime, times = (np.array(column) for column in zip(*of, strict=True))
    rows = np.arange(len(of))
    complete = sampled(dataclasses.replace(table(), regime=regime), np.ones(len(of), np.int64))
    plain = dataclasses.replace(table(), regime=regime)
    np.testing.assert_allclose(complete.weight(rows, spacing), plain.weight(rows), rtol=1e-9)
    some = sampled(plain, times * spacing)
    every = np.repeat(rows, times)
    whole = dataclasses.replace(table(), regime=regime[every])
    expected = np.bincount(every, whole.weight(np.arange(len(every))))
    np.testing.assert_allclose(some.weight(rows, spacing), expected, rtol=1e-9)


def test_a_row_stands_for_at_least_the_rows_up_to_the_next():
    some, rows = sampled(table(), [20, 5, 1, 1]), np.array([0, 1, 3])
    assert some.stands_for(rows, 5).tolist() == [20, 5, 5]
    assert some.stands_for(rows).tolist() == [20, 5, 1]
    assert table().stands_for(rows) is None
    assert len(some.weight(np.array([], np.int64))) == 0


def test_the_complete_rows_alone_are_a_table_of_their_own():
    some = sampled(
        dataclasses.replace(table(), level=np.arange(4.0)),
        [20, 5, 1, 1],
        [True, True, False, False],
    )
    kept = some.complete()
    assert kept.sampled is None
    assert kept.order.tolist() == [2, 3]
    assert kept.level.tolist() == [2.0, 3.0]
    assert kept.x.tolist() == some.x[2:].tolist()
    assert table().complete().order.tolist() == table().order.tolist()
    assert some.only(np.array([0, 3])).sampled.stands_for.tolist() == [20, 1]


def test_rows_of_a_history_are_not_fitted_on_where_a_baseline_is_unknown_in_them():
    some = sampled(table(), [20, 5, 1, 1], [True, True, False, False])
    garch = {"garch": np.array([np.nan, 1.0, 2.0, 3.0])}
    target = Target(np.array([0.0, 1.0, 0.0, 1.0]), {}, {}, garch)
    rows = np.arange(4)
    assert target.examples(some, ("a", "garch"), rows).x[:, 1].tolist() == [1.0, 2.0, 3.0]
    of_features = target.examples(some, ("a",), rows, 5)
    assert of_features.x[:, 0].tolist() == table().x[:, 0].tolist()
    assert of_features.count.tolist() == [20, 5, 5, 5]
    assert target.examples(table(), ("a",), rows).count is None


@pytest.mark.parametrize(("stride", "spacing"), [(1, 1), (60, 1), (300, 5), (90, 3)])
def test_rows_on_the_stride_are_so_many_rows_apart(stride, spacing):
    assert dataclasses.replace(QUEUES, stride=stride).spacing == spacing
