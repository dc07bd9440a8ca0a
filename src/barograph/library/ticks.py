"""Ticks of recordings and of frames, with the gaps that they show: what features are made of."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
import polars as pl

from barograph.archive.recorded_events import events_of_recordings
from barograph.archive.recorded_form import cure_of_unread, describe, why_unread
from barograph.archive.recording import Recording
from barograph.archive.recording_files import recording_files
from barograph.arrays import Bool, Int64, Records
from barograph.codec import EVENT, FILLED, GAP, HEARTBEAT, NAT, TICK, TRADE
from barograph.errors import BadInputError
from barograph.library.immutable import Immutable
from barograph.types import LATEST_NS, NS_PER_S, DeadLetter
from barograph.venues.entries import Rules
from barograph.venues.forms.own import OwnForm

KINDS = ("tick", "heartbeat", "gap", "trade", "filled")
"""The kinds of an event, by `codec.EVENT`'s numbers; `filled` is a trade asked for afterwards."""

EVENT_COLUMNS = frozenset(
    ("kind", "product", "event_time_ns", "receive_time_ns", "gap_start_ns", "trade_id", "side")
) | frozenset(("price", "bid", "ask", "bid_size", "ask_size", "volume_24h", "last_size"))
"""The columns of `Ticks.frame`, by which it is known."""

SIDES = ("buy", "sell")
MOST_LETTERS = 100_000
"""So many dead letters are kept with their bytes; all are counted."""

_LEAST, _MOST = 1e-18, 1e18
_KIND, _SIDE = pl.Enum(KINDS), pl.Enum(SIDES)
_NUMBERS = ("price", "bid", "ask", "bid_size", "ask_size", "volume_24h", "last_size")


class Ticks(Immutable):
    """Ticks, heartbeats, trades and gaps of any products, in the order of the source; immutable.

    Made by `read_ticks` and `Home.ticks`.
    `events`: (n,) of `barograph.codec.EVENT`, whose `product` indexes `products`. `frame` is the
    same as a Polars frame. `refused` counts what could not be used, by fault, and `dead_letters`
    has it (the first 100,000) with bytes, reason and place. `forms` say how each file was read.
    `silence_timeout_s` is the silence beyond which a gap was made, None for no such gaps.

    >>> ticks = bg.read_ticks("market.ndjson")
    >>> ticks.products
    ('BTC-USD',)
    >>> ticks.frame.select("kind", "event_time_ns", "bid", "ask").row(0)
    ('tick', 1750000000993273000, 100000.51, 100000.52)
    """

    def __init__(
        self,
        events: Records,
        products: Iterable[str],
        *,
        silence_timeout_s: float | None,
        refused: "Refused | None" = None,
        forms: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        counts: Mapping[str, int] = refused.counts if refused else {}
        self.events: Records
        self.products: tuple[str, ...]
        self.silence_timeout_s: float | None
        self.refused: dict[str, int]
        self.forms: dict[str, str]
        self._letters: list[DeadLetter]
        vars(self).update(
            events=events,
            products=tuple(products),
            silence_timeout_s=silence_timeout_s,
            refused={str(fault): number for fault, number in counts.items()},
            forms=dict(forms),
            _letters=refused.letters if refused else [],
        )

    @cached_property
    def frame(self) -> pl.DataFrame:
        """The events as a frame, a row each, in order; null is unknown.

        `kind` (tick, heartbeat, gap, trade or filled: one asked for afterwards); `product`;
        `event_time_ns`, `receive_time_ns`: epoch nanoseconds by the clock of venue and recorder; a
        gap lies between `gap_start_ns` and its `event_time_ns`; `trade_id`; `price`, `bid`, `ask`
        in the quote currency, `bid_size`, `ask_size`, `volume_24h`, `last_size` in the base
        currency; `side`: the aggressor's, buy or sell.
        """
        events, columns = self.events, {}
        for name in ("event_time_ns", "receive_time_ns", "gap_start_ns", "trade_id", *_NUMBERS):
            columns[name] = pl.Series(name, np.ascontiguousarray(events[name]))
        kind = pl.Series("kind", np.ascontiguousarray(events["kind"])).cast(pl.UInt8).cat.to(_KIND)
        names = pl.Series("product", self.products, dtype=pl.String)
        product = names.gather(events["product"].astype(np.uint32))
        side = pl.Series("side", np.ascontiguousarray(events["side"]))
        frame = pl.DataFrame([kind, product, *columns.values(), side])
        is_gap = pl.col("kind") == KINDS[GAP]
        has_quote = pl.col("kind") == KINDS[0]
        has_price = has_quote | pl.col("kind").is_in(KINDS[3:])
        return frame.with_columns(
            pl.col("receive_time_ns").replace(int(NAT), None),
            pl.when(is_gap).then("gap_start_ns"),
            pl.when(has_price & (pl.col("trade_id") >= 0)).then("trade_id"),
            pl.when(has_price).then(pl.col("price", "last_size").fill_nan(None)),
            pl.when(has_quote).then(
                pl.col("bid", "ask", "bid_size", "ask_size", "volume_24h").fill_nan(None)
            ),
            pl.when(pl.col("side") > 0)
            .then(pl.lit(SIDES[0], _SIDE))
            .when(pl.col("side") < 0)
            .then(pl.lit(SIDES[1], _SIDE))
            .alias("side"),
        )

    @cached_property
    def dead_letters(self) -> pl.DataFrame:
        """What was refused: `fault`, `detail`, `source`, `position` (a line, say), `original`."""
        names = ("fault", "detail", "source", "position", "original")
        schema = {name: pl.Binary if name == "original" else pl.String for name in names}
        columns = {name: [getattr(each, name) for each in self._letters] for name in names}
        return pl.DataFrame(columns, schema=schema)

    def __len__(self) -> int:
        return len(self.events)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.frame.__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        counts = np.bincount(self.events["kind"], minlength=len(KINDS)).tolist()
        of = ", ".join(f"{n:,} {kind}" for kind, n in zip(KINDS, counts, strict=True) if n)
        refused = f"; refused: {in_words(self.refused)}" if self.refused else ""
        return f"Ticks of {len(self.products)} products ({of or 'none'}{refused})\n{self.frame}"


def in_words(refused: Mapping[str, int]) -> str:
    """Counts by fault: `190 late, 2 wrong_shape`."""
    return ", ".join(f"{number:,} {fault}" for fault, number in refused.items())


class Refused:
    """Counts dead letters by fault, and keeps the first of them."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.letters: list[DeadLetter] = []

    def add(self, letter: DeadLetter) -> None:
        """Take in one more."""
        self.counts[letter.fault] += 1
        if len(self.letters) < MOST_LETTERS:
            self.letters.append(letter)


def read_recordings(
    paths: Sequence[Path], rules: Rules, zone: tzinfo, form: OwnForm | None
) -> Ticks:
    """The ticks of recordings, as `barograph dataset` reads them. Raises BadInputError."""
    places: dict[str, int] = {}
    refused, forms = Refused(), {}

    def note(recording: Recording) -> None:
        forms[recording.name] = recording.form_line

    files = recording_files(paths, zone, form)
    parts = list(
        events_of_recordings(
            [Recording(path, zone, pipes=True, form=form) for path in files],
            rules,
            product_index=lambda product: places.setdefault(product, len(places)),
            refuse=refused.add,
            read=note,
        )
    )
    events = np.concatenate(parts) if parts else np.zeros(0, EVENT)
    if not len(events) and refused.counts and files[0].is_file():
        why = why_unread(
            "none of its lines",
            refused.counts,
            refused.letters[0].detail,
            lambda: describe(files[0], zone, form),
        )
        raise BadInputError(str(files[0]), why, cure_of_unread(refused.counts))
    return Ticks(
        events, places, silence_timeout_s=rules.silence_timeout_s, refused=refused, forms=forms
    )


def ticks_of_events(frame: pl.DataFrame, rules: Rules) -> Ticks:
    """The events of a `Ticks.frame`, or of some of its rows, as they stand.

    Where rows were taken out, a silence beyond the rules' timeout becomes a gap. Raises
    BadInputError for values that no such frame has.
    """
    if rules.products is not None:
        frame = frame.filter(pl.col("product").is_in(list(rules.products)))
    try:
        frame = frame.select(
            pl.col("kind", "product").cast(pl.String),
            pl.col("side").cast(pl.String),
            pl.col("event_time_ns", "receive_time_ns", "gap_start_ns", "trade_id").cast(pl.Int64),
            pl.col(_NUMBERS).cast(pl.Float64),
        )
    except pl.exceptions.PolarsError as error:
        raise _changed(str(error)) from None
    if frame["product"].null_count():
        raise _changed("product is never null")
    names = frame["product"].unique(maintain_order=True)
    numbers = pl.Series(range(len(names)), dtype=pl.Int32)
    kinds, sides = list(KINDS), list(SIDES)
    arrays = frame.select(
        kind=pl.col("kind").replace_strict(
            kinds, list(range(len(kinds))), default=-1, return_dtype=pl.Int8
        ),
        product=pl.col("product").replace_strict(names, numbers),
        side=pl.col("side").replace_strict(sides, [1, -1], default=0, return_dtype=pl.Int8),
        event_time_ns=pl.col("event_time_ns").fill_null(-1),
        receive_time_ns=pl.col("receive_time_ns").fill_null(int(NAT)),
        gap_start_ns=pl.col("gap_start_ns").fill_null(0),
        trade_id=pl.col("trade_id").fill_null(-1),
    )
    events = np.zeros(len(frame), EVENT)
    for name in arrays.columns:
        events[name] = arrays[name].fill_null(0).to_numpy()
    for name in _NUMBERS:
        events[name] = frame[name].fill_null(np.nan).to_numpy()
    # What a kind of event does not have is 0, as `codec.event_array` leaves it.
    without: dict[int, tuple[str, ...]] = {
        GAP: (*_NUMBERS, "trade_id"),
        HEARTBEAT: (*_NUMBERS, "trade_id"),
    }
    for kind in (TRADE, FILLED):
        without[kind] = ("bid", "ask", "bid_size", "ask_size", "volume_24h")
    for kind, fields in without.items():
        of_kind = events["kind"] == kind
        for name in fields:
            events[name][of_kind] = 0
    _check(events)
    events = with_silences(events, rules.silence_timeout_s)
    return Ticks(events, names.to_list(), silence_timeout_s=rules.silence_timeout_s)


def with_silences(events: Records, silence_timeout_s: float | None) -> Records:
    """The events with a gap before each that no gap precedes after a silence of its product.

    events: (n,) of `codec.EVENT`. A silence is longer than `silence_timeout_s` of event time.
    """
    if silence_timeout_s is None or not len(events):
        return events
    order = np.argsort(events["product"], kind="stable")
    sorted_ = events[order]
    same = sorted_["product"][1:] == sorted_["product"][:-1]
    newest = _newest(sorted_, same)
    silent = sorted_["event_time_ns"][1:] - newest > int(silence_timeout_s * NS_PER_S)
    silent &= same & (sorted_["kind"][1:] != GAP)
    after = np.flatnonzero(silent) + 1
    if not len(after):
        return events
    gaps = np.zeros(len(after), EVENT)
    gaps["kind"] = GAP
    for name in ("product", "event_time_ns", "receive_time_ns"):
        gaps[name] = sorted_[name][after]
    gaps["gap_start_ns"] = newest[after - 1]
    places = order[after]
    by_place = np.argsort(places, kind="stable")
    return np.insert(events, places[by_place], gaps[by_place])


def _newest(events: Records, same: Bool) -> Int64:
    """(n − 1,) the latest event time of its product up to each event, the last one left out."""
    time_ns = events["event_time_ns"]
    newest = np.empty(max(len(events) - 1, 0), np.int64)
    starts = np.flatnonzero(~np.concatenate(([False], same)))
    for start, stop in zip(starts, [*starts[1:], len(events)], strict=True):
        last = min(stop, len(newest))
        newest[start:last] = np.maximum.accumulate(time_ns[start:last])
    return newest


def _check(events: Records) -> None:
    time_ns, kind = events["event_time_ns"], events["kind"]
    ticks = events[kind == TICK]
    with np.errstate(invalid="ignore"):
        quotes = (ticks["bid"] >= _LEAST) & (ticks["bid"] <= ticks["ask"]) & (ticks["ask"] <= _MOST)
    if (kind < 0).any():
        raise _changed(f"kind is one of {', '.join(KINDS)}")
    if ((time_ns < 0) | (time_ns > LATEST_NS)).any():
        raise _changed("event_time_ns is a time from 1970 to 2262")
    if not quotes.all():
        raise _changed("every tick has a bid above 0 and an ask that is not below it")


def _changed(why: str) -> BadInputError:
    return BadInputError(
        "a frame with the columns of Ticks.frame",
        f"it is not what read_ticks returned: {why}",
        "Leave its values as they are, or rename or drop its column `kind` for ticks of your own",
    )
