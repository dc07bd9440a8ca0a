"""A venue without a socket, on a simulated clock: what a feed's connection would have brought.

The market, the faults of a script and the trades endpoint are the simulated exchange's own
machines; `Hostility` adds what no script of it does: numbers that are absurd, quotes that are
refused, clocks that are wrong. Everything follows from the seed.
"""

import json
import re
from random import Random

from barograph.simulated.fault_script import FaultKind
from barograph.simulated.faults import ExchangeFaults
from barograph.simulated.law import MarketModel
from barograph.simulated.ledger import Ledger
from barograph.simulated.market import SimulatedMarket
from barograph.simulated.session import Session
from barograph.simulated.sources import simulated
from barograph.simulated.tape import Print
from barograph.simulated.trades_endpoint import TradesEndpoint
from barograph.simulated.voices import OutgoingFrame
from barograph.times import format_time, parse_time
from barograph.types import NS_PER_S
from barograph.venues.coinbase.endpoints import subscriptions
from barograph.venues.entries import Dialect
from random_faults import random_script

START_NS = 1_750_000_000 * NS_PER_S
PRODUCTS = ("BTC-USD", "ETH-USD")
MODEL = MarketModel(order_rate_per_s=0.6, jump_rate_per_s=1 / 40)
MAX_FRAME_BYTES = 1 << 20

SCRIPTED = (
    FaultKind.DROP,
    FaultKind.DUPLICATE,
    FaultKind.REORDER,
    FaultKind.GARBAGE,
    FaultKind.WRONG_TYPES,
    FaultKind.OVERSIZED,
    FaultKind.SILENCE,
    FaultKind.HALF_OPEN,
    FaultKind.DISCONNECT,
    FaultKind.SLOW_READER,
    FaultKind.SEQUENCE_RESTART,
    FaultKind.REST_DOWN,
    FaultKind.REST_PARTIAL,
)
"""Faults after which what is known must equal the truth: a burst or a clock jump changes that."""

_TRADE_ID = re.compile(rb'"(trade_id|last_trade_id)":(\d+)')
_TIME = re.compile(rb'"(time|timestamp)":"([^"]*)"')
_PRODUCT = re.compile(rb'"product_id":"([^"]*)"')
_BID = re.compile(rb'"best_bid":"[^"]*"')


class Venue:
    """The market and its books up to `now_ns`; any number of connections, one after the other."""

    def __init__(self, seed, seconds, faults):
        random = Random(f"venue {seed}")
        self.dialect = random.choice([Dialect.EXCHANGE, Dialect.EXCHANGE, Dialect.ADVANCED])
        self.script = random_script(seed, faults, seconds, PRODUCTS, SCRIPTED)
        self.hostility = Hostility(random, seconds) if random.random() < 0.6 else None
        self.now_ns = START_NS
        self.made = []
        self.ledger = Ledger(PRODUCTS, self.script, start_ns=START_NS)
        self._source = simulated(SimulatedMarket(MODEL, PRODUCTS, seed, START_NS))
        self._faults = ExchangeFaults(self.script, START_NS)
        self._rest = TradesEndpoint(self.ledger, self._faults, per_s=10.0)
        self._last = {}

    def advance(self, now_ns):
        """Let the market go on; its events."""
        events, _ = self._faults.take(self._source.until(now_ns))
        self.now_ns = now_ns
        self.ledger.made(events, now_ns)
        self.made += events
        for event in events:
            if type(event) is Print:
                self._last[event.product] = event
        return events

    def session(self, number, script=None):
        """A connection that has subscribed to everything, and what it was answered with."""
        session = Session(
            self.dialect,
            PRODUCTS,
            self.script if script is None else script,
            number=number,
            start_ns=START_NS,
            opened_ns=self.now_ns,
        )
        actions = []
        for request in subscriptions(self.dialect, PRODUCTS):
            actions += session.receive(json.dumps(request).encode(), self.now_ns, self._last)
        return session, actions

    def page(self, product, below_id, trades):
        """What the trades endpoint answers: the body, or None where it refuses."""
        query = {"limit": [str(trades)], "after": [str(below_id)]}
        status, body = self._rest.answer(product, query, (self.now_ns - START_NS) / NS_PER_S)
        return body if status == 200 else None


_LEAPS_S = (3.5, 20.0, 35.0, 50.0, 12.0, 27.0, 42.0)


def _moved(data, seconds):
    """The frame at another time."""

    def moved(match):
        time_ns = parse_time(match[2].decode()) + int(seconds * NS_PER_S)
        return b'"%b":"%b"' % (match[1], format_time(time_ns).encode())

    return _TIME.sub(moved, data)


class Hostility:
    """What a venue may send that no protocol allows: one kind in each of some spans of time."""

    KINDS = (
        "huge_trade_id",
        "huge_heartbeat",
        "ids_restart",
        "ids_still",
        "negative_id",
        "crossed_quotes",
        "future",
        "past",
        "back",
        "ahead",
        "unknown_product",
    )

    def __init__(self, random, seconds):
        self._spans = []
        for kind in random.sample(self.KINDS, random.randint(1, 2)):
            begin_s = random.uniform(0.15, 0.8) * seconds
            length_s = random.uniform(0.5, 6.0)
            self._spans.append((kind, START_NS + int(begin_s * NS_PER_S), int(length_s * NS_PER_S)))
        self._first_ids = {}
        self._still_ids = {}
        self._leaps = 0

    @property
    def kinds(self):
        return [kind for kind, _, _ in self._spans]

    def frames(self, frame: OutgoingFrame, data: bytes):
        """The frames that are sent in the place of one."""
        for kind, begin_ns, length_ns in self._spans:
            if frame.time_ns >= begin_ns:
                if kind == "ids_restart":
                    data = self._restarted(data)
                elif kind == "ids_still" and frame.channel in {"ticker", "matches"}:
                    data = self._still(data)
                elif frame.time_ns < begin_ns + length_ns:
                    return list(self._struck(kind, frame, data))
        return [data]

    def _restarted(self, data):
        """From then on a product's ids are counted from 1; nothing tells of it."""
        product = _PRODUCT.search(data)

        def moved(match):
            number = int(match[2])
            first = self._first_ids.setdefault(product[1], number)
            return b'"%b":%d' % (match[1], max(number - first + 1, 1))

        return data if product is None else _TRADE_ID.sub(moved, data)

    def _still(self, data):
        """From then on a product's trades have one id; only heartbeats tell how many they are."""
        product = _PRODUCT.search(data)
        if product is None:
            return data

        def moved(match):
            number = self._still_ids.setdefault(product[1], int(match[2]))
            return b'"%b":%d' % (match[1], number)

        return _TRADE_ID.sub(moved, data)

    def _struck(self, kind, frame, data):
        ticker = frame.channel in {"ticker", "matches"}
        if kind == "huge_trade_id" and ticker:
            yield data
            yield _TRADE_ID.sub(rb'"\1":9223372036854775807', data)
        elif kind == "huge_heartbeat" and frame.channel == "heartbeat":
            yield _TRADE_ID.sub(rb'"\1":1000000000000000', data)
        elif kind == "negative_id":
            yield _TRADE_ID.sub(rb'"\1":-\2', data)
        elif kind == "crossed_quotes":
            yield _BID.sub(b'"best_bid":"1e9"', data)
        elif kind == "future":
            yield _TIME.sub(rb'"\1":"2100-01-01T00:00:00.000000Z"', data)
        elif kind == "past" and ticker:
            yield _TIME.sub(rb'"\1":"1970-01-01T00:00:00.000000Z"', data)
        elif kind == "back" and ticker:
            yield _moved(data, -Random(frame.time_ns).uniform(2.0, 20.0))
        elif kind == "ahead":
            # No two in a row agree: three that do are a clock, and are believed.
            self._leaps += 1
            yield _moved(data, _LEAPS_S[self._leaps % len(_LEAPS_S)])
        elif kind == "unknown_product":
            yield data
            yield data.replace(b"-USD", b"-ZZZ")
        else:
            yield data
