"""CryptoCompare's pages are read to the digit, or refused with its own words."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from barograph.candle_records import HOUR_S
from barograph.venues import cryptocompare
from barograph.venues.candle_pages import Hours, PageError, RefusedError

START = 1_732_924_800
HOURS = Hours(START, START + 3 * HOUR_S)


def bar(hour, **how):
    return {
        "time": START + hour * HOUR_S, "high": 96646.34, "low": 96379.27, "open": 96523.75,
        "volumefrom": 692.33, "volumeto": 66811313.93, "close": 96473.51,
        "conversionType": "direct", "conversionSymbol": "",
    } | how  # fmt: skip


def answer(*bars, **how):
    return json.dumps(
        {"Response": "Success", "Message": "", "HasWarning": False, "Type": 100, "RateLimit": {},
         "Data": {"Aggregated": False, "TimeFrom": 0, "TimeTo": 1, "Data": bars}} | how
    ).encode()  # fmt: skip


FLAT = {"open": 5, "high": 5, "low": 5, "close": 5, "volumefrom": 0, "volumeto": 0}
ZERO = dict.fromkeys(FLAT, 0)


def test_a_page_is_asked_for_by_its_last_hour_and_the_hours_before_it():
    url = urlsplit(cryptocompare.url_of("https://h", "BTC-USD", HOURS))
    query = parse_qs(url.query)
    assert url.path == "/data/v2/histohour"
    assert (query["fsym"], query["tsym"]) == (["BTC"], ["USD"])
    assert (query["limit"], query["toTs"]) == (["2"], [str(START + 2 * HOUR_S)])


def test_the_key_is_in_a_header_alone():
    assert cryptocompare.headers_of("k") == (("Authorization", "Apikey k"),)
    assert cryptocompare.headers_of("") == ()


def test_digits_stay_as_they_were_sent():
    (row,) = cryptocompare.read(answer(bar(0)), HOURS).rows
    assert (row.open, row.close, row.quote_volume) == ("96523.75", "96473.51", "66811313.93")


def test_a_flat_hour_without_volume_had_no_trade():
    (row,) = cryptocompare.read(answer(bar(1, **FLAT)), HOURS).rows
    assert (row.open, row.high, row.low, row.close, row.volume) == (None, None, None, None, "0")


def test_zeros_are_hours_before_the_market_began():
    page = cryptocompare.read(answer(bar(0, **ZERO), bar(1)), HOURS)
    assert (page.unlisted, [row.start_s for row in page.rows]) == (1, [START + HOUR_S])


def test_the_running_hour_is_left_out():
    page = cryptocompare.read(answer(bar(2), bar(3)), HOURS)
    assert (page.outside, len(page.rows)) == (1, 1)


def test_converted_prices_are_no_page():
    converted = bar(1, conversionType="multiply", conversionSymbol="EUR")
    with pytest.raises(PageError, match="converted from EUR"):
        cryptocompare.read(answer(bar(0), converted), HOURS)


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b'{"Response":1}', answer(bar(0))[:200]])
def test_what_is_cut_or_no_json_is_no_page(body):
    with pytest.raises(PageError, match="cannot be read"):
        cryptocompare.read(body, HOURS)


def test_an_error_of_its_own_comes_with_its_words():
    body = answer(Response="Error", Message="market does not exist", Data={})
    with pytest.raises(RefusedError, match="market does not exist"):
        cryptocompare.read(body, HOURS)
