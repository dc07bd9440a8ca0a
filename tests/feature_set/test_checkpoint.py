"""The bytes of a checkpoint: sealed, and opened only whole and by their own layout."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from barograph.feature_set.checkpoint import layout_of, seal, unseal

LAYOUT = layout_of(np.dtype([("a", "i8"), ("b", "i8")]), "features", 1)


@given(st.binary(max_size=50))
def test_what_was_sealed_comes_back(body):
    assert unseal(LAYOUT, len(body), seal(LAYOUT, body)) == body


@given(st.binary(min_size=1, max_size=50), st.integers(0, 10**6), st.integers(1, 255))
def test_a_changed_byte_is_noticed(body, place, by):
    kept = bytearray(seal(LAYOUT, body))
    kept[place % len(kept)] ^= by
    assert unseal(LAYOUT, len(body), bytes(kept)) is None


@given(st.binary(max_size=80))
def test_any_other_bytes_are_none(kept):
    assert unseal(LAYOUT, 16, kept) is None


def test_a_layout_changes_with_all_that_gives_bytes_their_meaning():
    swapped = np.dtype([("b", "i8"), ("a", "i8")])
    others = [
        layout_of(swapped, "features", 1),
        layout_of(np.dtype([("a", "i8"), ("b", "f8")]), "features", 1),
        layout_of(np.dtype([("a", "i8"), ("b", "i8")]), "others", 1),
        layout_of(np.dtype([("a", "i8"), ("b", "i8")]), "features", 2),
    ]
    assert len({LAYOUT, *others}) == 5
    assert {len(each) for each in others} == {16}
