"""The frames of Coinbase's two dialects, as far as the machines use them."""

from decimal import Decimal, InvalidOperation
from typing import Literal, TypeVar

import msgspec

from barograph.codec import UNREADABLE
from barograph.types import Count, Name, Side
from barograph.venues.decimals import plain

_NOTHING = msgspec.Raw()


class ExchangeTicker(msgspec.Struct, gc=False, tag_field="type", tag="ticker"):
    """One trade and the best quote after it."""

    product_id: Name
    price: str
    best_bid: str
    best_ask: str
    time: str
    best_bid_size: str | None = None
    best_ask_size: str | None = None
    volume_24h: str | None = None
    last_size: str | None = None
    side: Side | None = None
    trade_id: Count | None = None
    sequence: Count | None = None


class ExchangeHeartbeat(msgspec.Struct, gc=False, tag_field="type", tag="heartbeat"):
    """Once a second for each product, with the last trade's number."""

    product_id: Name
    time: str
    last_trade_id: Count | None = None
    sequence: Count | None = None


class PageTrade(msgspec.Struct, gc=False):
    """A trade in a page of REST; `side` is the maker's."""

    trade_id: Count
    price: str
    size: str
    time: str
    side: Side | None = None


class ExchangeMatch(msgspec.Struct, gc=False, tag_field="type", tag="match"):
    """A trade of the matches channel; `side` is the maker's."""

    product_id: Name
    trade_id: Count
    price: str
    size: str
    time: str
    side: Side | None = None


class ExchangeLastMatch(msgspec.Struct, gc=False, tag_field="type", tag="last_match"):
    """The trade before the subscription: old state, no news."""


class _Channel(msgspec.Struct, gc=False):
    name: str
    product_ids: list[str] = []


class ExchangeSubscriptions(msgspec.Struct, gc=False, tag_field="type", tag="subscriptions"):
    """The answer to a subscription."""

    channels: msgspec.Raw = _NOTHING

    def products(self) -> dict[str, list[str]]:
        """Return the products of each channel; empty for a form that is not known."""
        try:
            return {channel.name: channel.product_ids for channel in _channels(self.channels)}
        except UNREADABLE:
            return {}


class AdvancedTicker(msgspec.Struct, gc=False):
    """One product in an event of the ticker channel."""

    product_id: Name
    price: str
    best_bid: str
    best_ask: str
    best_bid_quantity: str | None = None
    best_ask_quantity: str | None = None
    volume_24_h: str | None = None


class TickerEvent(msgspec.Struct, gc=False):
    """Several tickers; "snapshot" is state sent on subscription."""

    type: Literal["snapshot", "update"]
    tickers: list[AdvancedTicker]


class HeartbeatEvent(msgspec.Struct, gc=False):
    """A count of the connection's beats."""

    heartbeat_counter: Count | None = None


class TickerChannel(msgspec.Struct, gc=False, tag_field="channel", tag="ticker"):
    """The envelope of the ticker channel."""

    timestamp: str
    events: list[TickerEvent]
    sequence_num: Count | None = None


class HeartbeatsChannel(msgspec.Struct, gc=False, tag_field="channel", tag="heartbeats"):
    """The envelope of the heartbeats channel: about once a second."""

    timestamp: str
    events: list[HeartbeatEvent]
    sequence_num: Count | None = None


class SubscriptionsChannel(msgspec.Struct, gc=False, tag_field="channel", tag="subscriptions"):
    """The answer to a subscription; it counts in `sequence_num` like any frame."""

    timestamp: str | None = None
    sequence_num: Count | None = None
    events: msgspec.Raw = _NOTHING

    def products(self) -> dict[str, list[str]]:
        """Return the products of each channel; empty for a form that is not known."""
        try:
            subscriptions = _subscriptions(self.events)
        except UNREADABLE:
            return {}
        return subscriptions[0].subscriptions if subscriptions else {}


class _Subscriptions(msgspec.Struct, gc=False):
    subscriptions: dict[str, list[str]] = {}


_channels = msgspec.json.Decoder(list[_Channel]).decode
_subscriptions = msgspec.json.Decoder(list[_Subscriptions]).decode

EXCHANGE_TYPES = frozenset({"ticker", "match", "last_match", "heartbeat", "subscriptions"})
ADVANCED_CHANNELS = frozenset({"ticker", "heartbeats", "subscriptions"})

# Not strict: a number may come as a string of its digits.
ExchangeMessage = (
    ExchangeTicker | ExchangeMatch | ExchangeLastMatch | ExchangeHeartbeat | ExchangeSubscriptions
)
decode_exchange = msgspec.json.Decoder(ExchangeMessage, strict=False).decode

AdvancedMessage = TickerChannel | HeartbeatsChannel | SubscriptionsChannel
decode_advanced = msgspec.json.Decoder(AdvancedMessage, strict=False).decode

decode_page = msgspec.json.Decoder(list[PageTrade], strict=False).decode

_SIDES = [*Side]
_IDS = ("trade_id", "sequence", "last_trade_id")
_PRICES = ("price", "best_bid", "best_ask")
_Ticker = TypeVar("_Ticker", ExchangeTicker, AdvancedTicker)


def without_odd_fields(frame: bytes) -> bytes:
    """Return a frame of the Exchange feed without the optional fields that are odd: not offered.

    Those are a side that is none and an id that is empty. Raises one of UNREADABLE.
    """
    value = msgspec.json.decode(frame)
    if not isinstance(value, dict):
        return frame
    odd = {name for name in _IDS if value.get(name) == ""}
    if "side" in value and value["side"] not in _SIDES:
        odd.add("side")
    if not odd:
        return frame
    return msgspec.json.encode({name: each for name, each in value.items() if name not in odd})


def with_plain_prices(ticker: _Ticker) -> _Ticker:
    """Return a ticker whose prices have no exponent: `6.44e-06` is 0.00000644, as the number is."""
    joined = f"{ticker.price}{ticker.best_bid}{ticker.best_ask}"
    if "e" not in joined and "E" not in joined:
        return ticker
    return msgspec.structs.replace(ticker, **{n: _plain(getattr(ticker, n)) for n in _PRICES})


def _plain(text: str) -> str:
    try:
        return plain(Decimal(text), text)
    except InvalidOperation:
        return text
