"""Facts of data and folds in a report: as JSON and back, what is not defined included."""

import math

import msgspec

from barograph.training.walk_facts import DataFacts, FoldFacts, SideFacts
from samples import FACTS

SIDE = SideFacts(rows=3, start_ns=1, end_ns=2, base_rate=0.5)


def test_they_come_back_from_json_as_they_were():
    data = DataFacts(
        data_hash="d", feature_set="f", usable_rows=3, unused={"WARMUP": 1}, features=("a", "b"),
        features_left_out={"c": "too dear"}, keys=("k",),
    )  # fmt: skip
    fold = FoldFacts(
        train=SIDE, test=SIDE, tau={"k": 0.25}, chosen="har", selection={"har": 0.5},
        thresholds={"har": 0.125},
    )  # fmt: skip
    sampled = msgspec.structs.replace(data, sample=FACTS)
    side = msgspec.structs.replace(SIDE, stands_for=15)
    for facts in (data, fold, sampled, side):
        assert msgspec.json.decode(msgspec.json.encode(facts), type=type(facts)) == facts


def test_the_loss_of_what_forecasts_no_value_is_infinite_and_null_in_json():
    fold = FoldFacts(
        train=SIDE, test=SIDE, tau={}, chosen="har", selection={"tree": math.inf}, thresholds={}
    )
    assert b'"selection":{"tree":null}' in msgspec.json.encode(fold)


def test_where_nothing_was_sampled_nothing_is_said_of_it():
    assert b"stands_for" not in msgspec.json.encode(SIDE)
