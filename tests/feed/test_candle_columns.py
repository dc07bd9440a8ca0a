"""Columns are known by the names that public files give them."""

import pytest

from barograph.feed.candle_columns import columns_of


@pytest.mark.parametrize(
    ("names", "volume", "quote"),
    [
        ("time,open,high,low,close,volumefrom,volumeto", "volumefrom", "volumeto"),
        ("TIME_UNIX,OPEN_PRICE,HIGH_PRICE,CLOSE_PRICE,LOW_PRICE,VOLUME_FROM,VOLUME_TO",
         "VOLUME_FROM", "VOLUME_TO"),
        ("Timestamp,Open,High,Low,Close,Volume_(BTC),Volume_(Currency),Weighted_Price",
         "Volume_(BTC)", "Volume_(Currency)"),
        ("unix,date,symbol,open,high,low,close,Volume BTC,Volume USD", "Volume BTC", "Volume USD"),
        ("unix,date,symbol,open,high,low,close,Volume BTC,Volume USDT", "Volume BTC",
         "Volume USDT"),
        ("Open time,Open,High,Low,Close,Volume,Close time,Quote asset volume", "Volume",
         "Quote asset volume"),
        ("date,open,high,low,close,volume", "volume", None),
    ],
)  # fmt: skip
def test_each_field_has_its_column(names, volume, quote):
    found = columns_of(names.split(","), "BTC-USD")
    assert {"time", "open", "high", "low", "close", "volume"} <= set(found)
    assert (found["volume"], found.get("quote_volume")) == (volume, quote)


def test_a_number_is_taken_for_the_time_before_a_text():
    assert columns_of(["date", "unix"], "BTC-USD")["time"] == "unix"


def test_the_volume_of_another_asset_is_nobodys():
    assert "volume" not in columns_of(["Volume ETH"], "BTC-USD")
