"""Where a venue is reached and what is sent to it: addresses, subscriptions, REST paths, claims.

Pure: nothing is sent from here. Source: docs.cdp.coinbase.com, the pages of the Exchange WebSocket
feed, of the Advanced Trade WebSocket, of Exchange REST trades, and of CDP API keys.
"""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from barograph.codec import UNREADABLE
from barograph.errors import BadInputError
from barograph.types import MAX_PRODUCTS
from barograph.venues.books import UNIFIED, Books, book_of
from barograph.venues.entries import Dialect

SIMULATED_URL = "ws://127.0.0.1:8765/exchange"
"""The default address of `barograph simulate`."""

_ADVANCED_PRODUCTS = "/api/v3/brokerage/market/products"

PAGE_TRADES = 1000
"""The most trades that one page of REST holds."""

TOKEN_S = 120
"""How long a token is good for; a subscription outlives it."""

_NEWS = {
    Dialect.EXCHANGE: ("ticker", "heartbeat", "match"),
    Dialect.ADVANCED: ("ticker", "heartbeats"),
}
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}

# BTC-USD, a perpetual as BTC-PERP-INTX, a future as BIT-29AUG25-CDE.
_product = re.compile(r"[A-Z0-9]{1,20}(?:-[A-Z0-9]{1,20}){1,3}").fullmatch


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A venue's addresses.

    `socket` sends its data, `rest` fills holes where its dialect has one, `products` is its list.
    """

    venue: str
    dialect: Dialect
    socket: str
    rest: str | None = None
    products: str | None = None

    @property
    def local(self) -> bool:
        """Whether it lies on this machine, where no proxy leads."""
        return urlsplit(self.socket).hostname in _LOOPBACK

    @property
    def encrypted(self) -> bool:
        """Whether the socket uses TLS; secrets are sent over no other."""
        return self.socket.startswith("wss:")


VENUES = {
    "coinbase": Endpoint(
        venue="coinbase",
        dialect=Dialect.EXCHANGE,
        socket="wss://ws-feed.exchange.coinbase.com",
        rest="https://api.exchange.coinbase.com",
        products="https://api.exchange.coinbase.com/products",
    ),
    "coinbase-advanced": Endpoint(
        venue="coinbase-advanced",
        dialect=Dialect.ADVANCED,
        socket="wss://advanced-trade-ws.coinbase.com",
        products=f"https://api.coinbase.com{_ADVANCED_PRODUCTS}",
    ),
    "simulated": Endpoint(
        venue="simulated",
        dialect=Dialect.EXCHANGE,
        socket=SIMULATED_URL,
        rest="http://127.0.0.1:8765",
        products="http://127.0.0.1:8765/products",
    ),
}
"""The venues by name."""


def endpoint(venue: str, url: str | None = None) -> Endpoint:
    """A venue at its own address, or at `url`; REST requests then go to the same host.

    Raises BadInputError for an unknown venue, or for what is no WebSocket address.
    """
    known = VENUES.get(venue)
    if known is None:
        raise BadInputError(
            f"venue {venue}", "there is no such venue", f"Use one of {', '.join(VENUES)}"
        )
    if url is None:
        return known
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"ws", "wss"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        good = False
    if not good:
        raise BadInputError(
            f"url {url}",
            "it is no WebSocket address",
            "Give one as in ws://127.0.0.1:8765/exchange",
        )
    if venue == "simulated" and parts.path in {"", "/"}:
        url = parts._replace(path="/exchange").geturl()
    http = "https" if parts.scheme == "wss" else "http"
    rest = None if known.rest is None else f"{http}://{parts.netloc}"
    path = "/products" if known.dialect is Dialect.EXCHANGE else _ADVANCED_PRODUCTS
    return msgspec.structs.replace(
        known, socket=url, rest=rest, products=f"{http}://{parts.netloc}{path}"
    )


def products_named(text: str) -> list[str]:
    """The products of a comma-separated list, in capitals, each once.

    Raises BadInputError when a name is none, there is none at all, or there are too many.
    """
    products: dict[str, None] = {}
    for name in (part.strip().upper() for part in text.split(",")):
        if not name:
            continue
        if not _product(name):
            raise BadInputError(
                f"product {name}", "it is no product's name", "Give one as in BTC-USD"
            )
        products[name] = None
    if not products:
        raise BadInputError("products", "none is named", "Give some (`--products BTC-USD,ETH-USD`)")
    if len(products) > MAX_PRODUCTS:
        raise BadInputError(
            "products", f"{len(products):,} are named", f"Name {MAX_PRODUCTS:,} at most"
        )
    return list(products)


def joined(
    names: Iterable[str], books: Books = UNIFIED, source: str = "its documentation"
) -> tuple[list[str], list[str]]:
    """The books of some products, each once, and a line for each name that is not its book's.

    books: which names are one book, as `books.book_of` takes it. source: where that is said.
    """
    products: dict[str, None] = {}
    remarks: list[str] = []
    for name in names:
        product = book_of(name, books)
        if product != name:
            remarks.append(
                f"{name} is one series with {product}, which is taken: "
                f"they are one book at Coinbase, by {source}"
            )
        products[product] = None
    return list(products), remarks


def subscriptions(dialect: Dialect, products: Iterable[str]) -> list[dict[str, Any]]:
    """Return a new connection's first messages: one per product wherever the venue allows it.

    A refused product then leaves the others subscribed.
    """
    if dialect is Dialect.EXCHANGE:
        channels = ["ticker", "heartbeat", "matches"]
        return [
            {"type": "subscribe", "product_ids": [product], "channels": channels}
            for product in products
        ]
    # Without heartbeats quiet channels are closed after a minute or so.
    return [{"type": "subscribe", "channel": "heartbeats"}] + [
        {"type": "subscribe", "channel": "ticker", "product_ids": [product]} for product in products
    ]


def trades_url(rest: str, product: str, below_id: int, trades: int = PAGE_TRADES) -> str:
    """A page of a product's trades: the newest with an id below that one, newest first."""
    return f"{rest}/products/{product}/trades?limit={trades}&after={below_id}"


class _Trade(msgspec.Struct):
    trade_id: int


_trades = msgspec.json.Decoder(list[_Trade], strict=False).decode


def lowest_trade_id(page: bytes) -> int | None:
    """Where a page ends, to ask for the next one; None where it is empty or no page."""
    try:
        return min((trade.trade_id for trade in _trades(page)), default=None)
    except UNREADABLE:
        return None


def claims(key_name: str, now_s: int) -> dict[str, str | int]:
    """Return a subscription token's JWT claims: its key and its validity."""
    return {"iss": "cdp", "sub": key_name, "nbf": now_s, "exp": now_s + TOKEN_S}


class _Kind(msgspec.Struct):
    type: str = ""
    channel: str = ""


_kind = msgspec.json.Decoder(_Kind).decode


def is_news(data: bytes, dialect: Dialect) -> bool:
    """Whether a frame is data (a tick, trade or heartbeat), not an answer or an error."""
    try:
        kind = _kind(data)
    except UNREADABLE:
        return False
    return (kind.type if dialect is Dialect.EXCHANGE else kind.channel) in _NEWS[dialect]
