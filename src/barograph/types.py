"""The words of Barograph: every value that crosses a file boundary has its name here.

Times are int64 nanoseconds since 1970 UTC and say so (`*_ns`). `event_time_ns` is the venue's
clock, `receive_time_ns` was stamped once at the socket; neither replaces the other and their
difference may be negative. Prices and sizes stay the decimal strings that the venue wrote until a
kernel needs numbers, so nothing is rounded on the way.
"""

from enum import IntEnum, StrEnum
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
HOUR_NS = 3_600 * NS_PER_S
DAY_S = 86_400

LATEST_NS = 2**63 // NS_PER_S * NS_PER_S - 1
"""The end of the last second whose own end still fits int64, in 2262."""

APPENDED_TIME = "appended_time_ns"
"""The header in which a log says when it took a record: wall clock, decimal nanoseconds."""

MAX_PRODUCTS = 4096
"""Every machine that keeps something of each product keeps it of so many: their names come from
strangers. One more is refused as `unknown_product`."""

MAX_RETURN_E9 = 100_000_000
"""The largest one-second log return (0.1) in units of 1e-9: 922 of its squares fit an int64."""

SHOWN_DETAIL = 200
"""Characters of a dead letter's detail that stand in a line about it."""

# What may stand in a record that is read: only readers check this, so making a word costs nothing.
TimeNs = Annotated[int, Meta(ge=0, le=LATEST_NS)]
Second = Annotated[int, Meta(ge=0, le=LATEST_NS // NS_PER_S)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Threshold = Annotated[float, Meta(ge=0.0, le=1.0000000000000002)]  # just above 1: no alarm ever
Measure = Annotated[float, Meta(ge=0.0, le=3e38)]
Name = Annotated[str, Meta(min_length=1, max_length=100)]
DECIMAL = r"(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?"
DECIMAL_SIZE = DECIMAL + r"(?:[eE]-[0-9]{1,2})?"
Price = Annotated[str, Meta(max_length=40, pattern=rf"^{DECIMAL}\Z")]
Size = Annotated[str, Meta(max_length=41, pattern=rf"^{DECIMAL_SIZE}\Z")]


class Side(StrEnum):
    """Who crossed the spread: the aggressor's side, whatever convention the venue uses."""

    BUY = "buy"
    SELL = "sell"


class Reason(IntEnum):
    """Why a feature has no value. `KNOWN` means that it has one."""

    KNOWN = 0
    WARMUP = 1
    GAP = 2
    OUT_OF_RANGE = 3
    STALE = 4
    NOT_OFFERED = 5


class Verdict(StrEnum):
    """What a prediction says of itself: `PREDICTED`, or why there is no probability."""

    PREDICTED = "PREDICTED"
    WARMUP = "WARMUP"
    GAP = "GAP"
    STALE = "STALE"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    MODEL_EXPIRED = "MODEL_EXPIRED"
    NO_MODEL = "NO_MODEL"


class GapCause(StrEnum):
    """What gave a hole away."""

    DISCONNECT = "disconnect"
    SEQUENCE = "sequence"
    TRADE_ID = "trade_id"
    HEARTBEAT = "heartbeat"
    SILENCE = "silence"
    REFUSED = "refused"
    SESSION = "session"


class Fault(StrEnum):
    """Why a frame or record became a dead letter."""

    NOT_JSON = "not_json"
    NOT_UTF8 = "not_utf8"
    TOO_LONG = "too_long"
    WRONG_SHAPE = "wrong_shape"
    UNKNOWN_TYPE = "unknown_type"
    VENUE_ERROR = "venue_error"
    UNKNOWN_PRODUCT = "unknown_product"
    NOT_A_NUMBER = "not_a_number"
    NOT_POSITIVE = "not_positive"
    CROSSED_QUOTE = "crossed_quote"
    CONTRADICTION = "contradiction"
    BAD_TIME = "bad_time"
    FUTURE = "future"
    DUPLICATE = "duplicate"
    IMPLAUSIBLE = "implausible"
    LATE = "late"
    FOREIGN_FEATURES = "foreign_features"
    TRUNCATED = "truncated"
    MISSING_FIELD = "missing_field"
    UNKNOWN_CATEGORY = "unknown_category"
    OUT_OF_RANGE = "out_of_range"


class Frame(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One message as the venue sent it, with the connection that brought it.

    `receive_time_ns` is None where a recorder did not keep it: unknown, never guessed.
    """

    data: bytes
    connection: str
    receive_time_ns: int | None = None


class Tick(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="tick/1"):
    """Last trade and best bid/ask of one product, at one moment of the venue's clock.

    `trade_id`, `last_size` and `side` stand where the venue offers them; `side` is the aggressor's.
    `snapshot` marks state sent on subscription rather than news. `event_clock` is "recorder" where
    a recording kept no exchange time, for the whole recording, so clocks never mix in one series.
    """

    product: Name
    event_time_ns: TimeNs
    price: Price
    bid: Price
    ask: Price
    connection: str = ""
    receive_time_ns: TimeNs | None = None
    bid_size: Size | None = None
    ask_size: Size | None = None
    volume_24h: Size | None = None
    trade_id: Count | None = None
    last_size: Size | None = None
    side: Side | None = None
    sequence: Count | None = None
    snapshot: bool = False
    event_clock: Literal["venue", "recorder"] = "venue"


class Heartbeat(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="heartbeat/1"
):
    """The venue's word that a product's line is alive; it closes quiet seconds.

    A venue that beats once per connection is written once per product of it, so that each
    product's records tell its whole story.
    """

    product: Name
    event_time_ns: TimeNs
    connection: str = ""
    receive_time_ns: TimeNs | None = None
    last_trade_id: Count | None = None
    sequence: Count | None = None


class Trade(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="trade/1"):
    """A trade without a quote: no ticker brought it.

    One of a cascade that the venue put into one ticker, or one that the ticker's line lost;
    `filled` if it was requested afterwards. `side` is the aggressor's.
    """

    product: Name
    event_time_ns: TimeNs
    price: Price
    size: Size
    side: Side | None
    trade_id: Count
    connection: str = ""
    receive_time_ns: TimeNs | None = None
    filled: bool = False


class Gap(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="gap/1"):
    """A hole: between `start_ns` (last sure moment) and `end_ns` (first sure one) data are missing.

    `missing` counts what was lost where the venue's numbers tell; `filled` the trades of the hole
    that follow it as Trade, whose quotes nobody has. Of the cause SESSION it says that the records
    before it and those behind it are of two sessions: it may end before it starts.
    """

    product: Name
    start_ns: TimeNs
    end_ns: TimeNs
    cause: GapCause
    connection: str = ""
    receive_time_ns: TimeNs | None = None
    missing: Count | None = None
    filled: Count = 0


Event = Tick | Heartbeat | Trade | Gap


_LogMidE9 = Annotated[int, Meta(ge=-42_000_000_000, le=42_000_000_000)]
_ReturnE9 = Annotated[int, Meta(ge=-100_000_000, le=100_000_000)]
_Value = Annotated[float, Meta(ge=-3e38, le=3e38)]


class FeatureRow(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="features/1"):
    """All features of one product, or whatever keys the series, at one closed second.

    `second` is the last second that the row covers, since 1970; its features are known at
    `(second + 1) * 1e9` ns. `feature_set` is the hash of the catalogue that made it. `log_mid_e9`
    is the closing log mid in units of 1e-9 and `return_e9` the one-second log return: they are no
    features, and None where there is none, as in every row of a series that is no market. `values`
    follow the catalogue's order, None where not known, and `reasons` has one digit of `Reason` for
    each. `receive_time_ns` is that of the record that closed the row.
    """

    product: Name
    second: Second
    feature_set: Name
    log_mid_e9: _LogMidE9 | None = None
    return_e9: _ReturnE9 | None = None
    receive_time_ns: TimeNs | None
    values: list[_Value | None]
    reasons: str


class Prediction(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="prediction/2"
):
    """What the scorer says after one feature row: of one product, or whatever keys the series.

    `probability` is that the value which the case forecasts reaches `tau` within `horizon_s` after
    `event_time_ns`, the end of the row's last second by the source's clock; None unless the verdict
    is `PREDICTED`. `alarm` says that it reaches `threshold`. `value_now` is what that value is now,
    in its unit: it is the outcome of the prediction that was made `horizon_s` ago. `mid` is the
    closing mid, None where there is no market.

    Where the case forecasts the value itself, all in its unit: `median` is as likely to be exceeded
    as not, `forecast` is the root of the expected square, and the value lies from `low` to `high`
    as often as the case promises. They are not written where there is none.
    """

    product: Name
    second: Second
    event_time_ns: TimeNs
    receive_time_ns: TimeNs | None
    verdict: Verdict
    probability: Share | None
    alarm: bool
    threshold: Threshold | None
    tau: Measure | None
    horizon_s: Second
    value_now: Measure | None
    mid: Measure | None
    model: Name
    median: Measure | None = None
    forecast: Measure | None = None
    low: Measure | None = None
    high: Measure | None = None


class RecordPrediction(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="record-prediction/1"
):
    """What the scorer says of one record of a case whose records are scored each for itself.

    `probability` is that of the outcome that the case asks for; None unless the verdict is
    `PREDICTED`. `label` says that it reaches `threshold`, the model's. `model` is "case/version",
    empty where there is none.
    """

    case: str
    key: str
    verdict: Verdict
    probability: Share | None
    label: bool
    threshold: Threshold | None
    model: str


class TopicPartition(NamedTuple):
    """One ordered part of a topic."""

    topic: str
    partition: int


class Message(msgspec.Struct, frozen=True, gc=False):
    """What goes into a log: a value under a key, with headers for wall-clock facts of our own."""

    topic: str
    key: str
    value: bytes
    headers: dict[str, str] = {}


class Record(msgspec.Struct, frozen=True, gc=False):
    """What comes out of a log: a message with its place."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    headers: dict[str, str] = {}


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="deadletter/1"):
    """What could not be used: the original bytes, why, and where they stood.

    `source` names a topic, a file or a connection; `position` is "partition:offset", a line number
    or a frame count there. Together they are the letter's identity: a re-drive is idempotent by it.
    Of an original that no log would take inside a letter, only the beginning is here: it is `cut`.
    """

    fault: Fault
    detail: str
    source: str
    position: str
    key: str
    original: bytes
    receive_time_ns: TimeNs | None = None
    cut: bool = False

    @property
    def identity(self) -> str:
        """Where the original stood, in one word."""
        return f"{self.source}@{self.position}"


class Outcome(NamedTuple):
    """What a machine made of a batch: values under their keys, in order, and what it refused."""

    values: list[tuple[str, bytes]]
    dead_letters: list[DeadLetter]


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """A score with its bootstrap interval: `estimate` on all rows, `low` … `high` at `level`.

    `undefined` of the `resamples` had no score (no spike in them, say) and are left out; the bounds
    are NaN when all were. A difference of two scores is an interval too.
    """

    estimate: float
    low: float
    high: float
    level: float
    resamples: int
    undefined: int


class FeedStatus(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="feed-status/1"):
    """How a live connection is, at `time_ns` of our own clock.

    `since_ns` is when it opened, `frames` what it brought, `reconnects` how many came before it in
    this run. `queued` entries of `queued_bytes` wait between socket and writer; `queue_full` counts
    how often that queue was full, `overflows` the connections given up because the venue left too
    much of ours unread, `troubles` how often a connection could not be made again or was given up,
    `rest_failures` the answers of REST that were of no use. `offset_*_ms` are
    exchange − receive time over the last minute, None while nothing was heard; refused events count
    too. `open_holes` are being filled. In the last minute `passed` events were taken and `refused`
    messages were not, `first_refusal` of them because. `one_book` has the names that were asked
    for and are other names of `products`.
    """

    venue: str
    connection: str
    dialect: str
    products: tuple[str, ...]
    time_ns: TimeNs
    since_ns: TimeNs
    frames: Count
    reconnects: Count
    queued: Count
    queue_full: Count
    open_holes: Count
    offset_median_ms: float | None = None
    offset_min_ms: float | None = None
    offset_max_ms: float | None = None
    passed: int = 0
    refused: int = 0
    first_refusal: str = ""
    queued_bytes: int = 0
    overflows: int = 0
    troubles: int = 0
    one_book: dict[str, str] = {}
    rest_failures: int = 0
