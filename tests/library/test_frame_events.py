"""A table of ticks gives what `replay` makes of it as a recording: lane and machine together."""

import json
from datetime import UTC, datetime, timedelta
from itertools import repeat

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barograph.codec import EVENT
from barograph.errors import BadInputError
from barograph.library.frame_events import TableReading
from barograph.library.reading import read_ticks
from barograph.library.tick_columns import tick_table
from barograph.types import NS_PER_S
from barograph.venues.entries import Rules

START_NS = 1_750_000_000 * NS_PER_S
PACKED = np.dtype([(name, EVENT[name]) for name in EVENT.names])
"""Without the padding, whose bytes are nobody's."""

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
    ours, theirs = (ticks.events.astype(PACKED) for ticks in (frame_ticks, file_ticks))
    # exact: both are the events of one machine
    assert ours.tobytes() == theirs.tobytes()


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
    ours, theirs = (events.astype(PACKED) for events in (np.concatenate(parts), whole.events))
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


quantities = st.sampled_from([99.5, 100.0, 0.1, 1e-7, 12345678.12345678, 100000.515])
"""Bids, sizes; written in many ways."""

texts_of_numbers = st.sampled_from(
    [
        "99.5",
        " 99.5",
        "99.50 ",
        "1e2",
        "+99",
        "0x10",
        "",
        "99,5",
        "inf",
        "NaN",
        "0.1234567890123456789012",
    ]
)
cells = {
    "float": st.one_of(quantities, st.none(), st.sampled_from([float("nan"), -1.0, 0.0, 1e19])),
    "text": st.one_of(quantities.map(str), texts_of_numbers, st.none()),
    "bool": st.booleans(),
    "int": st.one_of(st.sampled_from([0, 1, 100, 10**12, 10**18, -3]), st.none()),
}
kinds = {"float": pl.Float64, "text": pl.String, "bool": pl.Boolean, "int": pl.Int64}
id_cells = {
    "float": st.sampled_from([1000.0, 1001.0, 1002.5, 1e17, float("nan"), None]),
    "text": st.sampled_from(["1000", " 1001", "1002.0", "1003.5", "x", "", None]),
    "int": st.sampled_from([1000, 1001, 1002, 10**18, -1, None]),
}


@st.composite
def columns(draw, name, of, n):
    kind = draw(st.sampled_from(sorted(of)))
    return pl.Series(name, draw(st.lists(of[kind], min_size=n, max_size=n)), dtype=kinds[kind])


WRITERS = {
    "csv": pl.DataFrame.write_csv,
    "parquet": pl.DataFrame.write_parquet,
    "ndjson": pl.DataFrame.write_ndjson,
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), n=st.integers(2, 12))
@pytest.mark.slow
def test_values_of_any_kind_are_read_as_in_a_file(tmp_path, data, n):
    """Texts with blanks, exponents, middles, receipts of another unit, ids as floats, and more."""
    seconds = st.lists(st.sampled_from([0.0, 0.5, 1.0, 15.0, -3.0, -90.0]), min_size=n, max_size=n)
    time_ns = START_NS + (np.cumsum(data.draw(seconds)) * NS_PER_S).astype(np.int64)
    names = st.sampled_from(["BTC-USD", " BTC-USD", "BTC-USDC", "A\x07B", "", None])
    frame = pl.DataFrame(
        {
            "symbol": ["BTC-USD", *data.draw(st.lists(names, min_size=n - 1, max_size=n - 1))],
            "ts": time_ns,
            "side": data.draw(
                st.lists(st.sampled_from(["buy", "Sell", None]), min_size=n, max_size=n)
            ),
        }
    )
    roles = {"symbol": "product", "ts": "time", "side": "side"}
    if data.draw(st.booleans()):
        frame, roles = frame.drop("side"), {"symbol": "product", "ts": "time"}
    if data.draw(st.booleans()):
        quote = {"bid_px": "bid", "ask_px": "ask"}
        frame = frame.with_columns(bid_px=99.0, ask_px=100000.52)
    else:
        quote = {"middle": "mid", "width": data.draw(st.sampled_from(["spread", "spread_bps"]))}
        frame = frame.with_columns(middle=100.25, width=0.5)
    roles |= quote
    some = ["price", "bid_size", "volume_24h", "trade_id", "sequence", *quote]
    for name in data.draw(st.lists(st.sampled_from(some), unique=True)):
        of = id_cells if name in {"trade_id", "sequence"} else cells
        column = data.draw(columns(name, of, n))
        first = frame[name].head(1) if name in quote else column.head(1)
        if name in quote and column.dtype != pl.String:
            column = column.cast(pl.Float64)
        column = pl.concat([first.cast(column.dtype), column.tail(n - 1)]).alias(name)
        frame = frame.with_columns(column)
        roles[name] = roles.get(name, name)
    if data.draw(st.booleans()):
        behind = st.sampled_from([0, 50, -1500, 3000, -70_000])
        late_ms = np.array(data.draw(st.lists(behind, min_size=n, max_size=n)))
        frame = frame.with_columns(got=time_ns // 10**6 + late_ms)
        roles["got"] = "received"
    options = {"columns": roles, "clock": data.draw(st.sampled_from(["venue", "recorder"]))}
    path = written(frame, tmp_path, data.draw(st.sampled_from(sorted(WRITERS))))
    # exact: both are the events of one machine
    assert outcome(frame, options) == outcome(path, options)


SUMMER_ENDS = datetime(2025, 10, 26, 1, 59, 57)  # noqa: DTZ001 - local time in Paris
SUMMER_BEGINS = datetime(2025, 3, 30, 1, 59, 57)  # noqa: DTZ001
local_times = st.lists(
    st.sampled_from([0, 1, 2, 30, 3600, 3600, -3600, -3599, 7200]), min_size=2, max_size=20
)
odd_times = {
    "int": st.sampled_from([1_750_000_030, 1_750_000_031_000, -5, None]),
    "float": st.sampled_from([1_750_000_030.25, 1_750_000_031_000.0, 1e30, None]),
    "text": st.sampled_from(["2025-06-15T15:07:12Z", "1750000031", "noon", "1960-01-01T00:00:00Z"]),
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=local_times, start=st.sampled_from([SUMMER_BEGINS, SUMMER_ENDS]))
@pytest.mark.slow
def test_local_times_around_a_change_of_the_clock_are_read_as_in_a_file(tmp_path, steps, start):
    times = [start + timedelta(seconds=sum(steps[:n])) for n in range(len(steps))]
    frame = pl.DataFrame(
        {"symbol": "BTC-USD", "ts": times, "bid_px": 1.0, "ask_px": 2.0, "side": ""}
    )
    columns = {"symbol": "product", "ts": "time", "bid_px": "bid", "ask_px": "ask", "side": "side"}
    options = {"columns": columns, "zone": "Europe/Paris"}
    # exact: both are the events of one machine
    assert outcome(frame, options) == outcome(written(frame, tmp_path, "csv"), options)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), kind=st.sampled_from(sorted(odd_times)))
@pytest.mark.slow
def test_times_that_are_none_or_in_another_unit_are_refused_as_in_a_file(tmp_path, data, kind):
    good = {"int": 1_750_000_000, "float": 1_750_000_000.5, "text": "2025-06-15T15:06:40Z"}[kind]
    odd = data.draw(st.lists(odd_times[kind], max_size=4))
    times = [good, good, *odd] if data.draw(st.booleans()) else [*odd, *[good] * (len(odd) + 1)]
    frame = pl.DataFrame({"symbol": "BTC-USD", "ts": pl.Series(times, dtype=kinds[kind])})
    frame = frame.with_columns(bid_px=1.0, ask_px=2.0, trade_id=pl.int_range(pl.len()) + 1)
    columns = {name: role for name, role in ROLES.items() if name in frame.columns}
    path = written(frame, tmp_path, data.draw(st.sampled_from(sorted(WRITERS))))
    # exact: both are the events of one machine
    assert outcome(frame, {"columns": columns}) == outcome(path, {"columns": columns})


def written(frame, folder, form):
    path = folder / f"rows.{form}"
    WRITERS[form](frame, path)
    return path


def outcome(source, options):
    """Events with their prices, products and refusals; or that nothing can be read."""
    try:
        ticks = read_ticks(source, **options)
    except BadInputError:
        return None
    return ticks.products, ticks.refused, ticks.events.astype(PACKED).tobytes()
