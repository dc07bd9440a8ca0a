"""The exchange's trades endpoint, `GET /products/{id}/trades`, without its socket."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec

from barograph.simulated.faults import ExchangeFaults
from barograph.simulated.ledger import Ledger
from barograph.simulated.tape import rest_trades

MOST_TRADES = 1000
"""Most trades per page."""


class TradesEndpoint:
    """Serves a ledger's trades, newest first; `after` limits them to lower ids.

    Allows `per_s` requests per second, with bursts of half as many more; others get a 429.
    """

    def __init__(self, ledger: Ledger, faults: ExchangeFaults, per_s: float) -> None:
        self._ledger, self._faults = ledger, faults
        self._per_s, self._most = per_s, 1.5 * per_s
        self._left, self._spent_s = self._most, 0.0

    def answer(
        self, product: str, query: Mapping[str, Sequence[str]], now_s: float
    ) -> tuple[HTTPStatus, bytes]:
        """Status and JSON body for a request at `now_s` of a monotonic clock."""
        status, body = self._answer(product, query, now_s)
        self._ledger.rest[str(int(status))] += 1
        return status, body

    def _answer(
        self, product: str, query: Mapping[str, Sequence[str]], now_s: float
    ) -> tuple[HTTPStatus, bytes]:
        if not self._spend(now_s):
            return HTTPStatus.TOO_MANY_REQUESTS, error_json("Public rate limit exceeded")
        lack = self._faults.rest(product, self._ledger.now_ns)
        if lack is not None:
            self._ledger.did(lack.fault)
            if not lack.one_in:
                return HTTPStatus.INTERNAL_SERVER_ERROR, error_json("Internal server error")
        if product not in self._ledger.trades:
            return HTTPStatus.NOT_FOUND, error_json("NotFound")
        try:
            limit = int(query.get("limit", [str(MOST_TRADES)])[0])
            after = int(query["after"][0]) if "after" in query else None
        except ValueError:
            return HTTPStatus.BAD_REQUEST, error_json("limit and after are whole numbers")
        if not 1 <= limit <= MOST_TRADES:
            return HTTPStatus.BAD_REQUEST, error_json(f"limit lies within 1 to {MOST_TRADES}")
        page = self._ledger.page(product, limit, after)
        if lack is not None:
            page = [print_ for print_ in page if print_.trade_id % lack.one_in]
        return HTTPStatus.OK, rest_trades(page)

    def _spend(self, now_s: float) -> bool:
        self._left = min(self._most, self._left + (now_s - self._spent_s) * self._per_s)
        self._spent_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


def error_json(message: str) -> bytes:
    """JSON body of an error response."""
    return msgspec.json.encode({"message": message})
