"""What may stand in a script of faults, and the message for what may not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import BadInputError
from barograph.simulated.candle_faults import CandleFault, CandleFaultKind
from barograph.simulated.fault_script import FaultKind, FaultScript, ScriptedFault, read_script
from market_events import PRODUCTS
from random_faults import random_script

WITH_SECONDS = {
    FaultKind.SILENCE,
    FaultKind.CLOCK_JUMP,
    FaultKind.BURST,
    FaultKind.HALT,
    FaultKind.REST_DOWN,
    FaultKind.REST_PARTIAL,
}


@pytest.fixture
def script(tmp_path):
    def write(text):
        path = tmp_path / "faults.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_a_script_is_read_in_its_order(script):
    path = script(
        """
        [[fault]]
        kind = "drop"
        at_s = 12.5
        product = "BTC-USD"
        channel = "ticker"
        count = 3

        [[fault]]
        kind = "silence"
        at_s = 4
        seconds = 15
        connection = 2
        """
    )
    assert read_script(path).fault == [
        ScriptedFault(FaultKind.DROP, 12.5, product="BTC-USD", channel="ticker", count=3),
        ScriptedFault(FaultKind.SILENCE, 4.0, seconds=15.0, connection=2),
    ]


def test_an_empty_script_has_no_fault(script):
    assert read_script(script("")) == FaultScript()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[fault]", "line 1"),
        (b"\xff", "codec"),
        ('[[fault]]\nkind="drop"', "at_s"),
        ('[[fault]]\nkind="drip"\nat_s=1', "drip"),
        ('[[fault]]\nkind="drop"\nat_s=1\nwhen=2', r"when.*fault\[0\]"),
        ('[[fault]]\nkind="drop"\nat_s="1"', r"fault\[0\]\.at_s"),
        ('[[fault]]\nkind="drop"\nat_s=1\nseconds=2', r"drop takes no seconds.*fault\[0\]"),
        ('[[fault]]\nkind="silence"\nat_s=1', "silence needs seconds, above 0"),
        ('[[fault]]\nkind="silence"\nat_s=1\nseconds=-1', "above 0"),
        ('[[fault]]\nkind="clock_jump"\nat_s=1\nseconds=0', "not 0"),
        ('[[fault]]\nkind="drop"\nat_s=-1', "within 0"),
        ('[[fault]]\nkind="drop"\nat_s=nan', "within 0"),
        ('[[fault]]\nkind="silence"\nat_s=1\nseconds=inf', "within 0"),
        ('[[fault]]\nkind="drop"\nat_s=1\ncount=-1', "out of range"),
        ('[[fault]]\nkind="oversized"\nat_s=1\nsize_bytes=1000000000', "out of range"),
        ('[[fault]]\nkind="drop"\nat_s=1\nconnection=0', "from 1"),
        ('[[fault]]\nkind="disconnect"\nat_s=1\ncode=7', "7 is not a close code"),
        ('[[faults]]\nkind="drop"\nat_s=1', "faults"),
    ],
)
def test_what_may_not_stand_in_a_script_is_one_line(script, text, why):
    with pytest.raises(BadInputError, match=why) as refused:
        read_script(script(text))
    assert "faults.toml" in str(refused.value)
    assert "docs/simulated-exchange.md" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_script_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(BadInputError, match="No such file"):
        read_script(tmp_path / "none.toml")


@pytest.mark.parametrize("kind", FaultKind)
def test_every_kind_can_be_scripted(kind):
    fault = ScriptedFault(kind, 1.0, seconds=2.0 if kind in WITH_SECONDS else None)
    assert fault.span_ns == (2_000_000_000 if kind in WITH_SECONDS else 0)
    assert fault.begins_ns == 1_000_000_000


def test_what_is_not_said_is_the_kinds_own():
    assert ScriptedFault(FaultKind.DROP, 1.0).count == 1
    assert ScriptedFault(FaultKind.REORDER, 1.0).count == 2
    assert ScriptedFault(FaultKind.OVERSIZED, 1.0).size_bytes == 2 << 20


@given(
    seed=st.integers(0, 2**64),
    n=st.integers(0, 50),
    seconds=st.floats(1, 1e6),
    kinds=st.lists(st.sampled_from(FaultKind), min_size=1, max_size=4),
)
def test_a_random_script_keeps_to_what_was_asked_and_to_its_seed(seed, n, seconds, kinds):
    script = random_script(seed, n, seconds, PRODUCTS, kinds)
    assert script == random_script(seed, n, seconds, PRODUCTS, kinds)
    assert len(script) == n
    assert {fault.kind for fault in script} <= set(kinds)
    assert [fault.at_s for fault in script] == sorted(fault.at_s for fault in script)
    assert all(0 <= fault.at_s <= seconds + 0.001 for fault in script)
    assert {fault.product for fault in script} <= {None, *PRODUCTS}


def test_random_scripts_differ_by_seed_and_know_every_kind():
    script = random_script(1, 500, 100, PRODUCTS)
    assert {fault.kind for fault in script} == set(FaultKind)
    assert script != random_script(2, 500, 100, PRODUCTS)


def test_faults_of_candles_stand_in_tables_of_their_own(script):
    path = script('[[candle_fault]]\nkind = "down"\nrequest = 3\n[[fault]]\nkind="drop"\nat_s=1')
    read = read_script(path)
    assert read.candle_fault == [CandleFault(CandleFaultKind.DOWN, 3)]
    assert len(read.fault) == 1
