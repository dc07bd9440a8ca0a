"""The state's bytes: what is kept comes back, and what is damaged or another's does not."""

import numpy as np
import pytest

from barograph.feature_set import state as tick_state
from barograph.feature_set.hourly.state import STATE, checkpoint_of, new_states, state_of
from barograph.types import Reason


def test_a_state_is_whole_numbers_without_bytes_between_them():
    assert STATE.itemsize == sum(STATE[name].itemsize for name in STATE.names)
    assert {STATE[name].base for name in STATE.names} == {np.dtype("i8")}


def test_a_new_state_warms_up():
    state = new_states(2)[1]
    assert (state["last"], state["reason"]) == (-1, Reason.WARMUP)


def test_a_state_comes_back_from_its_checkpoint():
    kept = new_states(1)[0]
    kept["hours"][3, 7] = 11
    # exact: a checkpoint is the state's bytes
    assert state_of(checkpoint_of(kept)).tobytes() == kept.tobytes()


@pytest.mark.parametrize("place", [0, 17, 4000])
def test_a_damaged_checkpoint_is_none(place):
    kept = bytearray(checkpoint_of(new_states(1)[0]))
    kept[place] ^= 1
    assert state_of(bytes(kept)) is None
    assert state_of(bytes(kept)[:-1]) is None
    assert state_of(b"") is None


def test_a_checkpoint_of_ticks_is_none():
    assert state_of(tick_state.checkpoint_of(tick_state.new_states(1)[0])) is None
