"""Plain JSON is read as the codec reads it; the reader stops where it is not plain."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.plain_json import count, decimal, word, words


def block(text):
    return np.frombuffer(text + b"\n", np.uint8)


@given(st.text(st.characters(min_codepoint=1, max_codepoint=300), max_size=20))
def test_a_word_is_read_to_its_quote_where_no_character_is_odd(text):
    is_plain = all(" " <= each <= "~" and each not in '"\\' for each in text)
    place, high, low, length = word(block(text.encode() + b'"'), 0)
    if is_plain:
        assert (place, length) == (len(text) + 1, len(text))
        assert (high, low) == words(text.encode()[-16:])
    else:
        assert place == -1 or text[: place - 1].isascii()


@given(st.integers(0, 10**20))
def test_a_natural_number_of_at_most_18_digits_is_read(number):
    digits = str(number).encode()
    assert count(block(digits), 0) == ((len(digits), number) if len(digits) <= 18 else (-1, 0))


@pytest.mark.parametrize("text", [b"", b"x", b"007", b"-1"])
def test_what_is_no_natural_number_is_not_read(text):
    assert count(block(text), 0) == (-1, 0)


@given(st.from_regex(rb"[0-9]{1,12}(\.[0-9]{1,12})?", fullmatch=True))
def test_a_decimal_is_the_float_that_json_reads_or_left_alone(text):
    place, value = decimal(block(text + b'"'), 0)
    if place < 0:
        assert text[:1] == b"0" or len(text) > 15
    else:
        assert place == len(text) + 1
        assert value == json.loads(text)
