"""Gaps among the records of a source."""

import pytest

from barograph import codec
from barograph.pipeline.recorded_gaps import gap_of
from barograph.types import Gap, GapCause, Heartbeat, Record

GAP = Gap(product="BTC-USD", start_ns=1, end_ns=2, cause=GapCause.SILENCE)


def record(value, key="BTC-USD"):
    return Record("ticks.raw", 0, 0, key, value, {})


def test_a_gap_is_found():
    assert gap_of(record(codec.encode(GAP))) == GAP


@pytest.mark.parametrize(
    "value",
    [
        codec.encode(Heartbeat(product="BTC-USD", event_time_ns=1)),
        codec.encode(GAP)[:-9],
        codec.encode(GAP).replace(b"gap/1", b"gap/9"),
        b"",
    ],
)
def test_what_is_no_gap_or_damaged_is_none(value):
    assert gap_of(record(value)) is None
