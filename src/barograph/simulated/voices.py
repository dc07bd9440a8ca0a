"""The server side of Coinbase's two WebSocket protocols, the counterpart of `venues/`.

A voice serves one connection: it handles the reader's messages, keeps its subscriptions, and
encodes frames. It has no socket and no clock: times are arguments.
Sources: docs.cdp.coinbase.com/exchange/websocket-feed and
docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket, and recordings of both feeds.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from barograph.codec import UNREADABLE
from barograph.simulated.tape import (
    Beat,
    MarketEvent,
    Print,
    advanced_ticker,
    exchange_heartbeat,
    exchange_last_match,
    exchange_match,
    exchange_ticker,
    stamp,
)
from barograph.types import NS_PER_S
from barograph.venues.books import book_of
from barograph.venues.entries import Dialect

ANSWERS = frozenset({"subscriptions", "error"})
"""Channels of responses; all others carry market data."""


class OutgoingFrame(msgspec.Struct, frozen=True, gc=False):
    """One frame, due at `time_ns` of market time, with its products and trades."""

    data: bytes
    time_ns: int
    channel: str
    products: tuple[str, ...] = ()
    prints: tuple[Print, ...] = ()


class _Channel(msgspec.Struct):
    name: str
    product_ids: list[str] | None = None


class _Request(msgspec.Struct):
    type: str
    product_ids: list[str] = []
    channels: list[str | _Channel] = []
    channel: str | None = None


_request = msgspec.json.Decoder(_Request).decode


class _Voice(ABC):
    """The common part of both dialects: subscriptions and their errors."""

    channels: Mapping[str, bool]
    """The channels, and whether each is subscribed by product."""

    def __init__(self, products: Sequence[str]) -> None:
        self._products = frozenset(products)
        self.subscribed: dict[str, dict[str, None]] = {}

    def receive(
        self, message: bytes, now_ns: int, last: Mapping[str, Print]
    ) -> list[OutgoingFrame]:
        """Handle a reader's message and return the responses.

        last: each product's last trade so far.
        """
        try:
            request = _request(message)
        except UNREADABLE:
            return [_error("Malformed JSON", "", now_ns)]
        if request.type not in {"subscribe", "unsubscribe"}:
            reason = "Type has to be either subscribe or unsubscribe"
            return [_error("Failed to subscribe", reason, now_ns)]
        reasons: dict[str, None] = {}
        fresh: dict[str, list[str]] = {}
        for name, wanted in self._wanted(request):
            if name not in self.channels:
                reasons[f"{name} is not a valid channel"] = None
                continue
            valid = self._valid(name, wanted, reasons)
            if request.type == "subscribe":
                held = self.subscribed.setdefault(name, {})
                fresh[name] = [product for product in valid if product not in held]
                held.update(dict.fromkeys(valid))
            else:
                for product in valid or list(self.subscribed.get(name, ())):
                    self.subscribed.get(name, {}).pop(product, None)
            if not self.subscribed.get(name):
                self.subscribed.pop(name, None)
        errors = [_error("Failed to subscribe", reason, now_ns) for reason in reasons]
        return errors + self._answers(now_ns, fresh, last)

    @abstractmethod
    def _wanted(self, request: _Request) -> Iterable[tuple[str, list[str]]]:
        """The channels of a request with their products."""

    @abstractmethod
    def _answers(
        self, now_ns: int, fresh: Mapping[str, list[str]], last: Mapping[str, Print]
    ) -> list[OutgoingFrame]:
        """Responses to a request other than errors; `fresh` has the new subscriptions."""

    def _valid(self, channel: str, wanted: list[str], reasons: dict[str, None]) -> list[str]:
        if not self.channels[channel]:
            return [channel]
        valid = []
        for name in wanted:
            product = book_of(name)
            if name in self._products:
                valid.append(name)
            elif product in self._products:
                valid.append(product)
            else:
                reasons[f"{name} is not a valid product"] = None
        return valid


class ExchangeVoice(_Voice):
    """One connection of the Exchange feed: `ticker`, `matches`, `heartbeat`, one product per frame.

    The response to a subscription is followed by each product's last trade, as `last_match` and as
    `ticker`. A trade's match precedes its ticker and has the same sequence.
    """

    channels: Mapping[str, bool] = {"ticker": True, "matches": True, "heartbeat": True}

    def frames(self, events: Iterable[MarketEvent], time_ns: int) -> list[OutgoingFrame]:
        """Frames of the subscribed events, in order, all due at `time_ns`."""
        tickers, matches, beats = map(self._on, ("ticker", "matches", "heartbeat"))
        frames = []
        for event in events:
            product = event.product
            one = (product,)
            if type(event) is Beat:
                if product in beats:
                    frames.append(
                        OutgoingFrame(exchange_heartbeat(event), time_ns, "heartbeat", one)
                    )
            elif type(event) is Print:
                if product in matches and event.size is not None and event.side is not None:
                    data = exchange_match(event)
                    frames.append(OutgoingFrame(data, time_ns, "matches", one, (event,)))
                if product in tickers:
                    data = exchange_ticker(event)
                    frames.append(OutgoingFrame(data, time_ns, "ticker", one, (event,)))
        return frames

    def _on(self, channel: str) -> Mapping[str, None]:
        return self.subscribed.get(channel, {})

    def _wanted(self, request: _Request) -> Iterable[tuple[str, list[str]]]:
        for channel in request.channels:
            if isinstance(channel, str):
                yield channel, request.product_ids
            else:
                yield channel.name, request.product_ids + (channel.product_ids or [])

    def _answers(
        self, now_ns: int, fresh: Mapping[str, list[str]], last: Mapping[str, Print]
    ) -> list[OutgoingFrame]:
        held = [
            {"name": name, "product_ids": list(products), "account_ids": None}
            for name, products in self.subscribed.items()
        ]
        confirmation = msgspec.json.encode({"type": "subscriptions", "channels": held})
        frames = [OutgoingFrame(confirmation, now_ns, "subscriptions")]
        for channel, write in (("matches", exchange_last_match), ("ticker", exchange_ticker)):
            for product in fresh.get(channel, ()):
                event = last.get(product)
                if event is None or (channel == "matches" and None in {event.size, event.side}):
                    continue
                frames.append(OutgoingFrame(write(event), now_ns, channel, (product,), (event,)))
        return frames


class AdvancedVoice(_Voice):
    """One connection of Advanced Trade, whose `sequence_num` counts all its frames.

    Grouped trades share one frame. A subscription to `ticker` is answered by a snapshot of the last
    trades, then the response. `heartbeats` sends one frame per market second.
    """

    channels: Mapping[str, bool] = {"ticker": True, "heartbeats": False}

    def __init__(self, products: Sequence[str]) -> None:
        super().__init__(products)
        self._sequence = self._counter = 0
        self._beat_s = -1

    def restart(self) -> None:
        """Restart the frame count, as if the connection had been replaced unnoticed."""
        self._sequence = 0

    def frames(self, events: Iterable[MarketEvent], time_ns: int) -> list[OutgoingFrame]:
        """At most one frame of tickers and one heartbeat, stamped with and due at `time_ns`."""
        tickers = self.subscribed.get("ticker", {})
        prints = []
        beats = False
        for event in events:
            if type(event) is Print:
                if event.product in tickers:
                    prints.append(event)
            else:
                beats = True
        frames = [self._tickers("update", prints, time_ns)] if prints else []
        second = time_ns // NS_PER_S
        if beats and second > self._beat_s and "heartbeats" in self.subscribed:
            self._beat_s = second
            self._counter += 1
            now = f"{stamp(time_ns)[:10]} {stamp(time_ns)[11:-1]} +0000 UTC m=+{self._counter}.0"
            event_text = f'{{"current_time":"{now}","heartbeat_counter":{self._counter}}}'
            frames.append(
                OutgoingFrame(
                    self._envelope("heartbeats", event_text, time_ns), time_ns, "heartbeats"
                )
            )
        return frames

    def _tickers(self, kind: str, prints: Sequence[Print], time_ns: int) -> OutgoingFrame:
        tickers = ",".join(map(advanced_ticker, prints))
        data = self._envelope("ticker", f'{{"type":"{kind}","tickers":[{tickers}]}}', time_ns)
        products = tuple(dict.fromkeys(print_.product for print_ in prints))
        return OutgoingFrame(data, time_ns, "ticker", products, tuple(prints))

    def _envelope(self, channel: str, event: str, time_ns: int) -> bytes:
        data = (
            f'{{"channel":"{channel}","client_id":"","timestamp":"{stamp(time_ns)}",'
            f'"sequence_num":{self._sequence},"events":[{event}]}}'
        )
        self._sequence += 1
        return data.encode()

    def _wanted(self, request: _Request) -> Iterable[tuple[str, list[str]]]:
        yield request.channel or "", request.product_ids

    def _answers(
        self, now_ns: int, fresh: Mapping[str, list[str]], last: Mapping[str, Print]
    ) -> list[OutgoingFrame]:
        traded = [last[product] for product in fresh.get("ticker", ()) if product in last]
        frames = [self._tickers("snapshot", traded, now_ns)] if traded else []
        held = {name: list(products) for name, products in self.subscribed.items()}
        event = msgspec.json.encode({"subscriptions": held}).decode()
        confirmation = self._envelope("subscriptions", event, now_ns)
        return [*frames, OutgoingFrame(confirmation, now_ns, "subscriptions")]


Voice = ExchangeVoice | AdvancedVoice


def voice(dialect: Dialect, products: Sequence[str]) -> Voice:
    """The voice for a new connection."""
    return (ExchangeVoice if dialect is Dialect.EXCHANGE else AdvancedVoice)(products)


def _error(message: str, reason: str, now_ns: int) -> OutgoingFrame:
    fields = {"type": "error", "message": message}
    if reason:
        fields["reason"] = reason
    return OutgoingFrame(msgspec.json.encode(fields), now_ns, "error")
