"""Lane and machine together give, for any bytes, what the machine alone gives."""

import gzip
import json
from unittest.mock import patch

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph import codec
from barograph.archive import recorded_events, recording
from barograph.archive.recorded_events import _Reading, recording_events
from barograph.archive.recording import Recorded, Recording
from barograph.codec import EVENT, GAP
from barograph.errors import BadInputError
from barograph.types import Fault
from barograph.venues.coinbase.advanced import AdvancedTrade
from barograph.venues.coinbase.exchange import ExchangeFeed
from barograph.venues.continuity import Continuity
from barograph.venues.entries import Dialect, Rules
from barograph.venues.holes import Holes
from coinbase_messages import ticker
from recorded_lines import ONE_PRODUCT, ends, lines, written


def by_machine(path, rules):
    """The obvious way: every line through its machine, every event as the log would carry it."""
    continuity = Continuity(rules)
    holes = Holes(continuity)
    machines = {
        Dialect.EXCHANGE: ExchangeFeed(holes=holes),
        Dialect.ADVANCED: AdvancedTrade(holes=holes),
    }
    numbers, letters, products = [], [], {}
    for entry in Recording(path):
        if not isinstance(entry, Recorded):
            letters.append(entry)
            continue
        machine = machines[entry.opening.dialect]
        if entry.opening.connection not in continuity.connections:
            machine.open(entry.opening)
        received = machine.receive(entry.frame)
        numbers += [codec.decode_numbers(codec.encode(event)) for event in received.events]
        letters += [
            msgspec.structs.replace(letter, source=path.name, position=str(entry.line))
            for letter in received.dead_letters
        ]
    for n in numbers:
        products.setdefault(n.product, len(products))
    events = codec.event_array(numbers, products.__getitem__)
    return fields(events), letters, list(products), continuity.snapshot()


def by_lane(path, rules):
    letters, products = [], {}
    reading = _Reading(
        Recording(path),
        Continuity(rules),
        lambda p: products.setdefault(p, len(products)),
        letters.append,
    )
    events = np.concatenate(list(reading.events()))
    return fields(events), letters, list(products), reading.continuity.snapshot()


def fields(events):
    """All that an array says; what lies between its fields is nobody's."""
    return {name: events[name].tobytes() for name in EVENT.names}


def events_of(path, **how):
    products = {}
    parts = recording_events(
        Recording(path), product_index=lambda p: products.setdefault(p, len(products)), **how
    )
    return np.concatenate(list(parts))


@settings(max_examples=150)
@given(
    st.lists(st.tuples(lines, ends), min_size=1, max_size=60),
    st.sampled_from([Rules(), Rules(silence_timeout_s=None)]),
)
def test_the_short_way_of_a_tick_gives_what_the_long_one_gives(tmp_path_factory, drawn, rules):
    path = tmp_path_factory.mktemp("recordings") / "recording.ndjson"
    path.write_bytes(written(drawn) or b"{")
    try:
        ours = by_machine(path, rules)
    except BadInputError:
        return
    with patch.object(Continuity, "advance", return_value=False):
        assert ours == by_machine(path, rules)  # exact: encoded records


@pytest.mark.slow
@settings(max_examples=150)
@given(
    st.lists(st.tuples(lines, ends), min_size=1, max_size=60),
    st.integers(1, 4000),
    st.integers(1, 40),
    st.booleans(),
    st.integers(0, 40),
    st.sampled_from([Rules(), Rules(silence_timeout_s=None), ONE_PRODUCT]),
)  # fmt: skip
def test_lane_and_machine_give_what_the_machine_alone_gives(
    tmp_path_factory, drawn, block_bytes, room, compressed, torn, rules
):
    path = tmp_path_factory.mktemp("recordings") / "recording.ndjson"
    content = written(drawn)
    content = gzip.compress(content, 1) if compressed else content
    path.write_bytes(content[: len(content) - torn] or b"{")
    with (
        patch.object(recording, "_BLOCK_BYTES", block_bytes),
        patch.object(recorded_events, "_EVENTS_AT_A_TIME", room),
    ):
        try:
            ours = by_lane(path, rules)
        except BadInputError:
            with pytest.raises(BadInputError):
                by_machine(path, rules)
        else:
            assert ours == by_machine(path, rules)  # exact: encoded records


@pytest.mark.slow
def test_every_real_recording_gives_what_the_machine_alone_gives(data):
    paths = [
        *sorted((data / "recordings").rglob("*.gz")),
        data / "benchmark" / "bitstamp_btcusd_20150501_ticker.ndjson.gz",
    ]
    assert len(paths) == 11
    for path in paths:
        # exact: encoded records
        assert by_lane(path, Rules()) == by_machine(path, Rules()), path.name


def real_lines(data):
    name = "coinbase_btc_20251112_14_exchangefeed.ndjson.gz"
    return gzip.decompress((data / "recordings" / name).read_bytes()).splitlines(keepends=True)


@pytest.mark.parametrize("seed", range(5))
def test_real_lines_with_random_damage_give_what_the_machine_alone_gives(data, tmp_path, seed):
    rng = np.random.default_rng(seed)
    content = bytearray(b"".join(real_lines(data)[seed * 1000 : seed * 1000 + 1500]))
    for place in rng.integers(0, len(content), 200):
        content[place] = rng.choice([content[place] ^ 1, 34, 48, 57, 46, 10, 44, 125, 255])
    path = tmp_path / "damaged.ndjson"
    path.write_bytes(content)
    with patch.object(recording, "_BLOCK_BYTES", int(rng.integers(200, 20_000))):
        assert by_lane(path, Rules()) == by_machine(path, Rules())  # exact: encoded records


@pytest.mark.slow
def test_a_line_that_is_too_long_is_refused_and_the_rest_is_read(tmp_path):
    long = json.dumps(ticker(2, note="x" * (1 << 20))).encode()
    block = [json.dumps(ticker(n)).encode() for n in range(5)]
    for place in range(6):
        path = tmp_path / f"{place}.ndjson"
        path.write_bytes(b"\n".join([*block[:place], long, *block[place:]]))
        letters = []
        assert len(events_of(path, refuse=letters.append)) == 5
        assert [letter.fault for letter in letters] == [Fault.TOO_LONG]
        assert by_lane(path, Rules()) == by_machine(path, Rules())  # exact: encoded records


def test_a_hole_is_a_gap_before_the_tick_that_ends_it(tmp_path):
    path = tmp_path / "recording.ndjson"
    path.write_text("\n".join(json.dumps(ticker(n)) for n in (0, 1, 2, 5, 6)))
    events = events_of(path)
    assert events["kind"].tolist() == [0, 0, 0, GAP, 0, 0]


def test_a_recording_without_a_line_is_an_error(tmp_path):
    path = tmp_path / "recording.ndjson.gz"
    path.write_bytes(gzip.compress(b""))
    with pytest.raises(BadInputError, match="no record"):
        events_of(path)
