"""States by product: places in the order of first use, a limit, checkpoints of what changed."""

import numpy as np
import pytest

from barograph.codec import UnreadableError
from barograph.errors import ForeignStateError
from barograph.feature_set.product_states import ProductStates, StateKind
from barograph.types import Fault

DTYPE = np.dtype([("count", "i8")])
KIND = StateKind(
    lambda products: np.zeros(products, DTYPE),
    lambda state: state.tobytes(),
    lambda kept: np.frombuffer(kept, DTYPE)[0] if len(kept) == DTYPE.itemsize else None,
)


def test_a_product_keeps_its_place_and_its_state_while_others_come():
    states = ProductStates(KIND, 10)
    for n, name in enumerate("ABCDE"):
        assert states.index(name) == n
        states.array[n]["count"] = n + 1
    assert [states.index(name) for name in "EA"] == [4, 0]
    assert states.names == list("ABCDE")
    assert states.array["count"][:5].tolist() == [1, 2, 3, 4, 5]


def test_one_more_than_the_limit_is_refused_and_those_that_are_there_stay():
    states = ProductStates(KIND, 2)
    states.index("A")
    states.index("B")
    with pytest.raises(UnreadableError, match="2 products already") as refused:
        states.index("C")
    assert refused.value.fault is Fault.UNKNOWN_PRODUCT
    assert states.index("B") == 1


def test_a_snapshot_has_what_changed_since_the_last_and_restores_it():
    states = ProductStates(KIND, 10)
    for name in "AB":
        states.index(name)
    states.array["count"][1] = 7
    states.changed([1])
    kept = states.snapshot()
    assert set(kept) == {"B"}
    assert states.snapshot() == {}
    again = ProductStates(KIND, 10)
    again.restore(kept)
    assert again.array[again.index("B")]["count"] == 7


def test_a_checkpoint_of_another_kind_is_refused_by_name():
    with pytest.raises(ForeignStateError, match="checkpoint of A"):
        ProductStates(KIND, 10).restore({"A": b"short"})
