import numpy as np
import pytest

from barograph.case import Table, Target


def table():
    return Table(
        features=("a", "b", "c"),
        x=np.arange(12, dtype=np.float32).reshape(4, 3),
        outcome=np.array([0.0, 1.0, 2.0, 3.0]),
        keys=("one",),
        key=np.zeros(4, np.int64),
        order=np.arange(4),
        session=np.zeros(4, np.int64),
        left_out={},
        unused={},
    )


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
