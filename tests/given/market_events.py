"""Market events for tests of the simulated exchange, and the readers that receive them."""

import json

from barograph.simulated.session import Session
from barograph.simulated.tape import Beat, Print
from barograph.types import Frame, Side
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.entries import Dialect, Heard, Opening

S = 1_000_000_000
START_NS = 1_750_000_000 * S
PRODUCTS = ("BTC-USD", "ETH-USD")
SUBSCRIPTIONS = {
    Dialect.EXCHANGE: [
        {
            "type": "subscribe",
            "product_ids": list(PRODUCTS),
            "channels": ["ticker", "heartbeat", "matches"],
        }
    ],
    Dialect.ADVANCED: [
        {"type": "subscribe", "product_ids": list(PRODUCTS), "channel": "ticker"},
        {"type": "subscribe", "channel": "heartbeats"},
    ],
}


def trade(n, at_s=None, product="BTC-USD", **changes):
    """The n-th trade of a product, n seconds after the start or at another time."""
    facts = {
        "price": f"{100 + n}.5",
        "bid": f"{100 + n}.4",
        "ask": f"{100 + n}.5",
        "size": "0.25",
        "side": Side.BUY,
        "bid_size": "1.5",
        "ask_size": "2.5",
        "volume_24h": f"{1000 + n}",
        "open_24h": "100",
    }
    return Print(
        product, START_NS + int((n if at_s is None else at_s) * S), n, 10 * n, **facts | changes
    )


def beat(at_s, last, product="BTC-USD"):
    return Beat(product, START_NS + int(at_s * S), last, 10 * last + 1)


def minute(trades=range(60), product="BTC-USD"):
    """A trade each second and a heartbeat after it."""
    return [
        event for n in trades for event in (trade(n, product=product), beat(n + 0.5, n, product))
    ]


def message_of(action_or_frame):
    """The JSON message in a frame."""
    return json.loads(action_or_frame.data)


def subscribed(dialect=Dialect.EXCHANGE, script=(), **how):
    """A session whose reader has subscribed to everything at the start."""
    session = Session(dialect, PRODUCTS, script, start_ns=START_NS, opened_ns=START_NS, **how)
    for request in SUBSCRIPTIONS[dialect]:
        session.receive(json.dumps(request).encode(), START_NS, {})
    return session


def heard(dialect, data):
    """(events, dead letters) that these bytes of one connection are to a feed."""
    venue = Coinbase()
    venue.take(Opening(connection="c", dialect=dialect))
    events, letters = [], []
    for each in data:
        received = venue.take(Heard(Frame(data=each, connection="c"), dialect))
        events += received.events
        letters += received.dead_letters
    return events, letters
