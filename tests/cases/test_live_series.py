"""What a series may be."""

from dataclasses import replace

import pytest

from barograph.cases.market import MARKET
from barograph.errors import BadInputError


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"value_now": "volume"}, "volume is not a column"),
        ({"staleness": "age_s"}, "age_s is not a column"),
        ({"step_s": 7}, "60 s is not a multiple of 7 s"),
        ({"step_s": 0}, "multiple of 0 s"),
        ({"horizon_s": 0}, "a horizon of 0 s"),
    ],
)
def test_what_cannot_be_meant_is_refused(words, why):
    with pytest.raises(BadInputError, match=why):
        replace(MARKET, **words)


def test_places_are_those_of_a_rows_values():
    assert [MARKET.places[name] for name in MARKET.columns] == list(range(len(MARKET.columns)))
