from math import nan

import msgspec
import pytest

from barograph import promotion
from barograph.errors import BadInputError
from barograph.types import Interval


def interval(low, high, **other):
    facts = {"estimate": (low + high) / 2, "level": 0.95, "resamples": 1000, "undefined": 0}
    return Interval(low=low, high=high, **{**facts, **other})


GOOD = promotion.Evidence(
    reference="persistence",
    episodes=20,
    over_base_rate=interval(0.1, 0.3),
    over_reference=interval(0.01, 0.05),
    log_loss_over_reference=interval(-0.02, 0.01),
    over_champion=interval(-0.015, 0.03),
)


def but(**changed):
    return promotion.decide(msgspec.structs.replace(GOOD, **changed))


def test_a_candidate_that_holds_every_rule_is_promoted_and_says_why():
    decision = promotion.decide(GOOD)
    assert decision.promote
    assert len(decision.reasons) == 5
    assert "+0.0300 [+0.0100, +0.0500]" in decision.reasons[2]


def test_without_a_champion_its_rule_does_not_stand():
    assert but(over_champion=None).promote
    assert len(but(over_champion=None).reasons) == 4


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"episodes": 19}, "19 independent positives tested, 20 are needed"),
        ({"over_base_rate": interval(0.0, 0.3)}, "base rate"),
        ({"over_reference": interval(-0.001, 0.2)}, "persistence's"),
        ({"over_reference": interval(nan, nan)}, "persistence's"),
        ({"over_reference": interval(0.01, 0.05, undefined=51)}, "51 of 1000 resamples"),
        ({"log_loss_over_reference": interval(0.001, 0.02)}, "log loss"),
        ({"over_champion": interval(-0.021, 0.1)}, "champion's"),
    ],
)
def test_one_broken_rule_keeps_a_candidate_out_and_is_the_only_reason_given(changed, why):
    decision = but(**changed)
    assert not decision.promote
    assert len(decision.reasons) == 1
    assert why in decision.reasons[0]


def test_a_gain_without_a_sure_interval_is_not_promoted_however_large():
    assert not but(over_reference=interval(-0.01, 0.9)).promote


def test_intervals_of_a_lower_level_are_refused():
    with pytest.raises(BadInputError, match="level"):
        but(over_reference=interval(0.01, 0.05, level=0.8))


def test_a_stricter_gate_is_an_argument():
    assert not promotion.decide(GOOD, promotion.Gate(min_episodes=50)).promote


def test_where_time_is_cut_into_blocks_there_must_be_enough_of_them():
    assert but(blocks=20).promote
    assert but(blocks=19).reasons == ("19 blocks tested, 20 are needed",)
