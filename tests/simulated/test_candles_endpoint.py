"""The simulated services speak as the real ones do, and read as theirs; their faults are faults."""

import json
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import pytest

from barograph.candle_records import HOUR_S
from barograph.simulated.candle_faults import CandleFault, CandleFaultKind
from barograph.simulated.candle_history import QUIET_HOUR, CandleHistory
from barograph.simulated.candles_endpoint import CandlesEndpoint
from barograph.venues import cryptocompare
from barograph.venues.candle_pages import Hours, PageError, RefusedError
from barograph.venues.coinbase import candles as coinbase

START_NS = 1_750_000_000 * 10**9
END_S = 1_749_999_600
HOURS = Hours(END_S - 100 * HOUR_S, END_S)
QUIET = Hours(
    (END_S // HOUR_S // QUIET_HOUR * QUIET_HOUR - 5) * HOUR_S,
    (END_S // HOUR_S // QUIET_HOUR * QUIET_HOUR + 5) * HOUR_S,
)
BOTH = pytest.mark.parametrize("service", [coinbase, cryptocompare])


def endpoint(*kinds, key=""):
    history = CandleHistory({"BTC-USD": 100_000.0}, START_NS, 1)
    faults = [CandleFault(kind, place + 1) for place, kind in enumerate(kinds)]
    return CandlesEndpoint(history, faults, key=key)


def asked(served, service, hours=HOURS, product="BTC-USD", key=""):
    url = urlsplit(service.url_of("http://h", product, hours))
    headers = dict(service.headers_of(key))
    authorization = headers.get("Authorization", "")
    return served.answer(url.path, parse_qs(url.query), authorization, START_NS)


@BOTH
def test_a_page_has_every_hour_that_is_asked_for(service):
    answer = asked(endpoint(), service)
    page = service.read(answer.body, HOURS)
    assert answer.status == HTTPStatus.OK
    assert [row.start_s for row in page.rows] == list(range(*HOURS, HOUR_S))
    assert (page.reordered, page.repeated, page.outside) == (False, 0, 0)


def test_both_services_say_the_same_in_their_own_forms():
    one, other = (
        service.read(asked(endpoint(), service).body, HOURS).rows
        for service in (coinbase, cryptocompare)
    )
    assert [row.close for row in one] == [row.close for row in other]


def test_an_hour_without_a_trade_is_flat_at_one_and_left_out_at_the_other():
    quiet_s = QUIET.from_s + 5 * HOUR_S
    flat = cryptocompare.read(asked(endpoint(), cryptocompare, QUIET).body, QUIET).rows
    left_out = coinbase.read(asked(endpoint(), coinbase, QUIET).body, QUIET).rows
    assert next(row for row in flat if row.start_s == quiet_s).close is None
    assert quiet_s not in [row.start_s for row in left_out]


@BOTH
@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (CandleFaultKind.REORDERED, "reordered"),
        (CandleFaultKind.DUPLICATED, "repeated"),
        (CandleFaultKind.UNFINISHED, "outside"),
    ],
)
def test_what_can_be_mended_is_counted_and_leaves_the_same_rows(service, kind, field):
    served = endpoint(kind)
    first, second = (service.read(asked(served, service).body, HOURS) for _ in range(2))
    assert first.rows == second.rows
    if (kind, service) != (CandleFaultKind.UNFINISHED, coinbase):  # the hour has no trade yet
        assert getattr(first, field)
    assert not getattr(second, field)


@BOTH
def test_half_a_body_is_no_page(service):
    with pytest.raises(PageError):
        service.read(asked(endpoint(CandleFaultKind.TRUNCATED), service).body, HOURS)


@BOTH
def test_a_page_in_another_currency_is_told_or_far_off(service):
    served = endpoint(CandleFaultKind.CURRENCY)
    body, right = (asked(served, service).body for _ in range(2))
    if service is cryptocompare:
        with pytest.raises(PageError, match="converted from JPY"):
            service.read(body, HOURS)
        return
    closes = [float(service.read(each, HOURS).rows[0].close) for each in (body, right)]
    assert closes[0] / closes[1] == pytest.approx(150)


@BOTH
def test_a_revised_hour_stays_revised(service):
    served = endpoint(CandleFaultKind.REVISED)
    before = service.read(asked(endpoint(), service).body, HOURS).rows
    for _ in range(2):
        after = service.read(asked(served, service).body, HOURS).rows
        changed = [row.start_s for row, old in zip(after, before, strict=True) if row != old]
        assert changed == [HOURS.from_s]


def test_a_missing_hour_is_in_the_next_page():
    served = endpoint(CandleFaultKind.MISSING)
    first, second = (
        cryptocompare.read(asked(served, cryptocompare).body, HOURS).rows for _ in range(2)
    )
    assert (len(first), len(second)) == (99, 100)


def test_a_limit_says_how_long_to_wait_and_an_outage_does_not():
    served = endpoint(CandleFaultKind.LIMITED, CandleFaultKind.DOWN)
    limited, down = (asked(served, coinbase) for _ in range(2))
    assert (limited.status, limited.headers) == (429, {"Retry-After": "1"})
    assert (down.status, down.headers) == (503, {})


def test_a_key_is_asked_for_where_there_is_one():
    served = endpoint(key="secret")
    with pytest.raises(RefusedError, match="valid auth key"):
        cryptocompare.read(asked(served, cryptocompare).body, HOURS)
    assert cryptocompare.read(asked(served, cryptocompare, key="secret").body, HOURS).rows


def test_a_product_or_a_span_that_is_not_served_is_refused():
    served = endpoint()
    assert asked(served, coinbase, product="DOGE-USD").status == HTTPStatus.NOT_FOUND
    with pytest.raises(RefusedError):
        cryptocompare.read(asked(served, cryptocompare, product="DOGE-USD").body, HOURS)
    wide = Hours(END_S - 400 * HOUR_S, END_S)
    assert asked(served, coinbase, wide).status == HTTPStatus.BAD_REQUEST
    assert served.answer("/data/v2/histohour", {}, "", START_NS).status == HTTPStatus.BAD_REQUEST


def test_another_path_is_nobodys():
    assert endpoint().answer("/products/BTC-USD/trades", {}, "", START_NS) is None


def test_numbers_are_numbers_in_the_json():
    (first, *_) = json.loads(asked(endpoint(), coinbase).body)
    assert all(isinstance(each, int | float) for each in first)
