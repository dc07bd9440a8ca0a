"""What rows stand for, and what was kept: as numbers, and as JSON and back."""

import msgspec
import numpy as np

from barograph.cases.sampled import SampledRows, SampleFacts
from samples import FACTS


def test_some_rows_stand_for_what_they_stood_for():
    rows = SampledRows(np.array([20, 5, 1]), np.array([True, True, False]))
    some = rows.only(np.array([0, 2]))
    assert (some.stands_for.tolist(), some.history.tolist()) == ([20, 1], [True, False])


def test_the_facts_come_back_from_json_as_they_were():
    assert msgspec.json.decode(msgspec.json.encode(FACTS), type=SampleFacts) == FACTS
