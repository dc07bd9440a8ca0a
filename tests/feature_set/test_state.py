"""The state's bytes: what is kept comes back, and a layout is known by its hash."""

from zlib import crc32

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from barograph.feature_set import state
from barograph.feature_set.state import STATE, checkpoint_of, new_states, state_of


def test_a_state_comes_back_from_its_checkpoint():
    kept = new_states(1)[0]
    kept["second"] = 7
    # exact: a checkpoint is the state's bytes
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


def fields_of(kept):
    """Every field's own bytes, any NaN as one."""
    values = []
    for name in STATE.names:
        part = np.array(kept[name])
        if part.dtype == np.float64:
            part[np.isnan(part)] = np.nan
        values.append(part.tobytes())
    return values


seeds = st.integers(0, 2**32 - 1)
garbage = st.binary(min_size=1, max_size=64)


def state_in(fill, seed):
    """A state whose fields follow from the seed, in memory that held `fill` before."""
    raw = np.resize(np.frombuffer(fill, np.uint8), STATE.itemsize).copy()
    kept = raw.view(STATE)[0]
    rng = np.random.default_rng(seed)
    for name in STATE.names:
        part = STATE.fields[name][0]
        values = rng.integers(-2, 3, part.shape)
        if part.base == np.float64:
            nan = np.frombuffer(np.uint64(0x7FF8 << 48 | rng.integers(2)).tobytes(), np.float64)[0]
            values = np.where(values > 1, nan, values)
        kept[name] = values
    return kept


@given(garbage, garbage, seeds, seeds)
def test_equal_states_are_equal_bytes_whatever_their_memory_held_and_no_others(
    one, other, seed, other_seed
):
    ours, theirs = state_in(one, seed), state_in(other, other_seed)
    same = fields_of(ours) == fields_of(theirs)
    assert (checkpoint_of(ours) == checkpoint_of(theirs)) == same
    assert checkpoint_of(ours) == checkpoint_of(state_in(other, seed))
    assert checkpoint_of(state_of(checkpoint_of(ours))) == checkpoint_of(ours)


@given(garbage, seeds)
def test_a_checkpoint_that_kept_what_lay_between_the_fields_is_still_read(fill, seed):
    kept = state_in(fill, seed)
    raw = kept.tobytes()
    restored = state_of(state.LAYOUT.encode() + crc32(raw).to_bytes(4, "little") + raw)
    assert fields_of(restored) == fields_of(kept)
    assert checkpoint_of(restored) == checkpoint_of(kept)


@given(seeds, st.integers(0, STATE.itemsize + 19))
def test_a_checkpoint_with_one_wrong_byte_is_none(seed, place):
    kept = bytearray(checkpoint_of(state_in(b"\0", seed)))
    kept[place] ^= 0x20
    assert state_of(bytes(kept)) is None
