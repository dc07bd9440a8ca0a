"""The catalogue: names that speak, warm-ups that hold, a hash that notices change."""

from barograph.feature_set.catalogue import (
    COLUMN,
    FEATURE_SET,
    FEATURE_SET_HASH,
    FEATURES,
    LONGEST_WINDOW_S,
    NAMES,
    ROW,
)


def test_version_four_has_those_of_single_ticks_of_windows_over_holes_and_typical_ones():
    assert FEATURE_SET == 4
    assert len(NAMES) == len(set(NAMES)) == 36 + 5 + 13 + 3
    assert ROW["values"].shape == ROW["reasons"].shape == (len(FEATURES),)
    assert [COLUMN[name] for name in NAMES] == list(range(len(NAMES)))


def test_a_row_has_no_bytes_that_are_nobodys():
    assert ROW.itemsize == sum(ROW[name].itemsize for name in ROW.names)


def test_every_feature_says_what_it_is():
    for feature in FEATURES:
        assert feature.formula
        assert feature.unit
        assert feature.source
        assert 0 <= feature.warmup_s <= feature.reach_s <= LONGEST_WINDOW_S


def test_no_raw_price_level_is_a_feature():
    assert not {"price", "mid", "bid", "ask", "log_mid"} & set(NAMES)


def test_the_hash_names_this_feature_set():
    # A change here is a new feature set: bump FEATURE_SET and tell it in CHANGELOG.md.
    assert FEATURE_SET_HASH == "3cc15bfbe8e96b5d"
