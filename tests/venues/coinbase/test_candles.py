"""Coinbase's pages of candles are read to the digit."""

from urllib.parse import parse_qs, urlsplit

import pytest

from barograph.candle_records import HOUR_S
from barograph.venues.candle_pages import Hours, PageError
from barograph.venues.coinbase import candles

START = 1_732_924_800
HOURS = Hours(START, START + 3 * HOUR_S)
BODY = (
    b"[[1732932000,96379.27,96646.34,96523.75,96473.51,692.33012345],"
    b"[1732924800,96000,96700.1,96500,96523.75,1e-05]]"
)


def test_both_ends_that_are_asked_for_belong_to_the_page():
    url = urlsplit(candles.url_of("https://h", "BTC-USD", HOURS))
    query = parse_qs(url.query)
    assert url.path == "/products/BTC-USD/candles"
    assert query == {
        "granularity": ["3600"],
        "start": ["2024-11-30T00:00:00Z"],
        "end": ["2024-11-30T02:00:00Z"],
    }
    assert candles.headers_of("k") == ()


def test_a_row_is_time_low_high_open_close_volume():
    first, last = candles.read(BODY, HOURS).rows
    assert (last.open, last.high, last.low, last.close) == (
        "96523.75", "96646.34", "96379.27", "96473.51",
    )  # fmt: skip
    assert (last.volume, last.quote_volume, first.volume) == ("692.33012345", None, "0.00001")


def test_an_hour_without_a_trade_is_not_in_the_page():
    assert [row.start_s for row in candles.read(BODY, HOURS).rows] == [START, START + 2 * HOUR_S]


@pytest.mark.parametrize("body", [b"", BODY[:40], b'{"message":"NotFound"}', b"[[1,2]]"])
def test_what_is_cut_or_of_another_shape_is_no_page(body):
    with pytest.raises(PageError, match="cannot be read"):
        candles.read(body, HOURS)
