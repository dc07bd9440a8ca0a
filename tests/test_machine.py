"""What workers drive are machines, those of the house and one of one's own."""

import pytest

import queues
from barograph.cases.churn import STREAM
from barograph.cases.market import MARKET
from barograph.feature_set.featurizer import Featurizer
from barograph.machine import Machine
from barograph.pipeline.record_scorer import RecordScorer
from barograph.pipeline.scorer import Scorer
from barograph.pipeline.shadow import Shadow


@pytest.mark.parametrize(
    "machine",
    [
        Featurizer(),
        Scorer(MARKET),
        Shadow(MARKET),
        RecordScorer("churn", STREAM.contract),
        queues.Counters(),
    ],
    ids=lambda machine: type(machine).__name__,
)
def test_it_is_one_and_without_records_nothing_follows(machine):
    assert isinstance(machine, Machine)
    assert machine.receive([]) == ([], [])
    assert machine.snapshot() == {}
    machine.restore({})
