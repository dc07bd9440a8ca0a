import json
import os

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.foreign import json_escaped, one_line, spelled_out


def test_what_a_screen_would_obey_is_spelled_out():
    assert spelled_out("\x1b[2J\x1b]0;pwned\x07\x9b\r") == r"\x1b[2J\x1b]0;pwned\x07\x9b\r"
    assert spelled_out("\u202eevil\u2066\u200f\u2028") == r"\u202eevil\u2066\u200f\u2028"
    assert spelled_out("half \ud800") == r"half \ud800"


def test_words_stay_as_they_are():
    text = "Größe − 1\u00a0µs, 価格 [red]<b>\n\tτ"
    assert spelled_out(text) == text


def test_one_line_is_one_line():
    assert one_line("a\nb\tc\u2029d") == r"a\nb\tc\u2029d"


@given(st.text())
def test_nothing_that_is_obeyed_is_left(text):
    shown = one_line(text)
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1
    assert one_line(shown) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain é 名.ndjson", "plain é 名.ndjson"),
        (os.fsdecode(b"x\xff"), "x\\xff"),
        ("a\nb\x1b[2J", "a\\nb\\x1b[2J"),
        ("\u202egnp\ud800", "\\u202egnp\\ud800"),
    ],
)
def test_what_is_no_printable_character_is_escaped(name, shown):
    assert one_line(name) == shown


@given(st.binary(max_size=40))
def test_a_name_of_any_bytes_can_be_shown_and_stands_in_json(name):
    shown = one_line(os.fsdecode(name))
    assert shown.isprintable()
    assert json.loads(msgspec.json.encode(shown)) == shown


def test_json_says_the_same_and_is_obeyed_by_nothing():
    value = {"\u202ename": ["\x9b2J", "\U000e0001", "價 τ"]}
    text = msgspec.json.encode(value).decode()
    shown = json_escaped(text)
    assert msgspec.json.decode(shown) == value
    assert "價 τ" in shown
    assert not set("\u202e\x9b\U000e0001") & set(shown)
