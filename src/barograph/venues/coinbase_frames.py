"""The frames of Coinbase's two dialects, as far as the machines use them."""

from typing import Annotated, Literal

import msgspec

from barograph.types import Side

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class ExchangeTicker(msgspec.Struct, gc=False, tag_field="type", tag="ticker"):
    """One trade and the best quote after it."""

    product_id: _Name
    price: str
    best_bid: str
    best_ask: str
    time: str
    best_bid_size: str | None = None
    best_ask_size: str | None = None
    volume_24h: str | None = None
    last_size: str | None = None
    side: Side | None = None
    trade_id: _Count | None = None
    sequence: _Count | None = None


class ExchangeHeartbeat(msgspec.Struct, gc=False, tag_field="type", tag="heartbeat"):
    """Once a second for each product, with the last trade's number."""

    product_id: _Name
    time: str
    last_trade_id: _Count | None = None
    sequence: _Count | None = None


class ExchangeSubscriptions(msgspec.Struct, gc=False, tag_field="type", tag="subscriptions"):
    """The answer to a subscription."""


class AdvancedTicker(msgspec.Struct, gc=False):
    """One product in an event of the ticker channel."""

    product_id: _Name
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

    heartbeat_counter: _Count | None = None


class TickerChannel(msgspec.Struct, gc=False, tag_field="channel", tag="ticker"):
    """The envelope of the ticker channel."""

    timestamp: str
    events: list[TickerEvent]
    sequence_num: _Count | None = None


class HeartbeatsChannel(msgspec.Struct, gc=False, tag_field="channel", tag="heartbeats"):
    """The envelope of the heartbeats channel: about once a second."""

    timestamp: str
    events: list[HeartbeatEvent]
    sequence_num: _Count | None = None


class SubscriptionsChannel(msgspec.Struct, gc=False, tag_field="channel", tag="subscriptions"):
    """The answer to a subscription; it counts in `sequence_num` like any frame."""

    timestamp: str | None = None
    sequence_num: _Count | None = None


EXCHANGE_TYPES = frozenset({"ticker", "heartbeat", "subscriptions"})
ADVANCED_CHANNELS = frozenset({"ticker", "heartbeats", "subscriptions"})

# Not strict: a number may come as a string of its digits.
ExchangeMessage = ExchangeTicker | ExchangeHeartbeat | ExchangeSubscriptions
decode_exchange = msgspec.json.Decoder(ExchangeMessage, strict=False).decode

AdvancedMessage = TickerChannel | HeartbeatsChannel | SubscriptionsChannel
decode_advanced = msgspec.json.Decoder(AdvancedMessage, strict=False).decode
