"""The choice among candidates: the simplest within a standard error of the best."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import BadInputError
from barograph.evaluation.choice import simplest

ROWS, BLOCK = 6000, 60


def drawn(seed, *means):
    """Losses of candidates with these means: noise of their own, and blocks that all share."""
    rng = np.random.default_rng(seed)
    block = np.arange(ROWS) // BLOCK
    shared = rng.normal(0, 0.3, block.max() + 1)[block]
    own = rng.normal(0, 0.1, (len(means), block.max() + 1))[:, block]
    return np.array(means)[:, None] + shared + own, np.ones(ROWS), block


def test_what_is_surely_better_is_chosen_although_it_is_more_complex():
    assert simplest(*drawn(1, 0.30, 0.20, 0.25)) == 1


def test_of_equals_the_simpler_is_chosen_most_of_the_time():
    chosen = [simplest(*drawn(seed, 0.25, 0.25)) for seed in range(100)]
    # The rule errs where the difference is beyond one standard error: one-sided 16 %.
    assert 5 <= sum(chosen) <= 28


def test_noise_that_all_rows_of_a_block_share_counts_once():
    """Row by row the difference would be sixty times surer than it is."""
    by_block, by_row = 0, 0
    for seed in range(60):
        loss, weight, block = drawn(seed, 0.26, 0.25)
        by_block += simplest(loss, weight, block)
        by_row += simplest(loss, weight, np.arange(ROWS))
    assert by_block < by_row - 10


def test_a_weight_counts_as_so_many_rows():
    loss = np.array([[1.0, 0.0], [0.0, 0.5]])
    assert simplest(loss, np.array([9.0, 1.0]), np.zeros(2, np.int64)) == 1
    assert simplest(loss, np.array([1.0, 9.0]), np.zeros(2, np.int64)) == 0


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_no_choice_is_simpler_than_the_best_without_being_close(seed, candidates):
    rng = np.random.default_rng(seed)
    loss, weight = rng.random((candidates, 300)), rng.random(300) + 0.1
    place = simplest(loss, weight, np.arange(300) // 10)
    assert 0 <= place <= int(np.argmin(loss @ weight))
    # One block tells nothing of the error, so that the best is chosen.
    assert simplest(loss, weight, np.zeros(300, np.int64)) == int(np.argmin(loss @ weight))


def test_other_shapes_are_refused():
    with pytest.raises(BadInputError, match="do not fit"):
        simplest(np.ones((2, 3)), np.ones(4), np.zeros(3, np.int64))
    with pytest.raises(BadInputError, match="do not fit"):
        simplest(np.ones((2, 0)), np.ones(0), np.zeros(0, np.int64))
