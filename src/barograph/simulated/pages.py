"""All that the simulated exchange answers over plain HTTP, without its socket.

GET /ledger                                     generated and sent data, and applied faults
GET /products/{id}/trades, /products, …         see `trades_endpoint`, `products_endpoint`
GET /products/{id}/candles, /data/v2/histohour  see `candles_endpoint`
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgspec

from barograph.simulated.candle_faults import CandleFault
from barograph.simulated.candle_history import CandleHistory
from barograph.simulated.candles_endpoint import CandlesEndpoint
from barograph.simulated.faults import ExchangeFaults
from barograph.simulated.ledger import Ledger
from barograph.simulated.market import OTHER_START_PRICE, START_PRICES
from barograph.simulated.products_endpoint import ProductsEndpoint
from barograph.simulated.tape import MarketEvent
from barograph.simulated.trades_endpoint import TradesEndpoint, error_json

_TRADES = re.compile(r"/products/([^/]{1,100})/trades").fullmatch


class Asked(NamedTuple):
    """A GET: its path with the query, what authorizes it, and a moment of a monotonic clock."""

    target: str
    authorization: str
    now_s: float


class CandleTerms(msgspec.Struct, frozen=True, kw_only=True):
    """How the exchange serves candles: their seed, their faults, and CryptoCompare's key.

    An empty key is not asked for. Without `quiet_hours` each hour before the opening has trades.
    """

    seed: int = 1
    faults: tuple[CandleFault, ...] = ()
    key: str = ""
    quiet_hours: bool = True


class PageAnswer(NamedTuple):
    """Status, JSON body and further headers of a response."""

    status: HTTPStatus
    body: bytes
    headers: Mapping[str, str] = {}


class Pages:
    """The HTTP half of an exchange; `take` the market's events as they happen."""

    def __init__(
        self,
        ledger: Ledger,
        faults: ExchangeFaults,
        products: Sequence[str],
        rest_per_s: float,
        candles: CandleTerms,
    ) -> None:
        self._ledger = ledger
        self._products = ProductsEndpoint(products)
        self._trades = TradesEndpoint(ledger, faults, rest_per_s)
        prices = {name: START_PRICES.get(name, OTHER_START_PRICE) for name in products}
        self._history = CandleHistory(
            prices, ledger.start_ns, candles.seed, quiet_hours=candles.quiet_hours
        )
        self._candles = CandlesEndpoint(self._history, candles.faults, key=candles.key)

    @property
    def candle_requests(self) -> int:
        """How often candles were asked for."""
        return self._candles.faults.requests

    def take(self, events: Iterable[MarketEvent]) -> None:
        """Record the market's trades in the hours that are served."""
        self._history.take(events)

    def answer(self, asked: Asked) -> PageAnswer:
        """The response to a request."""
        try:
            url = urlsplit(asked.target)
        except ValueError:  # unbalanced brackets
            return PageAnswer(HTTPStatus.BAD_REQUEST, error_json("BadRequest"))
        if url.path == "/ledger":
            return PageAnswer(HTTPStatus.OK, msgspec.json.encode(self._ledger.summary()))
        query = parse_qs(url.query)
        if match := _TRADES(url.path):
            return PageAnswer(*self._trades.answer(match[1], query, asked.now_s))
        now_ns = self._ledger.now_ns
        candles = self._candles.answer(url.path, query, asked.authorization, now_ns)
        if candles is not None:
            self._ledger.rest[str(int(candles.status))] += 1
            return PageAnswer(*candles)
        nothing = HTTPStatus.NOT_FOUND, error_json("NotFound")
        return PageAnswer(*(self._products.answer(url.path) or nothing))
