"""What a market prints, and how Coinbase writes it: tickers, matches, heartbeats, REST trades.

Written by hand, byte for byte in the venue's order of members: a JSON encoder that keeps the order
and leaves out what is not known takes twice as long.
"""

from collections.abc import Iterable
from functools import lru_cache

import msgspec

from barograph.times import format_time
from barograph.types import NS_PER_S, Side


class Print(msgspec.Struct, frozen=True, gc=False):
    """One trade and the quote after it; decimals as they are written.

    `side` is the aggressor's. Where `size` or `side` is not known the trade is told on the ticker
    only: a match without them would be invented.
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
    """A product's heartbeat: its last trade at that moment."""

    product: str
    time_ns: int
    last_trade_id: int
    sequence: int


MarketEvent = Print | Beat


def exchange_frame(event: MarketEvent) -> bytes:
    """An event as the channels `ticker` and `heartbeat` of the Exchange feed write it."""
    return exchange_heartbeat(event) if isinstance(event, Beat) else exchange_ticker(event)


def exchange_ticker(print_: Print) -> bytes:
    """A trade as the `ticker` channel of the Exchange feed writes it."""
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
    """A heartbeat of the Exchange feed."""
    return (
        f'{{"type":"heartbeat","sequence":{beat.sequence},"last_trade_id":{beat.last_trade_id},'
        f'"product_id":{_quoted(beat.product)},"time":"{stamp(beat.time_ns)}"}}'
    ).encode()


def exchange_match(print_: Print, kind: str = "match") -> bytes:
    """A trade of known size and side as the `matches` channel writes it: the side is the maker's.

    The ids of its orders follow from its own.
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
    """The trade before a subscription to `matches`, which is sent first."""
    return exchange_match(print_, "last_match")


def rest_trades(prints: Iterable[Print]) -> bytes:
    """A page of the REST trades endpoint: as given, newest first; the side is the maker's."""
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
    """The other side than the aggressor's."""
    return "sell" if print_.side is Side.BUY else "buy"


def stamp(time_ns: int) -> str:
    """A time as Coinbase writes it: to the microsecond, or to the nanosecond where it needs to."""
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
    """A trade as one of the tickers in a frame of Advanced Trade writes it."""
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
    """In percent since the day's open."""
    if print_.open_24h is None or not (opened := float(print_.open_24h)):
        return None
    return f"{100 * (float(print_.price) / opened - 1):.14f}"
