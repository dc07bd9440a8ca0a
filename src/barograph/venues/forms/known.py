"""The forms of recordings that are read without being told, each with a line of it."""

import msgspec


class KnownForm(msgspec.Struct, frozen=True):
    """A form by its name, what it is, and a line as a recorder writes it."""

    name: str
    what: str
    line: str


_TICKER = (
    '{"type":"ticker","product_id":"BTC-USD","price":"200.01","best_bid":"200.00",'
    '"best_ask":"200.01","time":"2026-02-02T02:40:00.008035Z","trade_id":1001}'
)
_ENVELOPE = (
    '{"channel":"ticker","timestamp":"2026-02-02T02:40:00.008035246Z","sequence_num":0,'
    '"events":[{"type":"update","tickers":[{"type":"ticker","product_id":"BTC-USD",'
    '"price":"200.01","best_bid":"200.00","best_ask":"200.01"}]}]}'
)
_FIELDS = '"product_id":"BTC-USD","price":"200.01","best_bid":"200.00","best_ask":"200.01"'

KNOWN = (
    KnownForm("Exchange frames", "frames of Coinbase Exchange as they came", _TICKER),
    KnownForm("Advanced Trade frames", "frames of Coinbase Advanced Trade as they came", _ENVELOPE),
    KnownForm(
        "frames in a field",
        "a frame in a field of any name, as an object or as its text, beside a time of receipt",
        f'{{"received_at":"2026-02-02T02:40:00.018+00:00","data":{_TICKER}}}',
    ),
    KnownForm(
        "frames behind a number",
        "a number since 1970 before each frame, with or without a colon",
        f"1770000000.018: {_TICKER}",
    ),
    KnownForm(
        "flat",
        "product, bid, ask, a time, and what else was kept, as members of an object",
        f'{{"timestamp":"2026-02-02T02:40:00.008035246Z",{_FIELDS}}}',
    ),
    KnownForm(
        "fields in a field",
        "those members in a field of any name",
        f'{{"ingest_ts":1770000000018,"data":{{"time":"2026-02-02T02:40:00.008Z",{_FIELDS}}}}}',
    ),
    KnownForm(
        "ticker in `raw`",
        "an Advanced Trade ticker in `raw`, and the recorder's time beside it",
        f'{{"timestamp":"2026-02-02T03:40:00.018","raw":{{"type":"ticker",{_FIELDS}}}}}',
    ),
)
"""All of them; lines may stand in any container that `barograph.files.containers` reads."""
