"""What is plain is read as the machine reads it, and the reader never leaves its block."""

import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from barograph.plain_json import words
from barograph.times import parse_time
from barograph.venues.coinbase import plain_lines
from barograph.venues.coinbase.plain_lines import PRICE, VOLUME
from coinbase_messages import ticker


def read(line):
    """(place after the line or -1, what was read) of one line and its newline."""
    block = np.frombuffer(line + b"\n", np.uint8)
    layout, memo = np.zeros(plain_lines.MEMBERS, plain_lines.LAYOUT), np.zeros(2, np.int64)
    tickers = np.zeros(1, plain_lines.TICKER)
    return plain_lines.read_line(block, 0, layout, memo, tickers[0]), tickers[0]


def line(**changes):
    return json.dumps(ticker(1, **changes)).encode()


def test_all_members_are_read():
    place, values = read(line())
    assert place == len(line()) + 1
    assert values["event_time_ns"] == parse_time(ticker(1)["time"])
    assert values["trade_id"] == ticker(1)["trade_id"]
    assert values["sequence"] == ticker(1)["sequence"]
    assert values["side"] == 1
    assert values["numbers"][PRICE] == float(ticker(1)["price"])
    assert (values["name_high"], values["name_low"]) == words(b"BTC-USD")


def test_members_that_are_not_there_are_unknown():
    place, values = read(line(trade_id=None, sequence=None, side=None, volume_24h=None))
    assert place > 0
    assert (values["trade_id"], values["sequence"], values["side"]) == (-1, -1, 0)
    assert np.isnan(values["numbers"][VOLUME])


def test_a_layout_learnt_from_other_lines_changes_nothing():
    layout, memo = np.zeros(plain_lines.MEMBERS, plain_lines.LAYOUT), np.zeros(2, np.int64)
    tickers = np.zeros(1, plain_lines.TICKER)
    for members in (ticker(1), dict(reversed(ticker(1).items())), ticker(1, side=None)):
        text = json.dumps({"type": "ticker"} | members | {"type": "ticker"}).encode()
        text = b'{"type": "ticker", ' + text.replace(b'"type": "ticker", ', b"")[1:]
        block = np.frombuffer(text + b"\n", np.uint8)
        assert plain_lines.read_line(block, 0, layout, memo, tickers[0]) == len(block)
        assert tickers[0]["numbers"][PRICE] == float(members["price"])


def test_a_line_of_more_members_than_are_remembered_is_plain():
    many = {f"note_{n}": "" for n in range(2 * plain_lines.MEMBERS)}
    place, values = read(json.dumps({"type": "ticker"} | many | ticker(1)).encode())
    assert place > 0
    assert values["trade_id"] == ticker(1)["trade_id"]


@given(st.integers(0, 400), st.binary(max_size=4))
def test_no_cut_and_no_bytes_lead_out_of_the_block(cut, inserted):
    whole = line()
    text = whole[:cut] + inserted.replace(b"\n", b"") + whole[cut:]
    for torn in (text, text[: cut + len(inserted)]):
        assert read(torn)[0] in (-1, len(torn) + 1)


decimals = st.from_regex(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,12})?", fullmatch=True)


@given(decimals)
@example("9007199254740.992")
@example("0.000000000000000001")
def test_a_decimal_that_is_plain_is_the_float_that_python_reads(number):
    place, values = read(line(volume_24h=number))
    if place > 0:
        assert values["numbers"][VOLUME] == float(number)
    else:
        assert len(number.replace(".", "")) > 15


times = st.tuples(
    st.integers(1968, 2264), st.integers(0, 13), st.integers(0, 32),
    st.integers(0, 24), st.integers(0, 60), st.integers(0, 60),
    st.from_regex(r"(\.[0-9]{0,10})?[Zz]?", fullmatch=True),
).map(lambda t: "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}".format(*t))  # fmt: skip


@given(times)
@example("2024-02-29T00:00:00.5Z")
@example("2100-02-29T00:00:00Z")
@example("2261-12-31T23:59:59.999999999Z")
@example("1970-01-01T00:00:00Z")
def test_a_time_that_is_plain_is_the_one_that_the_machine_reads(time):
    place, values = read(line(time=time))
    if place > 0:
        assert values["event_time_ns"] == parse_time(time)
    elif not time.endswith("z") and time < "2262":
        with pytest.raises(ValueError):  # noqa: PT011 - whatever is wrong with it
            parse_time(time)
