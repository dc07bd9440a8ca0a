"""Which rows of a history are kept: laws over invented seconds and outcomes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import BadInputError
from barograph.evaluation import labels, splits
from barograph.training.history_sample import (
    LEAST_QUIET,
    MARGIN_BINS,
    PARTS,
    Episodes,
    OutcomeBins,
    Spans,
    Tally,
    bin_of,
    complete_from,
    kept_quiet,
    one_in,
)

pieces = st.lists(st.lists(st.integers(0, 50), max_size=20), min_size=1, max_size=8)
outcomes = st.lists(
    st.one_of(st.sampled_from([0.0, -0.0, 1e-9]), st.floats(1e-7, 1e3)), min_size=1, max_size=80
)


@given(pieces)
def test_a_tally_counts_each_key_however_it_comes(of):
    tally = Tally()
    for some in of:
        tally.add(np.array(some, np.int64))
    keys, counts = tally.counts()
    every = [key for some in of for key in some]
    assert dict(zip(keys.tolist(), counts.tolist(), strict=True)) == {
        key: every.count(key) for key in every
    }


@given(st.lists(st.lists(st.integers(0, 400), min_size=1, max_size=20), min_size=1, max_size=6))
def test_stretches_of_pieces_are_the_sessions_of_the_whole(of):
    spans = Spans(hole_s=10)
    for some in of:
        spans.add(np.array(some))
    every = np.array([second for some in of for second in some])
    assert spans.number(every).tolist() == splits.sessions(every, hole_s=10).tolist()


@given(st.lists(st.integers(1, 90), min_size=1, max_size=30), st.integers(90, 900))
def test_the_complete_rows_are_as_many_whole_minutes_as_there_is_room_for(rows, most):
    minute = np.arange(len(rows)) * 3
    first = complete_from(minute, np.array(rows), most) // 60
    assert sum(count for at, count in zip(minute, rows, strict=True) if at >= first) <= most
    before = [at for at in minute if at < first]
    if before:
        longer = sum(count for at, count in zip(minute, rows, strict=True) if at >= before[-1])
        assert longer > most


def test_a_minute_with_more_rows_than_half_of_what_may_be_kept_is_refused():
    with pytest.raises(BadInputError, match=r"--max-rows 20: .* 11 rows of the last minute"):
        complete_from(np.array([1]), np.array([11]), 10)


@given(outcomes)
def test_a_bin_starts_at_most_a_little_below_the_outcomes_in_it(values):
    outcome = np.array(values)
    place = bin_of(outcome)
    start = (place << 44).view(np.float64)
    assert (start <= np.maximum(outcome, 0.0)).all()
    assert (outcome <= start * (1 + 2**-8) + 1e-300).all()
    order = np.argsort(outcome)
    assert (np.diff(place[order]) >= 0).all()


@given(st.lists(outcomes, min_size=PARTS + 1, max_size=PARTS + 1), st.floats(0.5, 0.99))
def test_no_fold_has_a_lower_tau_than_the_one_that_rows_are_kept_by(parts, quantile):
    bins, spacing = OutcomeBins(), 5
    for part, some in enumerate(parts):
        bins.add(np.array(some), np.full(len(some), part))
    tau, reached = bins.lowest_tau(quantile, spacing)
    assert tau > 0
    history = np.array(parts[0])
    assert reached == (history >= tau).sum()
    taus = []
    for last in range(PARTS + 1):
        every = np.concatenate([np.repeat(history, spacing), *map(np.array, parts[1 : last + 1])])
        taus.append(np.quantile(every, quantile, method="higher"))
        assert tau <= taus[-1] or taus[-1] <= 0
    assert min(taus) <= max(tau * (1 + 2**-8) ** (MARGIN_BINS + 1), 1e-300)


def test_a_product_without_outcomes_has_no_episode():
    assert OutcomeBins().lowest_tau(0.9, 5) == (np.inf, 0)


@given(st.integers(0, 10**6), st.integers(0, 10**5), st.integers(1, 10**5))
def test_episodes_have_their_room_and_quiet_rows_the_rest(quiet, episode_rows, room):
    q = one_in(quiet, episode_rows, room)
    if q:
        assert episode_rows + quiet / q <= room
        assert q == 1 or episode_rows + quiet / (q - 1) > room
        assert quiet == 0 or room > episode_rows
    else:
        assert episode_rows + min(quiet, max(1, LEAST_QUIET * episode_rows)) > room


@given(st.integers(1, 40), st.integers(0, 2**32 - 1), st.text(max_size=8), st.integers(0, 10**9))
def test_one_place_of_each_q_is_kept_whatever_else_is_asked_beside_it(q, seed, product, first):
    block = np.arange(first // q * q, first // q * q + 30 * q)
    kept = kept_quiet(product, block, q, seed)
    assert (kept.reshape(30, q).sum(axis=1) == 1).all()
    some = block[::7]
    assert (kept_quiet(product, some, q, seed) == kept[::7]).all()


def test_another_seed_and_another_product_keep_others_and_none_keeps_a_fixed_distance():
    place = np.arange(12_000)
    ours = np.flatnonzero(kept_quiet("BTC-USD", place, 12, 1))
    assert (ours != np.flatnonzero(kept_quiet("BTC-USD", place, 12, 2))).mean() > 0.8
    assert (ours != np.flatnonzero(kept_quiet("ETH-USD", place, 12, 1))).mean() > 0.8
    of_hour = np.bincount(ours % 12, minlength=12) / len(ours)
    assert abs(of_hour - 1 / 12).max() < 0.03


@given(
    st.sets(st.integers(0, 300), max_size=60),
    st.lists(st.integers(0, 300), max_size=5),
    st.integers(1, 30),
    st.integers(1, 12),
)
def test_episodes_in_pieces_are_those_of_the_whole(spikes, cuts, horizon_s, stride):
    second = np.array(sorted(spikes), np.int64)
    counted = Episodes(horizon_s, stride)
    for some in np.split(second, np.searchsorted(second, sorted(cuts))):
        counted.add(some)
    whole = labels.episodes(second, np.ones(len(second)), horizon_s=horizon_s)
    met = [
        any(first <= each <= last and each % stride == 0 for each in spikes)
        for first, last in whole.tolist()
    ]
    assert counted.counted() == (len(whole), met.count(False))
