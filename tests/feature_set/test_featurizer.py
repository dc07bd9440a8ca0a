"""The featurizer: equal to the oracle, to itself however cut, and blind to the future."""

import math
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import feature_oracle
from barograph import codec
from barograph.codec import HEARTBEAT, NAT
from barograph.errors import ForeignStateError
from barograph.feature_set.catalogue import COLUMN, FEATURE_SET_HASH, LONGEST_WINDOW_S, NAMES, ROW
from barograph.feature_set.featurizer import Featurizer
from barograph.feature_set.grid import FUTURE_NS, update
from barograph.feature_set.state import checkpoint_of, new_states
from barograph.types import (
    MAX_PRODUCTS,
    Fault,
    Gap,
    GapCause,
    Heartbeat,
    Reason,
    Record,
    Side,
    Tick,
    Trade,
)
from invented_markets import NS, market, markets
from whole_rows import whole

long_runs = settings(
    max_examples=min(60, settings().max_examples),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.slow
@long_runs
@given(markets, st.randoms(use_true_random=False))
def test_every_feature_equals_the_oracle(drawn, random):
    events = market(drawn)
    rows, late = whole(events)
    expected, expected_late = feature_oracle.features(events)
    assert late.tolist() == expected_late
    assert len(rows) == len(expected)
    # The oracle takes its time, so of a long market it looks at some rows, the last one always.
    looked_at = [*random.sample(range(len(rows)), min(len(rows), 25)), len(rows) - 1]
    for place in looked_at if len(rows) else ():
        row, theirs = rows[place], expected[place]()
        assert row["second"] == theirs["second"]
        assert row["log_mid_e9"] == theirs["log_mid_e9"]
        assert row["return_e9"] == (NAT if theirs["return_e9"] is None else theirs["return_e9"])
        assert row["receive_time_ns"] == theirs["receive_time_ns"]
        for i, name in enumerate(NAMES):
            where = f"{name} at {row['second']}"
            assert Reason(row["reasons"][i]) == theirs["reasons"][name], where
            ours, value = row["values"][i], theirs["values"][name]
            if value is None:
                assert math.isnan(ours), where
            else:
                # Spreads are summed in 1e-9 bps, imbalances in 1e-9, sizes in 1e-8.
                allowed = 1e-9 if "mean" in name else 1e-12
                assert ours == pytest.approx(value, rel=1e-9, abs=allowed), where


@pytest.mark.slow
@long_runs
@given(markets, st.lists(st.integers(0, 5000), max_size=8))
def test_any_cut_and_any_restore_give_the_same_bytes(drawn, cuts):
    events = market(drawn)
    n = len(events)
    rows, late = whole(events)
    parts, parts_late = [], []
    featurizer = Featurizer()
    featurizer.product_index("0")
    for start, stop in pairwise([0, *sorted(min(cut, n) for cut in cuts), n]):
        checkpoint = featurizer.snapshot()
        featurizer = Featurizer()
        featurizer.product_index("0")
        featurizer.restore(checkpoint or {"0": checkpoint_of(new_states(1)[0])})
        # A checkpoint holds what changed since the last; here each restart takes it all.
        featurizer._states.changed([0])
        got, got_late = featurizer.update(events[start:stop])
        parts.append(got)
        parts_late.append(got_late + start)
    # exact: features to the bit
    assert b"".join(part.tobytes() for part in parts) == rows.tobytes()
    assert np.concatenate(parts_late).tolist() == late.tolist()


@pytest.mark.slow
@long_runs
@given(markets)
def test_tick_by_tick_gives_the_same_bytes_as_one_batch(drawn):
    events = market(drawn)[:3000]
    rows, _ = whole(events)
    states, out, late = new_states(1), np.zeros(LONGEST_WINDOW_S + 1, ROW), np.zeros(1, np.int64)
    parts = []
    for i in range(len(events)):
        consumed, n_rows, _ = update(states, events[i : i + 1], out, late)
        assert consumed == 1
        parts.append(out[:n_rows].tobytes())
    assert b"".join(parts) == rows.tobytes()  # exact: features to the bit


@pytest.mark.slow
@long_runs
@given(markets, st.floats(0, 1))
def test_starting_late_gives_the_same_bytes_after_one_longest_window(drawn, share):
    events = market(drawn)
    start = int(share * len(events))
    rows, _ = whole(events)
    late_rows, _ = whole(events[start:])
    assume(len(late_rows))
    # Who starts late cannot know that a tick is late against what came before.
    before = events["event_time_ns"][:start].max(initial=0) // NS
    settled = max(late_rows["second"][0], before) + LONGEST_WINDOW_S
    # A row stands for its second: time may go back only across a hole, and both see that hole.
    seen = np.isin(rows["second"], late_rows["second"]) & (rows["second"] >= settled)
    settled_rows = late_rows[late_rows["second"] >= settled]
    assert rows[seen].tobytes() == settled_rows.tobytes()  # exact: features to the bit


@pytest.mark.slow
@long_runs
@given(markets, st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_changing_the_future_changes_no_past_row(drawn, share, other_seed):
    events = market(drawn)
    keep = int(share * len(events))
    _, parts = drawn
    other = market((other_seed, parts))
    changed = np.concatenate([events[:keep], other[keep:]])
    past, _ = whole(events[:keep])
    assert whole(changed)[0][: len(past)].tobytes() == past.tobytes()  # exact: features to the bit


@pytest.mark.slow
@long_runs
@given(markets, markets, st.randoms(use_true_random=False))
def test_two_products_interleaved_equal_each_alone(first, second, random):
    alone = [market(first, 0), market(second, 1)]
    queues = [list(events) for events in alone]
    mixed = []
    while any(queues):
        queue = random.choice([q for q in queues if q])
        mixed.append(queue.pop(0))
    both, _ = whole(np.array(mixed, alone[0].dtype), products=2)
    for product, events in enumerate(alone):
        rows, _ = whole(events, products=2)
        # exact: features to the bit
        assert both[both["product"] == product].tobytes() == rows.tobytes()


@pytest.mark.slow
@long_runs
@given(markets)
def test_heartbeats_change_when_rows_are_written_and_not_what_is_in_them(drawn):
    events = market((drawn[0], [{**part, "heartbeats": True} for part in drawn[1]]))
    # A heartbeat may make a tick late that would have been in time without it.
    assume(np.all(np.diff(events["event_time_ns"]) >= 0))
    with_beats, _ = whole(events)
    without, _ = whole(events[events["kind"] != HEARTBEAT])
    common = with_beats[np.isin(with_beats["second"], without["second"])]
    assert len(common) == len(without)
    for name in ROW.names:
        if name != "receive_time_ns":
            assert common[name].tobytes() == without[name].tobytes()  # exact: features to the bit


def records(events):
    return [Record("ticks.raw", 0, i, e.product, codec.encode(e), {}) for i, e in enumerate(events)]


def tick(time_s, bid="100", ask="100.01", **more):
    return Tick(
        product="BTC-USD", event_time_ns=int(time_s * NS), price=bid, bid=bid, ask=ask, **more
    )


def test_records_become_rows_and_late_ticks_become_dead_letters():
    machine = Featurizer()
    outcome = machine.receive(
        records(
            [
                tick(10.5),
                tick(11.5, "100.01", "100.02"),
                tick(10.9),
                Heartbeat(product="BTC-USD", event_time_ns=13 * NS, receive_time_ns=13 * NS + 5),
            ]
        )
    )
    rows = [codec.decode_row(value) for _, value in outcome.values]
    assert [row.second for row in rows] == [10, 11, 12]
    assert [row.receive_time_ns for row in rows] == [None, 13 * NS + 5, 13 * NS + 5]
    assert rows[0].return_e9 is None
    assert rows[1].return_e9 == rows[1].log_mid_e9 - rows[0].log_mid_e9
    assert rows[2].return_e9 == 0
    (letter,) = outcome.dead_letters
    assert (letter.fault, letter.source, letter.position) == (Fault.LATE, "ticks.raw", "0:2")
    assert codec.decode_event(letter.original) == tick(10.9)


def test_a_record_that_is_no_event_becomes_a_dead_letter_and_stops_nothing():
    good = records([tick(10.5), tick(11.5)])
    bad = Record("ticks.raw", 0, 9, "BTC-USD", b'{"type":"tick/9"}', {})
    outcome = Featurizer().receive([good[0], bad, good[1]])
    assert len(outcome.values) == 1
    assert outcome.dead_letters[0].fault is Fault.WRONG_SHAPE
    assert outcome.dead_letters[0].original == bad.value


def test_a_gap_record_ends_the_open_second_without_a_row():
    gap = Gap(product="BTC-USD", start_ns=11 * NS, end_ns=20 * NS, cause=GapCause.SILENCE)
    outcome = Featurizer().receive(records([tick(10.5), tick(11.0), gap, tick(20.0), tick(21.0)]))
    assert [codec.decode_row(value).second for _, value in outcome.values] == [10, 20]


def trade(time_s, trade_id, **more):
    return Trade(
        product="BTC-USD", event_time_ns=int(time_s * NS), price="100", size="0.5",
        side=Side.BUY, trade_id=trade_id, **more,
    )  # fmt: skip


def numbered(time_s, trade_id):
    return tick(time_s, trade_id=trade_id, last_size="2", side=Side.BUY, volume_24h="1")


def test_a_trade_counts_in_its_second_and_its_own_tick_counts_no_second_time():
    steady = [numbered(10 + n, n) for n in range(70)]
    with_trades = [trade(80.1, 70), trade(80.2, 71), numbered(80.3, 71), numbered(81, 72)]
    outcome = Featurizer().receive(records([*steady, *with_trades]))
    before, row = (codec.decode_row(value) for _, value in outcome.values[-2:])
    grown = [
        row.values[COLUMN[name]] - before.values[COLUMN[name]]
        for name in ("tick_intensity_60s", "traded_volume_60s")
    ]
    # Two trades of 0.5 came where one tick of 2 left the window.
    assert grown == pytest.approx([(2 - 1) / 60, 1.0 - 2.0])
    assert outcome.dead_letters == []


def test_a_trade_closes_the_seconds_before_it_and_opens_no_series():
    machine = Featurizer()
    assert machine.receive(records([trade(9.5, 1), trade(10.5, 2)])).values == []
    outcome = machine.receive(records([tick(10.6), trade(12.1, 3)]))
    assert [codec.decode_row(value).second for _, value in outcome.values] == [10, 11]


def test_a_late_trade_is_a_dead_letter_unless_it_was_filled_or_stands_behind_a_gap():
    gap = Gap(product="BTC-USD", start_ns=11 * NS, end_ns=20 * NS, cause=GapCause.TRADE_ID)
    outcome = Featurizer().receive(
        records(
            [
                tick(10.5), tick(11.5), trade(10.9, 1), trade(10.9, 2, filled=True),
                gap, trade(15.0, 3), trade(16.0, 4, filled=True), tick(20.0),
            ]
        )
    )  # fmt: skip
    assert [letter.position for letter in outcome.dead_letters] == ["0:2"]
    assert {letter.fault for letter in outcome.dead_letters} == {Fault.LATE}


@pytest.mark.parametrize(
    "damage",
    [
        lambda _kept: b"",
        lambda kept: FEATURE_SET_HASH.encode() + kept[20:],
        lambda kept: b"0123456789abcdef" + kept[16:],
        lambda kept: kept[:-1],
        lambda kept: kept[:500] + bytes([kept[500] ^ 1]) + kept[501:],
    ],
)
def test_a_checkpoint_that_is_damaged_or_of_another_layout_is_refused_by_name(damage):
    kept = checkpoint_of(new_states(1)[0])
    Featurizer().restore({"BTC-USD": kept})
    with pytest.raises(ForeignStateError, match="BTC-USD"):
        Featurizer().restore({"BTC-USD": damage(kept)})


@pytest.mark.parametrize("what", ["tick", "heartbeat", "gap"])
def test_an_event_far_ahead_of_its_receipt_mutes_nothing(what):
    """Its time would make all that comes later late."""
    received = {"receive_time_ns": 12 * NS}
    ahead_ns = 12 * NS + FUTURE_NS + 1
    poison = {
        "tick": tick(0, receive_time_ns=12 * NS),
        "heartbeat": Heartbeat(product="BTC-USD", event_time_ns=ahead_ns, **received),
        "gap": Gap(
            product="BTC-USD", start_ns=11 * NS, end_ns=ahead_ns, cause=GapCause.SILENCE, **received
        ),
    }[what]
    if what == "tick":
        poison = msgspec.structs.replace(poison, event_time_ns=ahead_ns)
    good = [tick(10.5), tick(11.5), tick(12.5)]
    outcome = Featurizer().receive(records([*good[:2], poison, good[2]]))
    assert [letter.fault for letter in outcome.dead_letters] == [Fault.FUTURE]
    assert outcome.values == Featurizer().receive(records(good)).values


def test_an_event_that_lies_about_its_receipt_too_mutes_nothing():
    """The log knows when it took it, whatever the batch."""
    taken = {"appended_time_ns": str(13 * NS)}
    far_ns = 4_000_000_000 * NS
    lies = [tick(0), tick(0, receive_time_ns=far_ns)]
    lies = [msgspec.structs.replace(lie, event_time_ns=far_ns) for lie in lies]
    lies.append(Heartbeat(product="BTC-USD", event_time_ns=far_ns))
    lies.append(Gap(product="BTC-USD", start_ns=NS, end_ns=far_ns, cause=GapCause.SILENCE))
    honest = [tick(second + 0.5) for second in range(10, 14)]
    stream = records([lies[0], *honest[:2], *lies[1:], *honest[2:]])
    stream = [msgspec.structs.replace(each, headers=dict(taken)) for each in stream]
    outcome = Featurizer().receive(stream)
    assert [letter.fault for letter in outcome.dead_letters] == [Fault.FUTURE] * 4
    assert "ahead of when the log took it" in outcome.dead_letters[0].detail
    assert outcome.values == Featurizer().receive(records(honest)).values
    one_by_one = Featurizer()
    values = [value for each in stream for value in one_by_one.receive([each]).values]
    assert values == outcome.values


def test_a_record_under_another_key_is_refused():
    """Another partition's machine may hold its product."""
    events = [tick(10.5), tick(11.5), tick(12.5)]
    stream = records(events)
    strays = [msgspec.structs.replace(stream[1], key=key, offset=9) for key in ("ETH-USD", "")]
    outcome = Featurizer().receive([stream[0], *strays, *stream[1:]])
    assert [letter.fault for letter in outcome.dead_letters] == [Fault.WRONG_SHAPE] * 2
    assert "lies under the key 'ETH-USD'" in outcome.dead_letters[0].detail
    assert outcome.values == Featurizer().receive(stream).values


@pytest.mark.slow
def test_a_product_too_many_is_refused_and_the_others_go_on():
    machine = Featurizer()
    names = [f"P{number}" for number in range(MAX_PRODUCTS)]
    states = machine._states
    states.names, states._index = names, {name: place for place, name in enumerate(names)}
    states.array = new_states(MAX_PRODUCTS)
    one_more = Heartbeat(product="ONE-MORE", event_time_ns=NS)
    known = msgspec.structs.replace(tick(10.5), product="P7")
    outcome = machine.receive(records([one_more, known, one_more]))
    assert [letter.fault for letter in outcome.dead_letters] == [Fault.UNKNOWN_PRODUCT] * 2
    assert list(machine.snapshot()) == ["P7"]


def test_a_snapshot_holds_only_what_changed_since_the_last():
    machine = Featurizer()
    machine.receive(records([tick(10.5)]))
    assert list(machine.snapshot()) == ["BTC-USD"]
    assert machine.snapshot() == {}
