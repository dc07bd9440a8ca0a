"""The columns of a topic of which nothing was read: those that its records would have had."""

from collections.abc import Iterator

import msgspec
import polars as pl

from barograph.cases.case import Case
from barograph.cases.named import NAMED, case_named
from barograph.library.record_frames import Family, family_of, frame_of_words
from barograph.log import topics
from barograph.types import FeatureRow, Record

_WORDS = {
    topics.TICKS: "tick",
    topics.CANDLES: "candle",
    topics.CANDLE_CHECKS: "candle-check",
    topics.STATUS: "feed-status",
    topics.HEALTH: "health",
    topics.ALERTS: "alert",
    topics.UNDELIVERED: "undelivered",
    topics.ALERT_LETTERS: "deadletter",
}
"""Topic → the word before the version in the `type` of its records, where it is of no case."""


def family_of_topic(topic: str, case: Case | None) -> Family | None:
    """What a topic of a built-in case or of `case` holds, by its name; None for another topic."""
    words = _WORDS | {name: word for each in _cases(case) for name, word in _of_case(each)}
    if topic not in words:
        return None
    value = msgspec.json.encode({"type": f"{words[topic]}/1"})
    return family_of(Record(topic=topic, partition=0, offset=0, key="", value=value))


def no_rows(topic: str, family: Family, case: Case | None) -> pl.DataFrame:
    """A frame without rows, with the columns and types of the records of a topic."""
    frame = frame_of_words(family, [], case)
    if family.words != (FeatureRow,):
        return frame
    series = [each.live for each in _cases(case) if each.live is not None]
    columns = next((live.columns for live in series if live.rows == topic), ())
    return frame.with_columns(pl.Series(name, [], pl.Float64) for name in columns)


def _cases(case: Case | None) -> Iterator[Case]:
    if case is not None:
        yield case
    yield from map(case_named, NAMED)


def _of_case(case: Case) -> Iterator[tuple[str, str]]:
    if (live := case.live) is not None:
        yield live.rows, "features"
        yield from ((name, "prediction") for name in (live.predictions, live.shadow))
        yield live.dead_letters, "deadletter"
    if case.stream is not None:
        yield case.stream.target, "record-prediction"
        yield case.stream.dead_letters, "deadletter"
