import pytest

from barograph.venues.forms import names
from barograph.venues.forms.names import is_feature, is_time, plain_name, rank_of, role_of


def test_each_name_has_one_role():
    every = [name for each in names.NAMES.values() for name in each]
    assert len(every) == len(set(every))
    assert not [name for name in every if is_time(name)]


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("best_bid_quantity", "bid_size"),
        ("bid_qty", "bid_size"),
        ("bestAsk", "ask"),
        ("Best Ask", "ask"),
        ("volume_24_h", "volume_24h"),
        ("volume", None),
        ("size", None),
    ],
)
def test_a_name_tells_what_a_field_is_in_any_spelling(name, role):
    assert role_of(name) == role


def test_the_surer_of_two_names_comes_first():
    assert rank_of("product_id", "product") < rank_of("market", "product")
    assert plain_name(" Trade-ID ") == "trade_id"


def test_what_is_computed_over_a_window_is_a_feature():
    assert all(map(is_feature, ["return_10s", "volatility_30s", "tick_count_5s", "intensity_60s"]))
    assert not any(map(is_feature, ["volume_24h", "bid_price_0", "price", "low_52_w", "trade_id"]))
