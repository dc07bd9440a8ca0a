"""What a feed takes in, in one order: openings and closings, frames, and answers about holes.

The same entries in the same order give the same events: everything that decides is in the entries,
and so in the archive.
"""

from enum import StrEnum
from typing import Literal, NamedTuple

import msgspec

from barograph.types import Frame
from barograph.venues.books import SUFFIX


class Dialect(StrEnum):
    """The protocol that a connection speaks."""

    EXCHANGE = "exchange"
    ADVANCED = "advanced"


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What a feed accepts and when it calls a line silent.

    `products` None accepts every product. A product without a tick or heartbeat for more than
    `silence_timeout_s` of event time has a gap; None switches that off. An event more than
    `future_s` ahead of its receive time is refused. `books` says which names are one book, as
    `books.book_of` takes it; rules that do not say it are an older version's.
    """

    products: frozenset[str] | None = None
    silence_timeout_s: float | None = 10.0
    future_s: float = 60.0
    books: dict[str, str] | str = SUFFIX


class Opening(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a connection when it opens.

    `continuity` "trade_id" says that the venue sends one ticker for each trade, so that a jump of
    `trade_id` is a hole; "none" that ids repeat or jump for other reasons and prove nothing.
    `event_clock` goes into each tick. `rules` are those it was opened under, where that is known:
    so they stand in the archive, and whoever reads it again judges as was judged live. `fill` says
    that each hole of an Exchange connection will be requested and settled; only then a product with
    a hole is held until that. `recorded` says that it is a file's: there may be several connections
    in it, or the rest of one that a file before begins; so no number refuses a tick, and where ids
    or numbers run on from the file before, nothing lies between. `numbers` "some" says that frames
    were not recorded which `sequence_num` counts, so that its jumps prove nothing. What is
    older in a recording than what was heard of a product begins a session, see `sessions`.
    """

    connection: str
    dialect: Dialect
    continuity: Literal["trade_id", "none"] = "trade_id"
    event_clock: Literal["venue", "recorder"] = "venue"
    rules: Rules | None = None
    fill: bool = False
    recorded: bool = False
    numbers: Literal["all", "some"] = "all"


class Heard(NamedTuple):
    """A received frame and the dialect of its connection."""

    frame: Frame
    dialect: Dialect


class Closing(msgspec.Struct, frozen=True):
    """A connection was lost or given up."""

    connection: str


class Answer(NamedTuple):
    """A page of trades that was requested for a hole; `frame.data` is its body, verbatim.

    `frame.connection` is the connection whose hole it is.
    """

    product: str
    frame: Frame


class Settlement(msgspec.Struct, frozen=True):
    """The open hole of a product is given up: no further page will come."""

    connection: str
    product: str
    receive_time_ns: int | None = None


class Hole(NamedTuple):
    """An open hole: `unknown` trades from `first_trade_id` to `last_trade_id` are missing still.

    Where none is, the quotes are that should follow those trades. `receive_time_ns` is that of the
    frame that revealed it.
    """

    connection: str
    product: str
    first_trade_id: int
    last_trade_id: int
    unknown: int
    receive_time_ns: int | None


Entry = Opening | Heard | Closing | Answer | Settlement


def connection_of(entry: Entry) -> str:
    """Return the connection that an entry belongs to."""
    if isinstance(entry, (Heard, Answer)):
        return entry.frame.connection
    return entry.connection


def received_of(entry: Entry) -> int | None:
    """When an entry was received, in ns; None where that is not known, or nothing was."""
    if isinstance(entry, (Heard, Answer)):
        return entry.frame.receive_time_ns
    return entry.receive_time_ns if isinstance(entry, Settlement) else None
