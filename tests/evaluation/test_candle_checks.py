"""Candles of ticks beside a service's: each hour compared once both are there, cut anywhere."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph import codec
from barograph.candle_records import HOUR_S, Candle, Difference
from barograph.errors import ForeignStateError
from barograph.evaluation.candle_checks import KEPT_H, CandleChecks
from barograph.machine import Machine
from barograph.types import Record

START_S = 480_000 * HOUR_S


def candle(hour, source="ticks", version=1, close="101", product="BTC-USD", **more):
    return Candle(
        product=product, start_s=START_S + hour * HOUR_S, open="100", high="103", low="99",
        close=close, volume="7", source=source, version=version, **more,
    )  # fmt: skip


def records(candles):
    return [
        Record("candles.raw", 0, place, each.product, codec.encode(each))
        for place, each in enumerate(candles)
    ]


def checks(*candles, machine=None):
    outcome = (machine or CandleChecks()).receive(records(candles))
    assert outcome.dead_letters == []
    return [codec.decode_candle_check(value) for _, value in outcome.values]


def test_it_is_a_machine():
    assert isinstance(CandleChecks(), Machine)


@pytest.mark.parametrize("first", ["ticks", "coinbase"])
def test_an_hour_is_compared_when_its_second_source_comes(first):
    other = "coinbase" if first == "ticks" else "ticks"
    (check,) = checks(candle(0, first), candle(1, first), candle(0, other))
    assert (check.start_s, check.source, check.version) == (START_S, "coinbase", 1)
    assert check.differences == []


def test_what_differs_is_named_with_both_values():
    (check,) = checks(candle(0), candle(0, "coinbase", close="101.5"))
    assert check.differences == [Difference("close", "101", "101.5")]


def test_the_digits_of_a_number_are_no_difference_and_an_unknown_quote_volume_is_none():
    (check,) = checks(candle(0, quote_volume="700"), candle(0, "coinbase", close="101.00"))
    assert check.differences == []


def test_an_hour_without_a_trade_is_the_same_in_both_or_differs():
    quiet = {"open": None, "high": None, "low": None, "close": None, "volume": "0"}
    own = msgspec.structs.replace(candle(0), **quiet)
    theirs = msgspec.structs.replace(candle(0, "coinbase"), **quiet)
    assert checks(own, theirs)[0].differences == []
    assert len(checks(own, candle(0, "coinbase"))[0].differences) == 5


def test_a_newer_version_is_compared_again_and_the_same_one_is_not():
    found = checks(
        candle(0),
        candle(0, "coinbase"),
        candle(0, "coinbase", 2, close="102"),
        candle(0, "coinbase", 2, close="102"),
        candle(0),
    )
    assert [(each.version, len(each.differences)) for each in found] == [(1, 0), (2, 1)]


def test_two_services_or_two_products_are_not_compared():
    assert checks(candle(0, "file"), candle(0, "coinbase", 2)) == []
    assert checks(candle(0), candle(0, "coinbase", product="ETH-USD")) == []


def test_hours_of_a_month_are_remembered_and_no_more():
    assert checks(candle(0), candle(KEPT_H - 1), candle(0, "coinbase"))
    assert checks(candle(0), candle(KEPT_H), candle(0, "coinbase")) == []
    machine = CandleChecks()
    checks(*(candle(hour) for hour in (0, 5, 6, 3 * KEPT_H, 3 * KEPT_H + 9)), machine=machine)
    (state,) = machine.snapshot().values()
    kept = sorted(map(int, msgspec.json.decode(state)["by_start"]))
    assert kept == [START_S + hour * HOUR_S for hour in (3 * KEPT_H, 3 * KEPT_H + 9)]


def test_what_cannot_be_read_is_passed_over():
    broken = Record("candles.raw", 0, 0, "BTC-USD", b"{")
    assert CandleChecks().receive([broken]) == ([], [])


def test_a_foreign_checkpoint_is_refused():
    with pytest.raises(ForeignStateError):
        CandleChecks().restore({"BTC-USD": b'{"type":"hour-of-ticks/1"}'})


drawn = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 2, KEPT_H - 1, KEPT_H, KEPT_H + 1]),
        st.sampled_from(["ticks", "coinbase"]),
        st.integers(1, 3),
        st.sampled_from(["101", "102"]),
    ),
    max_size=30,
)


@given(drawn, st.lists(st.integers(0, 30)))
def test_cut_and_restored_anywhere_the_checks_are_the_same(drawn, cuts):
    log = [candle(*each) for each in drawn]
    whole = CandleChecks().receive(records(log)).values
    parts, states = [], {}
    for start, stop in pairwise([0, *sorted(min(cut, len(log)) for cut in cuts), len(log)]):
        machine = CandleChecks()
        machine.restore(states)
        parts += machine.receive(records(log[start:stop])).values
        states |= machine.snapshot()
    assert parts == whole
