"""The catalogue of hours: names that speak, spans that hold, a hash that notices change."""

from functools import cache

import numpy as np
import pytest

from barograph.feature_set.hourly.catalogue import (
    COLUMN,
    FEATURE_SET,
    FEATURE_SET_HASH,
    FEATURES,
    LONGEST_WINDOW_H,
    NAMES,
    ROW,
)
from invented_candles import every_row, steady

ONE, OTHER = 5, 6
"""Seeds of two markets."""


def test_version_one_has_the_features_of_the_design():
    assert FEATURE_SET == 1
    assert len(NAMES) == len(set(NAMES)) == 109
    assert ROW["values"].shape == ROW["reasons"].shape == (len(FEATURES),)
    assert [COLUMN[name] for name in NAMES] == list(range(len(NAMES)))


def test_a_row_has_no_bytes_that_are_nobodys():
    assert ROW.itemsize == sum(ROW[name].itemsize for name in ROW.names)


def test_every_feature_says_what_it_is():
    for feature in FEATURES:
        assert feature.formula
        assert feature.unit
        assert feature.source
        assert 0 <= feature.span_h <= LONGEST_WINDOW_H


def test_no_price_level_and_no_elapsed_time_is_a_feature():
    """A market a thousand times as dear, four weeks later, has the same features."""
    log = steady(LONGEST_WINDOW_H + 30, seed=5)
    dear = log.copy()
    for name in ("open", "high", "low", "close"):
        dear[name] *= 1024.0
    dear["hour"] += 4 * 168
    # Log prices are rounded to 1e-9, so a return by a small volatility is good to 1e-4.
    ours, theirs = every_row(log)[0]["values"], every_row(dear)[0]["values"]
    assert np.allclose(ours, theirs, rtol=1e-6, atol=1e-4, equal_nan=True)


@cache
def last_row(before, behind, kept):
    """The last row of a log of one market, whose last `kept` hours are of another."""
    older, newer = market(before), market(behind)
    return every_row(np.concatenate([older[:-kept], newer[-kept:]]))[0]["values"][-1]


@cache
def market(seed):
    other = {} if seed == ONE else {"vol": 0.1}
    return steady(LONGEST_WINDOW_H + 30, seed=seed, realized=True, **other)


@pytest.mark.parametrize("feature", FEATURES, ids=NAMES)
def test_no_value_depends_on_anything_older_than_its_span(feature):
    """Hours before the span are changed, and the value stays; within it, they are not all idle."""
    column = COLUMN[feature.name]
    value = last_row(ONE, ONE, 1)[column]
    # The close at which the span begins is that of the hour before it.
    kept = feature.span_h + 1
    assert last_row(OTHER, ONE, kept)[column] == value
    if feature.span_h and feature.name != "quiet_share_24h":
        assert last_row(ONE, OTHER, kept)[column] != value


def test_the_hash_names_this_feature_set():
    # A change here is a new feature set: bump FEATURE_SET and tell it in CHANGELOG.md.
    assert FEATURE_SET_HASH == "feb6345af8eeea66"
