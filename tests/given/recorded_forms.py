"""Ticks written down as different recorders do: the same ones in many forms and containers."""

import bz2
import csv
import gzip
import io
import json
import lzma
import random
import zipfile

import polars as pl

from barograph.times import format_time

START_NS = 1_770_000_000_008_035_000


def invented(number=16, lost=()):
    """Quotes of one product, some 0.5 s apart, without those whose number is lost."""
    return [
        {
            "product": "ABC-USD",
            "price": f"{200 + n * 0.01:.2f}",
            "bid": f"{199.99 + n * 0.01:.2f}",
            "ask": f"{200 + n * 0.01:.2f}",
            "bid_size": "0.5",
            "ask_size": "0.25",
            "volume": f"{1234.5007 + n:.4f}",
            "time_ns": START_NS + n * 500_123_000,
            "received_ns": START_NS + n * 500_123_000 + 10_000_000,
            "trade_id": 1001 + n,
            "last_size": "0.001",
        }
        for n in range(number)
        if n not in lost
    ]


def iso(time_ns):
    """An ISO time of six digits, as the Exchange feed has them."""
    return format_time(time_ns)[:26] + "Z"


def exchange(quote):
    return {
        "type": "ticker",
        "sequence": quote["trade_id"] * 7,
        "product_id": quote["product"],
        "price": quote["price"],
        "volume_24h": quote["volume"],
        "best_bid": quote["bid"],
        "best_bid_size": quote["bid_size"],
        "best_ask": quote["ask"],
        "best_ask_size": quote["ask_size"],
        "side": "buy",
        "time": iso(quote["time_ns"]),
        "trade_id": quote["trade_id"],
        "last_size": quote["last_size"],
    }


def advanced(quote):
    ticker = {
        "type": "ticker",
        "product_id": quote["product"],
        "price": quote["price"],
        "volume_24_h": quote["volume"],
        "best_bid": quote["bid"],
        "best_ask": quote["ask"],
        "best_bid_quantity": quote["bid_size"],
        "best_ask_quantity": quote["ask_size"],
    }
    return {
        "channel": "ticker",
        "timestamp": format_time(quote["time_ns"]),
        "events": [{"type": "update", "tickers": [ticker]}],
    }


def flat(quote, time="timestamp", **more):
    return {
        "product_id": quote["product"],
        "price": quote["price"],
        "best_bid": quote["bid"],
        "best_ask": quote["ask"],
        "best_bid_quantity": quote["bid_size"],
        "best_ask_qty": quote["ask_size"],
        "volume_24_h": quote["volume"],
        time: format_time(quote["time_ns"]),
        **more,
    }


FORMS = {
    "exchange": exchange,
    "advanced": advanced,
    "flat": flat,
    "flat ws": lambda q: flat(q, "ws_timestamp", received_at=iso(q["received_ns"])),
    "flat epoch": lambda q: flat(q) | {"timestamp": q["time_ns"], "received_at": q["received_ns"]},
    "flat ids": lambda q: flat(q, trade_id=q["trade_id"], last_size="0.001", side="buy"),
    "data": lambda q: {"received_at": iso(q["received_ns"]), "data": exchange(q)},
    "payload": lambda q: {"ingest_time": iso(q["received_ns"]), "payload": advanced(q)},
    "raw": lambda q: {"timestamp": "2026-02-02T01:40:00.015035", "raw": exchange(q)},
    "pair": lambda q: {"ts": q["received_ns"] / 1e9, "raw": json.dumps(exchange(q))},
    "deep": lambda q: {"offset": 1, "value": {"at": 3, "message": exchange(q)}},
    "fields in data": lambda q: {"recv_ts": q["received_ns"] // 10**6, "data": flat(q)},
}
"""A recorded object of each form for a quote."""

WITH_IDS = {"exchange", "flat ids", "data", "raw", "pair", "deep"}
FLAT = {"exchange", "flat", "flat ws", "flat epoch", "flat ids"}
"""Those that can be rows of a table."""


def shuffled(value, seed):
    """An object with its keys in another order, at every level."""
    if not isinstance(value, dict):
        return value
    items = [(name, shuffled(each, seed)) for name, each in value.items()]
    random.Random(seed).shuffle(items)
    return dict(items)


def lines(objects):
    return b"".join(json.dumps(each).encode() + b"\n" for each in objects)


def table(objects, delimiter=","):
    text = io.StringIO()
    writer = csv.DictWriter(text, list(objects[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(objects)
    return text.getvalue().encode()


def parquet(objects):
    file = io.BytesIO()
    pl.DataFrame(objects).write_parquet(file)
    return file.getvalue()


def zipped(content, *more):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, each in enumerate((content, *more)):
            archive.writestr(f"{number}.ndjson", each)
    return file.getvalue()


TABLES = {
    "csv": table,
    "semicolon": lambda objects: table(objects, ";"),
    "tab": lambda objects: table(objects, "\t"),
    "csv crlf": lambda objects: table(objects).replace(b"\n", b"\r\n"),
    "parquet": parquet,
}
CONTAINERS = {
    "lines": lines,
    "crlf": lambda objects: lines(objects).replace(b"\n", b"\r\n"),
    "bom": lambda objects: b"\xef\xbb\xbf" + lines(objects),
    "utf-16": lambda objects: lines(objects).decode().encode("utf-16"),
    "array": lambda objects: json.dumps(objects).encode(),
    "pretty array": lambda objects: json.dumps(objects, indent=2).encode(),
    "pretty objects": lambda objects: b"".join(
        json.dumps(each, indent=1).encode() + b"\n" for each in objects
    ),
    **TABLES,
}
PACKINGS = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zip": zipped,
    "twice": lambda content: gzip.compress(content[:100]) + gzip.compress(content[100:]),
}
