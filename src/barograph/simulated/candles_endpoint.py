"""The candles of both services, without their socket, with the faults that theirs have.

    GET /data/v2/histohour                as CryptoCompare: `fsym`, `tsym`, `limit`, `toTs`
    GET /products/{id}/candles            as Coinbase Exchange: `granularity`, `start`, `end`

The running hour is served where it is asked for. CryptoCompare's has hours without a trade as flat
ones of volume 0, Coinbase's leaves them out.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec

from barograph.candle_records import HOUR_S
from barograph.simulated.candle_faults import CandleFault, CandleFaultKind, CandleFaults
from barograph.simulated.candle_history import Bar, CandleHistory
from barograph.simulated.trades_endpoint import error_json
from barograph.times import parse_time
from barograph.types import NS_PER_S

HISTOHOUR = "/data/v2/histohour"
MOST_HISTOHOUR, MOST_COINBASE = 2000, 300
RETRY_AFTER_S = 1
_FLAT_HOURS = 5000  # after which a market is taken as not begun

_coinbase_path = re.compile(r"/products/([^/]{1,100})/candles").fullmatch
_encode = msgspec.json.Encoder(decimal_format="number").encode

_FOREIGN_RATE = Decimal(150)
"""Of a currency that nobody asked for: about the yen to the dollar."""

Query = Mapping[str, Sequence[str]]


class CandleAnswer(NamedTuple):
    """Status, JSON body and further headers of a response."""

    status: HTTPStatus
    body: bytes
    headers: Mapping[str, str] = {}


class CandlesEndpoint:
    """Serves a history in both forms; `key` is what CryptoCompare's asks for, empty for none."""

    def __init__(
        self, history: CandleHistory, script: Sequence[CandleFault] = (), *, key: str = ""
    ) -> None:
        self.faults = CandleFaults(script)
        self._history, self._key = history, key
        self._revised: set[tuple[str, int]] = set()

    def answer(
        self, path: str, query: Query, authorization: str, now_ns: int
    ) -> CandleAnswer | None:
        """The response to a request at market time `now_ns`; None for a path of something else."""
        if path == HISTOHOUR:
            if self._key and authorization != f"Apikey {self._key}":
                body = _refusal("You need a valid auth key or api key to access this endpoint")
                return CandleAnswer(HTTPStatus.OK, body)
            return self._served("cryptocompare", self._histohour, query, now_ns)
        if match := _coinbase_path(path):
            product = match[1]
            if product not in self._history.products:
                return CandleAnswer(HTTPStatus.NOT_FOUND, error_json("NotFound"))
            return self._served("coinbase", self._coinbase, {**query, "id": [product]}, now_ns)
        return None

    def _served(self, service: str, serve: Any, query: Query, now_ns: int) -> CandleAnswer:  # noqa: ANN401 - one of two methods below
        kind = self.faults.next()
        if kind is CandleFaultKind.LIMITED:
            headers = {"Retry-After": str(RETRY_AFTER_S)}
            return CandleAnswer(
                HTTPStatus.TOO_MANY_REQUESTS, error_json("Public rate limit exceeded"), headers
            )
        if kind is CandleFaultKind.DOWN:
            return CandleAnswer(HTTPStatus.SERVICE_UNAVAILABLE, error_json("Service unavailable"))
        try:
            body = serve(query, kind, now_ns // NS_PER_S)
        except (KeyError, ValueError):
            why = error_json(f"{service}: a parameter is missing or out of range")
            return CandleAnswer(HTTPStatus.BAD_REQUEST, why)
        if kind is CandleFaultKind.TRUNCATED:
            body = body[: len(body) // 2]
        return CandleAnswer(HTTPStatus.OK, body)

    def _histohour(self, query: Query, kind: CandleFaultKind | None, now_s: int) -> bytes:
        product = f"{query['fsym'][0]}-{query['tsym'][0]}"
        limit, last_s = int(query["limit"][0]), int(query["toTs"][0])
        if product not in self._history.products:
            return _refusal(f"{product} market does not exist for this coin pair")
        if not 1 <= limit + 1 <= MOST_HISTOHOUR + 1:
            raise ValueError(limit)
        last_s = min(last_s, now_s) // HOUR_S * HOUR_S
        first_s = last_s - limit * HOUR_S
        last_s = self._last(last_s, kind, now_s)
        bars = {bar.start_s: bar for bar in self._bars(product, first_s, last_s + HOUR_S, kind)}
        lacks = _middle(list(bars)) if kind is CandleFaultKind.MISSING else None
        rows, close = [], Decimal(0)
        if first_s not in bars:  # a flat hour has the close before it, zeros are before any trade
            earlier = self._history.bars(product, first_s - _FLAT_HOURS * HOUR_S, first_s)
            close = earlier[-1].close if earlier else close
        for start_s in range(first_s, last_s + HOUR_S, HOUR_S):
            bar = bars.get(start_s)
            if start_s != lacks:
                rows.append(_histohour_row(start_s, bar, close, kind))
            close = bar.close if bar else close
        rows = _shuffled(rows, kind)
        data = {"Aggregated": False, "TimeFrom": first_s, "TimeTo": last_s, "Data": rows}
        return _encode({"Response": "Success", "Message": "", "Type": 100, "Data": data})

    def _coinbase(self, query: Query, kind: CandleFaultKind | None, now_s: int) -> bytes:
        if int(query["granularity"][0]) != HOUR_S:
            raise ValueError(query["granularity"])
        first_s, last_s = (
            -(-parse_time(query[name][0]) // NS_PER_S // HOUR_S) * HOUR_S
            for name in ("start", "end")
        )
        if not 0 <= last_s - first_s < MOST_COINBASE * HOUR_S:
            raise ValueError("granularity too small for the requested time range")
        last_s = self._last(min(last_s, now_s // HOUR_S * HOUR_S), kind, now_s)
        bars = self._bars(query["id"][0], first_s, last_s + HOUR_S, kind)
        rows = [
            [bar.start_s, bar.low, bar.high, bar.open, bar.close, bar.volume] for bar in bars[::-1]
        ]
        return _encode(_shuffled(rows, kind))

    def _last(self, last_s: int, kind: CandleFaultKind | None, now_s: int) -> int:
        return now_s // HOUR_S * HOUR_S if kind is CandleFaultKind.UNFINISHED else last_s

    def _bars(
        self, product: str, from_s: int, to_s: int, kind: CandleFaultKind | None
    ) -> list[Bar]:
        bars = self._history.bars(product, from_s, to_s)
        if kind is CandleFaultKind.REVISED and bars:
            self._revised.add((product, bars[0].start_s))
        bars = [_revised(bar) if (product, bar.start_s) in self._revised else bar for bar in bars]
        if kind is CandleFaultKind.CURRENCY:
            bars = [_converted(bar, _FOREIGN_RATE) for bar in bars]
        return bars


def _histohour_row(
    start_s: int, bar: Bar | None, close: Decimal, kind: CandleFaultKind | None
) -> dict[str, Any]:
    converted = kind is CandleFaultKind.CURRENCY
    flat = (close, close, close, close, Decimal(0), Decimal(0))
    numbers = flat
    if bar is not None:
        numbers = (bar.open, bar.high, bar.low, bar.close, bar.volume, bar.quote_volume)
    names = ("open", "high", "low", "close", "volumefrom", "volumeto")
    return {
        "time": start_s,
        **dict(zip(names, numbers, strict=True)),
        "conversionType": "multiply" if converted else "direct",
        "conversionSymbol": "JPY" if converted else "",
    }


def _revised(bar: Bar) -> Bar:
    """The hour with a tenth more volume."""
    more = (bar.volume * Decimal("1.1")).quantize(Decimal("0.0001"))
    return msgspec.structs.replace(bar, volume=more)


def _converted(bar: Bar, rate: Decimal) -> Bar:
    prices = {name: getattr(bar, name) * rate for name in ("open", "high", "low", "close")}
    return msgspec.structs.replace(bar, quote_volume=bar.quote_volume * rate, **prices)


def _shuffled(rows: list[Any], kind: CandleFaultKind | None) -> list[Any]:
    if kind is CandleFaultKind.REORDERED:
        return rows[1::2] + rows[::2]
    if kind is CandleFaultKind.DUPLICATED:
        return rows[: len(rows) // 2 + 1] + rows[len(rows) // 2 :]
    return rows


def _middle(starts: list[int]) -> int | None:
    return starts[len(starts) // 2] if starts else None


def _refusal(message: str) -> bytes:
    refusal = {"Response": "Error", "Message": message, "HasWarning": False, "Type": 99, "Data": {}}
    return _encode(refusal)
