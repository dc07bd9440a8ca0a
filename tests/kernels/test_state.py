"""The state's bytes: what is kept comes back, and a layout is known by its hash."""

import numpy as np

from barograph.kernels import state
from barograph.kernels.state import STATE, checkpoint_of, new_states, state_of


def test_a_state_comes_back_from_its_checkpoint():
    kept = new_states(1)[0]
    kept["second"] = 7
    assert state_of(checkpoint_of(kept)).tobytes() == kept.tobytes()


def test_another_layout_has_another_hash_and_is_not_misread(monkeypatch):
    """Same size, same names, two of them in each other's place."""
    kept = checkpoint_of(new_states(1)[0])
    swapped = {"second": "run", "run": "second"}
    fields = [(swapped.get(name, name), *part) for name, *part in STATE.descr]
    monkeypatch.setattr(state, "STATE", np.dtype(fields))
    assert state.STATE.itemsize == STATE.itemsize
    assert state.layout_hash() != state.LAYOUT
    assert state_of(kept) is not None
    monkeypatch.setattr(state, "LAYOUT", state.layout_hash())
    assert state_of(kept) is None
