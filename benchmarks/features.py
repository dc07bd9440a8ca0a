"""Features: from arrays beside Polars and pandas, from a file beside Polars, by tick beside river.

Each peer's values are compared with ours before anything is timed: a peer that computes something
else is no peer. Ours runs on one core, Polars on all that it finds.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from statistics import median

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl

import barograph
from barograph.archive.recorded_events import recording_events
from barograph.archive.recording import Recording
from barograph.arrays import Records
from barograph.feature_set.catalogue import COLUMN, LONGEST_WINDOW_S, NAMES, ROW
from barograph.feature_set.featurizer import Featurizer
from barograph.feature_set.grid import update
from barograph.feature_set.state import new_states
from barograph.types import NS_PER_S
from measure import RECORDING, Measured, benchmark_events, benchmark_ticks, interleaved, row
from peers import pandas_features, polars_features, river_features

Columns = Mapping[str, npt.NDArray[np.float64]]

# Log mids are kept in units of 1e-9, where the peers round nothing, so the smallest volatilities
# agree to five digits and what is divided by one to as many.
_RELATIVE, _ABSOLUTE = 1e-5, 1e-8
_TICKS_BY_RIVER = 20_000


def _rows(events: Records, products: int) -> Records:
    featurizer = Featurizer()
    for place in range(products):
        featurizer.product_index(str(place))
    rows, _ = featurizer.update(events)
    return rows


def _rows_of_file() -> Records:
    featurizer = Featurizer()
    events = recording_events(Recording(RECORDING), product_index=featurizer.product_index)
    return np.concatenate([featurizer.update(part)[0] for part in events])


def _same(ours: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64], name: str) -> None:
    assert (np.isnan(ours) == np.isnan(theirs)).all(), f"{name}: one side knows more"
    known = ~np.isnan(ours)
    scale = np.abs(ours[known]).max(initial=0.0)
    worst = np.abs(ours[known] - theirs[known]).max(initial=0.0)
    assert worst <= _RELATIVE * scale + _ABSOLUTE, f"{name}: off by {worst:.3g} of {scale:.3g}"


def _check(rows: Records, theirs: Columns, products: npt.NDArray[np.int64]) -> None:
    rows = rows[np.lexsort((rows["second"], rows["product"]))]
    assert (rows["product"] == products).all()
    assert (rows["second"] == theirs["second"]).all()
    for name in NAMES:
        _same(rows["values"][:, COLUMN[name]], theirs[name].astype(np.float64), name)


@cache
def _polars_agrees() -> None:
    events, products = benchmark_events()
    theirs = polars_features.features(benchmark_ticks().lazy())
    columns = {name: theirs[name].to_numpy() for name in ("second", *NAMES)}
    _check(_rows(events, len(products)), columns, theirs["product"].to_numpy())


@row("features from arrays, beside Polars", "ticks/s", ("ratio", ">=", 2))
def from_arrays(repeats: int) -> Measured:
    """Grid and all features from an array of events; Polars has the same columns in memory."""
    _polars_agrees()
    events, products = benchmark_events()
    ticks = benchmark_ticks().lazy()
    ours, peer = interleaved(
        lambda: _rows(events, len(products)), lambda: polars_features.features(ticks), 5 * repeats
    )
    return Measured(len(events) / ours, len(events) / peer)


@cache
def _frame() -> pl.DataFrame:
    """The benchmark's ticks as a user's own frame, without gaps and other kinds of events."""
    ticks = barograph.read_ticks(RECORDING).frame.filter(pl.col("kind") == "tick")
    return ticks.drop("kind", "gap_start_ns")


@row("ticks to features through bg.features, beside the arrays", "ticks/s", ("ratio", ">=", 0.9))
def from_ticks(repeats: int) -> Measured:
    """The library with ticks that were read once; the peer is our kernel on the bare array."""
    ticks = barograph.read_ticks(_frame())
    ours, peer = interleaved(
        lambda: barograph.features(ticks),
        lambda: _rows(ticks.events, len(ticks.products)),
        5 * repeats,
    )
    return Measured(len(ticks) / ours, len(ticks) / peer)


@row("frame to features through bg.features, beside the arrays", "ticks/s", ("ratio", ">=", 0.9))
def from_frame(repeats: int) -> Measured:
    """The library with a Polars frame, whose ticks are checked for holes and repeats first."""
    frame = _frame()
    ticks = barograph.read_ticks(frame)
    assert barograph.features(frame).frame.equals(barograph.features(ticks).frame)
    ours, peer = interleaved(
        lambda: barograph.features(frame),
        lambda: _rows(ticks.events, len(ticks.products)),
        5 * repeats,
    )
    return Measured(len(frame) / ours, len(frame) / peer)


@row("features from arrays, beside pandas", "ticks/s", ("ratio", ">=", 2))
def from_arrays_pandas(repeats: int) -> Measured:
    """As beside Polars."""
    events, products = benchmark_events()
    ticks = pd.DataFrame(
        {name: column.to_numpy() for name, column in benchmark_ticks().to_dict().items()}
    )
    theirs = pandas_features.features(ticks)
    columns = {name: theirs[name].to_numpy() for name in ("second", *NAMES)}
    _check(_rows(events, len(products)), columns, theirs["product"].to_numpy())
    ours, peer = interleaved(
        lambda: _rows(events, len(products)), lambda: pandas_features.features(ticks), repeats
    )
    return Measured(len(events) / ours, len(events) / peer)


@row("recording file to feature rows, beside Polars", "lines/s", ("ratio", ">=", 1.5))
def from_file(repeats: int) -> Measured:
    """From the .ndjson.gz on disk; with every check and refusal of the feed on our side."""
    theirs = polars_features.features(polars_features.recorded(RECORDING))
    events, products = benchmark_events()
    places = {name: place for place, name in enumerate(products)}
    product = np.array([places[name] for name in theirs["product"].to_list()])
    order = np.lexsort((theirs["second"].to_numpy(), product))
    columns = {name: theirs[name].to_numpy()[order] for name in ("second", *NAMES)}
    _check(_rows_of_file(), columns, product[order])
    ours, peer = interleaved(
        _rows_of_file,
        lambda: polars_features.features(polars_features.recorded(RECORDING)),
        repeats,
    )
    return Measured(len(events) / ours, len(events) / peer)


@row("tick by tick, beside river", "ticks/s", ("ratio", ">=", 20))
def tick_by_tick(repeats: int) -> Measured:
    """`update` called with one event at a time; river keeps eight sums where we fill 54 columns."""
    events, products = benchmark_events()
    events = events[:_TICKS_BY_RIVER]
    names = ("bid", "ask", "trade_id", "last_size", "side")
    ticks = [
        (product, _second(time_ns // NS_PER_S), dict(zip(names, numbers, strict=True)))
        for product, time_ns, *numbers in zip(
            *(events[name].tolist() for name in ("product", "event_time_ns", *names)), strict=True
        )
    ]
    _river_agrees(ticks, _rows(events, len(products)))
    timed = []
    _by_tick(events, len(products))
    for _ in range(repeats):
        ours = _by_tick(events, len(products))
        started = time.perf_counter()
        _river(ticks)
        timed.append((ours, time.perf_counter() - started))
    ours, peer = median(ours_s for ours_s, _ in timed), median(peer_s for _, peer_s in timed)
    return Measured(len(events) / ours, len(events) / peer)


Ticks = list[tuple[int, datetime, dict[str, float]]]


def _second(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC).replace(tzinfo=None)


def _by_tick(events: Records, products: int) -> float:
    states, late = new_states(products), np.zeros(1, np.int64)
    rows = np.zeros(LONGEST_WINDOW_S + 1, ROW)
    slices = [events[place : place + 1] for place in range(len(events))]
    started = time.perf_counter()
    for tick in slices:
        update(states, tick, rows, late)
    return time.perf_counter() - started


def _river(ticks: Ticks) -> None:
    products: dict[int, river_features.RollingSums] = {}
    for product, second, tick in ticks:
        sums = products.get(product)
        if sums is None:
            sums = products[product] = river_features.RollingSums()
        sums.update(second, tick)


def _river_agrees(ticks: Ticks, rows: Records) -> None:
    """The nine features at the end of each second with a tick, where our windows are full."""
    first = {int(row["product"]): _second(int(row["second"])) for row in rows[::-1]}
    closing = {(product, second): tick for product, second, tick in ticks}
    products: dict[int, river_features.RollingSums] = {}
    theirs = {}
    for product, second, tick in ticks:
        # The first second is where our run starts, and in no window of counts.
        sums = products.setdefault(product, river_features.RollingSums())
        sums.update(second, tick, anchor=second == first.get(product))
        if closing[product, second] is tick:
            theirs[product, second] = sums.features()
    compared = 0
    for our_row in rows:
        their_features = theirs.get((int(our_row["product"]), _second(int(our_row["second"]))), {})
        for name, value in their_features.items():
            ours = float(our_row["values"][COLUMN[name]])
            if not np.isnan(ours):
                compared += 1
                assert abs(ours - value) <= 1e-7 + 1e-6 * abs(value), (name, ours, value)
    assert compared > 100, "too few seconds to compare"
