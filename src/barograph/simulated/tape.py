"""Market events and their Coinbase encodings: tickers, matches, heartbeats, REST trades.

Formatted by hand in the venue's member order, because a JSON encoder that keeps the order and omits
unknown members takes twice as long.
"""

from collections.abc import Iterable
from functools import lru_cache

import msgspec

from barograph.times import format_time
from barograph.types import NS_PER_S, Side


class Print(msgspec.Struct, frozen=True, gc=False):
    """One trade and the quote after it; decimals are strings as sent.

    `side` is the aggressor's. A trade of unknown size or side is sent on the ticker only, since a
    match needs both.
    """

    product: str
    time_ns: int
    trade_id: int
    sequence: int
    price: str
    bid: str
    ask: str
    size: str | None = None
    side: Side | None = None
    bid_size: str | None = None
    ask_size: str | None = None
    volume_24h: str | None = None
    open_24h: str | None = None
    low_24h: str | None = None
    high_24h: str | None = None
    volume_30d: str | None = None


class Beat(msgspec.Struct, frozen=True, gc=False):
    """A product's heartbeat with its last trade id."""

    product: str
    time_ns: int
    last_trade_id: int
    sequence: int


MarketEvent = Print | Beat


def exchange_frame(event: MarketEvent) -> bytes:
    """Encode an event as a `ticker` or `heartbeat` frame of the Exchange feed."""
    return exchange_heartbeat(event) if isinstance(event, Beat) else exchange_ticker(event)


def exchange_ticker(print_: Print) -> bytes:
    """Encode a trade as a `ticker` frame of the Exchange feed."""
    return (
        f'{{"type":"ticker","sequence":{print_.sequence},'
        f'"product_id":{_quoted(print_.product)},"price":"{print_.price}",'
        f"{_member('open_24h', print_.open_24h)}{_member('volume_24h', print_.volume_24h)}"
        f"{_member('low_24h', print_.low_24h)}{_member('high_24h', print_.high_24h)}"
        f"{_member('volume_30d', print_.volume_30d)}"
        f'"best_bid":"{print_.bid}",{_member("best_bid_size", print_.bid_size)}'
        f'"best_ask":"{print_.ask}",{_member("best_ask_size", print_.ask_size)}'
        f'{_member("side", print_.side)}"time":"{stamp(print_.time_ns)}",'
        f'"trade_id":{print_.trade_id}{_last_member("last_size", print_.size)}}}'
    ).encode()


def exchange_heartbeat(beat: Beat) -> bytes:
    """Encode a heartbeat of the Exchange feed."""
    return (
        f'{{"type":"heartbeat","sequence":{beat.sequence},"last_trade_id":{beat.last_trade_id},'
        f'"product_id":{_quoted(beat.product)},"time":"{stamp(beat.time_ns)}"}}'
    ).encode()


def exchange_match(print_: Print, kind: str = "match") -> bytes:
    """Encode a trade of known size and side as a `matches` frame; the side is the maker's.

    Its order ids are derived from the trade id.
    """
    number = f"{print_.trade_id:012x}"
    return (
        f'{{"type":"{kind}","trade_id":{print_.trade_id},'
        f'"maker_order_id":"00000000-0000-4000-8000-{number}",'
        f'"taker_order_id":"00000000-0000-4000-9000-{number}","side":"{maker_side(print_)}",'
        f'"size":"{print_.size}","price":"{print_.price}",'
        f'"product_id":{_quoted(print_.product)},"sequence":{print_.sequence},'
        f'"time":"{stamp(print_.time_ns)}"}}'
    ).encode()


def exchange_last_match(print_: Print) -> bytes:
    """Encode the last trade before a subscription to `matches`, which is sent first."""
    return exchange_match(print_, "last_match")


def rest_trades(prints: Iterable[Print]) -> bytes:
    """Encode a page of the REST trades endpoint, in the given order; the side is the maker's."""
    return msgspec.json.encode(
        [
            {
                "trade_id": print_.trade_id,
                "side": maker_side(print_),
                "size": print_.size,
                "price": print_.price,
                "time": stamp(print_.time_ns),
            }
            for print_ in prints
        ]
    )


def maker_side(print_: Print) -> str:
    """The maker's side, opposite to the aggressor's."""
    return "sell" if print_.side is Side.BUY else "buy"


def stamp(time_ns: int) -> str:
    """Format a time as Coinbase does: in microseconds, or nanoseconds if needed."""
    second, ns = divmod(time_ns, NS_PER_S)
    if ns % 1000:
        return f"{_whole_second(second)}.{ns:09d}Z"
    return f"{_whole_second(second)}.{ns // 1000:06d}Z"


@lru_cache(maxsize=1024)
def _whole_second(second: int) -> str:
    return format_time(second * NS_PER_S)[:19]


@lru_cache(maxsize=1024)
def _quoted(product: str) -> str:
    return msgspec.json.encode(product).decode()


def _member(name: str, value: str | None) -> str:
    return "" if value is None else f'"{name}":"{value}",'


def _last_member(name: str, value: str | None) -> str:
    return "" if value is None else f',"{name}":"{value}"'


def advanced_ticker(print_: Print) -> str:
    """Encode a trade as a ticker within an Advanced Trade frame."""
    low, high = print_.low_24h, print_.high_24h
    return (
        f'{{"type":"ticker","product_id":{_quoted(print_.product)},"price":"{print_.price}",'
        f"{_member('volume_24_h', print_.volume_24h)}{_member('low_24_h', low)}"
        f"{_member('high_24_h', high)}{_member('low_52_w', low)}{_member('high_52_w', high)}"
        f"{_member('price_percent_chg_24_h', _change(print_))}"
        f'"best_bid":"{print_.bid}","best_ask":"{print_.ask}"'
        f"{_last_member('best_bid_quantity', print_.bid_size)}"
        f"{_last_member('best_ask_quantity', print_.ask_size)}}}"
    )


def _change(print_: Print) -> str | None:
    """Change in percent since the day's open; None if unknown."""
    if print_.open_24h is None or not (opened := float(print_.open_24h)):
        return None
    return f"{100 * (float(print_.price) / opened - 1):.14f}"
