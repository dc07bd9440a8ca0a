"""What a candidate did in one fold."""

import numpy as np

from barograph.training import tested


def test_an_alarm_is_a_probability_at_or_above_the_threshold():
    probability = np.array([0.1, 0.3, 0.5])
    in_fold = tested.Tested(
        candidate=None, fitted=None, z=probability, probability=probability, volatility=None,
        held_out=None, held_out_probability=probability, threshold=0.3, selection=0.0,
    )  # fmt: skip
    assert in_fold.acted.tolist() == [False, True, True]
