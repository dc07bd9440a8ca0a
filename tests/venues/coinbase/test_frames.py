import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.codec import UNREADABLE
from barograph.venues.coinbase.exchange import ExchangeFeed
from barograph.venues.coinbase.frames import (
    AdvancedTicker,
    with_plain_prices,
    without_odd_fields,
)
from coinbase_messages import frame, ticker


@pytest.mark.parametrize(
    "odd", [{"side": ""}, {"side": "BUY"}, {"side": []}, {"side": None}, {"sequence": ""}]
)
def test_an_optional_field_that_is_odd_is_not_offered(odd):
    (name,) = odd
    (tick,) = ExchangeFeed().receive(frame(ticker(**odd))).events
    assert getattr(tick, name) is None


@pytest.mark.parametrize("write", [str, float])
def test_a_price_with_an_exponent_is_the_same_as_number_and_text(write):
    tiny = {name: write("6.44e-06") for name in ("price", "best_bid", "best_ask")}
    (tick,) = ExchangeFeed().receive(frame(ticker(**tiny))).events
    assert (tick.price, tick.bid, tick.ask) == ("0.00000644",) * 3


def test_prices_that_are_no_numbers_stay_for_the_machine_to_refuse():
    odd = AdvancedTicker(product_id="P", price="e", best_bid="1e999", best_ask="NaNe")
    assert with_plain_prices(odd) == odd


@given(st.binary(max_size=20) | st.dictionaries(
    st.sampled_from(["side", "trade_id", "sequence", "x"]),
    st.none() | st.text(max_size=4) | st.lists(st.integers(), max_size=2),
).map(msgspec.json.encode))  # fmt: skip
def test_any_frame_has_its_odd_fields_left_out_or_is_unreadable(content):
    try:
        left = msgspec.json.decode(without_odd_fields(content))
    except UNREADABLE:
        return
    if isinstance(left, dict):
        assert left.get("side", "buy") in ("buy", "sell")
        assert "" not in (left.get("trade_id"), left.get("sequence"))
