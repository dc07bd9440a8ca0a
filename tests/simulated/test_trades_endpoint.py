"""The trades endpoint: pages, errors as Coinbase has them, a rate, and what a script does to it."""

import json
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.simulated.fault_script import FaultKind, ScriptedFault
from barograph.simulated.faults import ExchangeFaults
from barograph.simulated.ledger import Ledger
from barograph.simulated.trades_endpoint import TradesEndpoint
from market_events import PRODUCTS, START_NS, S, minute


def endpoint(*script, now_s=60.0, per_s=10.0):
    ledger = Ledger(PRODUCTS, script, start_ns=START_NS)
    ledger.made(minute(), START_NS + int(now_s * S))
    return TradesEndpoint(ledger, ExchangeFaults(script, START_NS), per_s), ledger


def ids(answer):
    status, body = answer
    assert status is HTTPStatus.OK
    return [trade["trade_id"] for trade in json.loads(body)]


def test_trades_are_paged_from_the_newest_to_the_oldest():
    trades, _ = endpoint()
    numbers, after = [], {}
    while page := ids(trades.answer("BTC-USD", {"limit": ["25"], **after}, 0.0)):
        numbers += page
        after = {"after": [str(page[-1])]}
    assert numbers == list(range(59, -1, -1))


def test_without_a_limit_a_page_has_a_thousand():
    assert len(ids(endpoint()[0].answer("BTC-USD", {}, 0.0))) == 60


@pytest.mark.parametrize(
    "query", [{"limit": ["0"]}, {"limit": ["1001"]}, {"limit": ["x"]}, {"after": ["x"]}]
)
def test_a_query_that_makes_no_sense_is_refused(query):
    status, body = endpoint()[0].answer("BTC-USD", query, 0.0)
    assert status is HTTPStatus.BAD_REQUEST
    assert json.loads(body)["message"]


def test_an_unknown_product_is_not_found():
    trades, ledger = endpoint()
    assert trades.answer("FOO-USD", {}, 0.0) == (HTTPStatus.NOT_FOUND, b'{"message":"NotFound"}')
    assert ledger.rest == {"404": 1}


def test_who_asks_too_often_is_refused_and_may_ask_again_later():
    trades, ledger = endpoint()
    statuses = [trades.answer("BTC-USD", {}, 5.0)[0] for _ in range(16)]
    assert statuses == [HTTPStatus.OK] * 15 + [HTTPStatus.TOO_MANY_REQUESTS]
    assert trades.answer("BTC-USD", {}, 5.2)[0] is HTTPStatus.OK
    assert ledger.rest == {"200": 16, "429": 1}


@given(st.lists(st.floats(0, 2), max_size=60))
def test_no_more_is_answered_than_the_rate_allows(waits_s):
    trades, ledger = endpoint(per_s=4.0)
    now_s = 1000.0
    for wait_s in waits_s:
        now_s += wait_s
        trades.answer("ETH-USD", {}, now_s)
    assert ledger.rest["200"] <= 6 + 4 * sum(waits_s) + 1e-6


def test_an_endpoint_that_is_down_says_so_and_it_stands_in_the_books():
    script = ScriptedFault(FaultKind.REST_DOWN, 50.0, seconds=20.0)
    trades, ledger = endpoint(script)
    assert trades.answer("BTC-USD", {}, 0.0)[0] is HTTPStatus.INTERNAL_SERVER_ERROR
    assert [deed.kind for deed in ledger.deeds] == [FaultKind.REST_DOWN]


def test_an_endpoint_may_leave_some_trades_out_and_always_the_same():
    script = ScriptedFault(FaultKind.REST_PARTIAL, 50.0, seconds=20.0, count=3)
    trades, _ = endpoint(script)
    first = ids(trades.answer("BTC-USD", {}, 0.0))
    assert first == [n for n in range(59, -1, -1) if n % 3]
    assert ids(trades.answer("BTC-USD", {}, 1.0)) == first
