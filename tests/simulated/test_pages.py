"""What the exchange answers over HTTP, whatever it is asked."""

import json
from http import HTTPStatus

import pytest

from barograph.simulated.faults import ExchangeFaults
from barograph.simulated.ledger import Ledger
from barograph.simulated.pages import Asked, CandleTerms, Pages

START_NS = 1_750_000_000 * 10**9
CANDLES = (
    "/products/BTC-USD/candles?granularity=3600&start=2025-06-01T00:00:00Z&end=2025-06-01T03:00:00Z"
)


@pytest.fixture
def pages():
    ledger = Ledger(["BTC-USD"], start_ns=START_NS)
    return Pages(ledger, ExchangeFaults([], START_NS), ["BTC-USD"], 10.0, CandleTerms())


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/ledger", 200),
        ("/products", 200),
        ("/products/BTC-USD/trades?limit=5", 200),
        (CANDLES, 200),
        ("/data/v2/histohour?fsym=BTC&tsym=USD&limit=3&toTs=1749000000", 200),
        ("/products/BTC-USD/candles", 400),
        ("/nothing", 404),
        ("//[", 400),
    ],
)
def test_each_path_has_its_answer(pages, target, status):
    answer = pages.answer(Asked(target, "", 0.0))
    assert answer.status == HTTPStatus(status)
    json.loads(answer.body)


def test_requests_for_candles_are_counted(pages):
    pages.answer(Asked("/data/v2/histohour?fsym=BTC&tsym=USD&limit=3&toTs=1749000000", "", 0.0))
    pages.answer(Asked("/ledger", "", 0.0))
    assert pages.candle_requests == 1
    assert json.loads(pages.answer(Asked("/ledger", "", 0.0)).body)["rest"] == {"200": 1}
