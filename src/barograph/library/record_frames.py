"""Records of a log as a typed frame: a column for each field, features under their names."""

import enum
import types
import typing
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import polars as pl

from barograph import codec
from barograph.alert_records import AlertRecord, HealthSample, Undelivered
from barograph.candle_records import Candle, CandleCheck
from barograph.cases.case import Case
from barograph.cases.named import CASES, case_named
from barograph.errors import BadInputError
from barograph.types import (
    NS_PER_S,
    DeadLetter,
    FeatureRow,
    FeedStatus,
    Gap,
    Heartbeat,
    Prediction,
    Record,
    RecordPrediction,
    Tick,
    Trade,
)


class Family(NamedTuple):
    """The words of a topic, what reads them, and the fields that tell time and key of one.

    `time` is "" where no field tells one.
    """

    words: tuple[type[msgspec.Struct], ...]
    read: codec.Reader[Any]
    time: str = "time_ns"
    key: str = "product"


_EVENTS = Family((Tick, Heartbeat, Trade, Gap), codec.decode_event, "event_time_ns")
_FAMILIES = {
    "tick": _EVENTS,
    "heartbeat": _EVENTS,
    "trade": _EVENTS,
    "gap": _EVENTS,
    "features": Family((FeatureRow,), codec.decode_row, "second"),
    "prediction": Family((Prediction,), codec.decode_prediction, "event_time_ns"),
    "record-prediction": Family((RecordPrediction,), codec.decode_record_prediction, "", "key"),
    "candle": Family((Candle,), codec.decode_candle, "start_s"),
    "candle-check": Family((CandleCheck,), codec.decode_candle_check, "start_s"),
    "deadletter": Family((DeadLetter,), codec.decode_dead_letter, "receive_time_ns", "key"),
    "feed-status": Family((FeedStatus,), codec.decode_status, key="venue"),
    "health": Family((HealthSample,), codec.decode_health, key="source"),
    "alert": Family((AlertRecord,), codec.decode_alert, key="subject"),
    "undelivered": Family((Undelivered,), codec.decode_undelivered, key="sink"),
}
"""By the word before the version in a record's `type`."""


class _Tagged(msgspec.Struct):
    type: str = ""


_tag = msgspec.json.Decoder(_Tagged).decode


def family_of(record: Record) -> Family:
    """What a record's topic holds, by its `type`. Raises BadInputError for what is none."""
    try:
        tag = _tag(record.value).type.partition("/")[0]
    except codec.UNREADABLE:
        tag = ""
    if tag not in _FAMILIES:
        raise BadInputError(
            f"{record.topic}/{record.partition}, offset {record.offset}",
            "its record is of no type that this version knows",
            "Name another topic",
        )
    return _FAMILIES[tag]


def time_ns(family: Family, word: Any) -> int | None:  # noqa: ANN401 - one of family.words
    """When a word happened, in epoch ns; a feature row at its end, a candle at its start.

    A gap at its end. None where the word does not tell.
    """
    if isinstance(word, Gap):
        return word.end_ns
    if not family.time:
        return None
    time = getattr(word, family.time)
    if time is None or family.time.endswith("_ns"):
        return time  # type: ignore[no-any-return]  # a field of type int
    return int(time + (family.time == "second")) * NS_PER_S


def frame_of_words(family: Family, words: Sequence[Any], case: Case | None) -> pl.DataFrame:
    """Words of a family as a frame, a row each.

    Columns are the fields; `type` tells the words of a family of several. Words of an enumeration
    are Enum, decimals stay the venue's text, what is nested is JSON text. Of feature rows each
    value is a column under its name, and `case` says which where it is none of the built-in ones.
    Raises BadInputError for feature rows of names that are not known.
    """
    hints: dict[str, Any] = {}
    for kind in family.words:
        hints |= typing.get_type_hints(kind)
    columns: dict[str, pl.Series] = {}
    if len(family.words) > 1:
        names = [type(word).__name__.lower() for word in words]
        kinds = pl.Enum([kind.__name__.lower() for kind in family.words])
        columns["type"] = pl.Series(names, dtype=kinds)
    for name, hint in hints.items():
        if name != "values":
            values = [getattr(word, name, None) for word in words]
            columns[name] = _series(values, hint)
    frame = pl.DataFrame(columns)
    return frame if family.words != (FeatureRow,) else _with_features(frame, words, case)


def _series(values: list[Any], hint: Any) -> pl.Series:  # noqa: ANN401 - a type
    dtype = _dtype(hint)
    if dtype == pl.Int64:  # a count in one word of a family may be a flag in another
        values = [None if value is None else int(value) for value in values]
    if dtype is None:
        texts = [None if value is None else msgspec.json.encode(value).decode() for value in values]
        return pl.Series(texts, dtype=pl.String)
    return pl.Series(values, dtype=dtype)


def _dtype(hint: Any) -> pl.DataType | type[pl.DataType] | None:  # noqa: ANN401 - a type
    """What a field of this type is in a frame; None for what is nested."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        [hint, *others] = [each for each in typing.get_args(hint) if each is not types.NoneType]
        return None if others else _dtype(hint)
    if typing.get_origin(hint) is typing.Literal:
        return pl.Enum(typing.get_args(hint))
    if isinstance(hint, type) and issubclass(hint, enum.StrEnum):
        return pl.Enum([each.value for each in hint])
    return _PLAIN.get(hint)


_PLAIN: dict[Any, type[pl.DataType]] = {
    int: pl.Int64,
    float: pl.Float64,
    str: pl.String,
    bool: pl.Boolean,
    bytes: pl.Binary,
}


def _with_features(
    frame: pl.DataFrame, rows: Sequence[FeatureRow], case: Case | None
) -> pl.DataFrame:
    feature_sets = list(dict.fromkeys(row.feature_set for row in rows))
    if len(feature_sets) > 1:
        last = max(row.second for row in rows if row.feature_set != rows[-1].feature_set) + 1
        raise BadInputError(
            "feature rows",
            "they were made with several feature sets",
            f"Read later ones (since={last})",
        )
    columns = _columns(feature_sets[0], case) if rows else ()
    if any(len(row.values) != len(columns) for row in rows):
        raise BadInputError(
            "feature rows", "they have another number of values than their feature set",
            "Read later ones (since=…)",
        )  # fmt: skip
    values = pl.DataFrame(
        [row.values for row in rows], dict.fromkeys(columns, pl.Float64), orient="row"
    )
    return pl.concat([frame, values], how="horizontal")


def _columns(feature_set: str, case: Case | None) -> tuple[str, ...]:
    known = [case] if case is not None else [case_named(name) for name in CASES]
    for each in known:
        if each.live is not None and each.live.feature_set == feature_set:
            return each.live.columns
    raise BadInputError(
        f"feature rows of feature set {feature_set}",
        "their names are those of another version or of a case of your own",
        "Read later ones (since=…), or name the case (case='package.module:NAME')",
    )
