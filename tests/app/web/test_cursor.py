"""Cursors: what is encoded comes back, and nothing else is taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.app.web.cursor import LONGEST, decoded, encoded
from barograph.errors import BadInputError

POSITIONS = st.lists(st.lists(st.integers(0, 10**18 - 1), max_size=5), min_size=1, max_size=3).map(
    lambda topics: {f"t{number}": offsets for number, offsets in enumerate(topics)}
)


@given(POSITIONS)
def test_positions_come_back(positions):
    assert decoded(encoded(positions), positions) == positions


def test_a_topic_that_nobody_had_made_is_read_from_its_beginning():
    before = encoded({"predictions": [5, 6], "ticks": []})
    assert decoded(before, {"predictions": [9, 9], "ticks": [1, 2, 3]}) == {
        "predictions": [5, 6],
        "ticks": [0, 0, 0],
    }


@given(st.text(max_size=40))
def test_any_other_text_is_refused(text):
    try:
        positions = decoded(text, {"t": [0, 0], "u": [0]})
    except BadInputError:
        return
    assert [len(offsets) for offsets in positions.values()] == [2, 1]


@pytest.mark.parametrize("cursor", ["1", "1.2.3_4", "1.2", "1.2_3_4", "1_2.3", "9" * 19 + ".1_1"])
def test_a_cursor_of_another_stream_is_refused(cursor):
    with pytest.raises(BadInputError):
        decoded(cursor, {"t": [0, 0], "u": [0]})


def test_a_cursor_of_three_topics_with_many_partitions_is_short_enough():
    assert len(encoded({name: [10**18 - 1] * 300 for name in "abc"})) <= LONGEST
