"""A table of ticks gives what `replay` makes of it as a recording: lane and machine together."""

import json
from datetime import UTC
from itertools import repeat

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barograph.codec import EVENT
from barograph.library.frame_events import TableReading
from barograph.library.reading import read_ticks
from barograph.library.tick_columns import tick_table
from barograph.types import NS_PER_S
from barograph.venues.entries import Rules

START_NS = 1_750_000_000 * NS_PER_S
PACKED = np.dtype([(name, EVENT[name]) for name in EVENT.names if name != "price"])
"""Without the padding, whose bytes are nobody's; and without the price, which a lane takes from the
float and a recording from its text where it is the middle of bid and ask.
"""

ROLES = {
    "symbol": "product",
    "ts": "time",
    "bid_px": "bid",
    "ask_px": "ask",
    "trade_id": "trade_id",
    "last_size": "last_size",
    "side": "side",
}

steps = st.sampled_from([0, 0.1, 0.4, 1.0, 3.0, 9.999, 10.0, 10.001, 45.0, 70.0, -0.2, -2.0, -90.0])
ids = st.sampled_from([1, 1, 1, 1, 1, 1, 0, 2, 5, -1, -3, 900, 50_000])
quotes = st.sampled_from([(100.0, 100.01), (100.0, 100.0), (99.5, 100.5), (101.0, 100.0), (0.0, 1)])
row = st.tuples(
    st.sampled_from(["BTC-USD", "BTC-USD", "ETH-USD", "BTC-USDC"]),
    steps,
    ids,
    quotes,
    st.sampled_from([0.25, 1e-6, 12.0, None]),
    st.sampled_from(["buy", "sell", "BUY", None]),
)
timeouts = st.sampled_from([10.0, 2.0, None])
GOOD = ("BTC-USD", 0.4, 1, (100.0, 100.01), 0.25, "buy")


def table(rows, *, with_ids=True):
    """A frame of ticks whose times and ids are the steps' sums, by product."""
    time_ns, trade_id, made = START_NS, {}, []
    for product, step_s, id_step, (bid, ask), size, side in rows:
        time_ns += int(step_s * NS_PER_S)
        trade_id[product] = max(trade_id.get(product, 1000) + id_step, 0)
        made.append(
            {"symbol": product, "ts": time_ns, "bid_px": bid, "ask_px": ask}
            | ({"trade_id": trade_id[product], "last_size": size, "side": side} if with_ids else {})
        )
    return made


def as_frame(rows):
    return pl.DataFrame(rows, infer_schema_length=None)


def recorded(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def same(frame_ticks, file_ticks):
    assert frame_ticks.refused == file_ticks.refused
    assert frame_ticks.products == file_ticks.products
    ours, theirs = (ticks.events[list(PACKED.names)] for ticks in (frame_ticks, file_ticks))
    # exact: both are the events of one machine
    assert ours.astype(PACKED).tobytes() == theirs.astype(PACKED).tobytes()


@given(rows=st.lists(row, max_size=60), room=st.integers(1, 70), timeout_s=timeouts)
@pytest.mark.slow
def test_events_in_parts_are_those_of_the_whole(rows, room, timeout_s):
    table_of = tick_table(
        as_frame(table([GOOD, *rows])), {role: n for n, role in ROLES.items()}, UTC
    )
    rules = Rules(silence_timeout_s=timeout_s)
    reading, buffer = TableReading(table_of, rules, "venue"), np.zeros(room, EVENT)
    parts = [part.copy() for part in reading.parts(repeat(buffer))]
    whole = TableReading(table_of, rules, "venue").ticks()
    assert all(len(part) for part in parts)
    assert tuple(reading.products) == whole.products
    assert dict(reading.refused.counts) == whole.refused
    ours, theirs = (
        events[list(PACKED.names)].astype(PACKED)
        for events in (np.concatenate(parts), whole.events)
    )
    # exact: both are the events of one machine
    assert ours.tobytes() == theirs.tobytes()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(row, min_size=1, max_size=60), timeout_s=timeouts)
@pytest.mark.slow
def test_a_frame_gives_the_events_of_a_recording_of_its_rows(tmp_path, rows, timeout_s):
    rows = [*table([GOOD]), *table(rows)]  # of nothing usable a recording is refused as a whole
    options = {"columns": ROLES, "silence_timeout_s": timeout_s}
    of_file = read_ticks(recorded(tmp_path / "rows.ndjson", rows), **options)
    same(read_ticks(as_frame(rows), **options), of_file)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(row, st.sampled_from([0.1, 1.0, 9.999, 10.001, 70.0])), min_size=1),
    timeout_s=timeouts,
)
@pytest.mark.slow
def test_so_does_one_without_ids_whose_rows_are_sound_and_in_order(tmp_path, rows, timeout_s):
    """Without ids a recording is heard as Advanced Trade, whose refused ticks break every line."""
    rows = [(product, step_s, *GOOD[2:]) for (product, *_), step_s in rows]
    rows = table(rows, with_ids=False)
    columns = {name: role for name, role in ROLES.items() if name in rows[0]}
    options = {"columns": columns, "silence_timeout_s": timeout_s}
    of_file = read_ticks(recorded(tmp_path / "rows.ndjson", rows), **options)
    same(read_ticks(as_frame(rows), **options), of_file)
