"""Names that recorders give to the fields of a tick, and what each one is."""

import re
from functools import lru_cache

PRODUCT, PRICE, BID, ASK, TIME, RECEIVED = "product", "price", "bid", "ask", "time", "received"
BID_SIZE, ASK_SIZE, VOLUME, LAST_SIZE = "bid_size", "ask_size", "volume_24h", "last_size"
SIDE, TRADE_ID, SEQUENCE, KIND = "side", "trade_id", "sequence", "kind"
MID, SPREAD, SPREAD_BPS = "mid", "spread", "spread_bps"

NAMES = {
    PRODUCT: ("product_id", "product", "symbol", "pair", "instrument", "instrument_id", "market"),
    PRICE: ("price", "last_price", "last", "trade_price", "last_trade_price", "close"),
    BID: ("best_bid", "bid", "bid_price", "best_bid_price", "bid_px", "bid_price_0"),
    ASK: ("best_ask", "ask", "ask_price", "best_ask_price", "ask_px", "ask_price_0"),
    BID_SIZE: (
        "best_bid_size", "best_bid_quantity", "best_bid_qty",
        "bid_size", "bid_quantity", "bid_qty", "bid_size_0",
    ),
    ASK_SIZE: (
        "best_ask_size", "best_ask_quantity", "best_ask_qty",
        "ask_size", "ask_quantity", "ask_qty", "ask_size_0",
    ),
    VOLUME: ("volume_24h", "volume_24_h", "volume24h", "vol_24h"),
    LAST_SIZE: ("last_size", "last_qty", "last_quantity", "trade_size"),
    SIDE: ("side",),
    TRADE_ID: ("trade_id", "last_trade_id"),
    SEQUENCE: ("sequence",),
    KIND: ("event_type", "type"),
    MID: ("mid", "mid_price", "midprice"),
    SPREAD: ("spread",),
    SPREAD_BPS: ("spread_bps",),
}  # fmt: skip
"""Every role of a field but the times, and the names for it, the surest one first."""

VENUE_TIMES = frozenset({
    "ws_timestamp", "exchange_time", "exchange_timestamp", "exchange_ts", "exch_time",
    "exch_timestamp", "exch_ts", "exch_ts_ms", "exch_ts_ns", "event_time", "event_ts",
    "event_timestamp", "venue_time", "venue_timestamp", "server_time", "server_timestamp",
    "transaction_time", "trade_time", "engine_time",
})  # fmt: skip
"""Times that are the venue's by their name."""

RECORDER_TIMES = frozenset({
    "received_at", "receive_time", "receive_ts", "receive_timestamp", "received", "received_time",
    "recv_time", "recv_ts", "recv_timestamp", "recv_ns", "receive_time_ns", "ingest_time",
    "ingest_ts", "ingest_timestamp", "ingested_at", "local_time", "local_timestamp", "local_ts",
    "arrival_time", "recorded_at", "captured_at", "capture_time", "logged_at", "saved_at",
    "collected_at", "unix_timestamp", "prefix",
})  # fmt: skip
"""Times that are the recorder's by their name; `prefix` is a number before a line's object."""

OPEN_TIMES = ("time", "timestamp", "ts", "datetime", "ts_ms", "ts_us", "ts_ns", "timestamp_ms")
"""Times that may be either's: their digits and what stands beside them tell."""

_BY_NAME = {name: role for role, names in NAMES.items() for name in names}
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BREAKS = re.compile(r"[\s.\-]+")
_FEATURES = re.compile(
    r"(?:return|ret|log_return|vol|volatility|realized_vol|rv|intensity|tick_count|count|ewma"
    r"|price_range|range|spread_mean|momentum|zscore|sigma|label|sigma_future|mean|std)"
    r"_[0-9]+(?:s|m|min|sec|ms)?"
).fullmatch


@lru_cache(maxsize=4096)
def plain_name(name: str) -> str:
    """Return a field's name in lower case with underscores: `bestBid`, `Best Bid` → `best_bid`."""
    return _BREAKS.sub("_", _CAMEL.sub("_", name.strip())).lower()


def role_of(name: str) -> str | None:
    """Return what a field is by its name, None where that is not known; times have no role here."""
    return _BY_NAME.get(plain_name(name))


def rank_of(name: str, role: str) -> int:
    """Return how sure a name of a role is, 0 for the surest."""
    return NAMES[role].index(plain_name(name))


def is_time(name: str) -> bool:
    """Whether a field is a time by its name."""
    plain = plain_name(name)
    return plain in VENUE_TIMES or plain in RECORDER_TIMES or plain in OPEN_TIMES


def is_feature(name: str) -> bool:
    """Whether a field is something computed over a window of seconds or minutes."""
    return _FEATURES(plain_name(name)) is not None
