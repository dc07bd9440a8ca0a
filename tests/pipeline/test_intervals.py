"""The intervals of the model in use: whose they are, and when they begin anew."""

import msgspec
import pytest

from barograph.evaluation.conformal import IntervalState, LevelRule, SlotState
from barograph.pipeline.intervals import ModelIntervals
from barograph.registry.model import LevelFacts
from scored_rows import model

RULE = LevelRule(slots=1)
TAIL = 50_000_000
STATE = IntervalState([SlotState(list(range(-100_000, 100_000, 5000)), TAIL, TAIL)])
FACTS = LevelFacts(rule=RULE, states={"BTC-USD": STATE})


def of(label="spikes/1", sha256="s", level=FACTS):
    return model(label, sha256=sha256, level=level)


def used(which):
    intervals = ModelIntervals()
    intervals.use(which)
    return intervals


def moved(intervals, hours=50):
    """What is said of the last hour, after outcomes ten times the forecasts."""
    for minute in range(hours):
        intervals.learn("BTC-USD", 60 * minute, 10.0)
        bounds = intervals.predict("BTC-USD", 60 * minute, 1.0)
    return bounds


def test_a_key_begins_with_what_training_left_and_learns():
    intervals = used(of())
    first = intervals.predict("BTC-USD", 0, 1.0)
    assert 0.9 < first.low < 1 < first.high < 1.1
    assert moved(intervals).high == pytest.approx(10.0)


def test_a_model_without_levels_and_an_unknown_key_have_none():
    assert used(of(level=None)).predict("BTC-USD", 0, 1.0) is None
    assert used(of()).predict("NEW-USD", 0, 1.0) is None
    intervals = ModelIntervals()
    intervals.learn("BTC-USD", 0, 1.0)
    assert intervals.dump("BTC-USD") is None
    assert intervals.changed() == set()


def test_a_key_that_training_had_nothing_of_begins_without_an_interval():
    facts = msgspec.structs.replace(FACTS, states={})
    intervals = used(of(level=facts))
    assert intervals.predict("BTC-USD", 0, 1.0) is None
    assert moved(intervals).low == pytest.approx(10.0)


def test_the_same_model_again_changes_nothing_and_another_begins_anew():
    intervals = used(of())
    later = moved(intervals)
    intervals.use(of())
    # exact: residuals are integers
    assert intervals.predict("BTC-USD", 60 * 60, 1.0) == later
    for other in (of("spikes/2"), of(sha256="t")):
        intervals.use(other)
        assert intervals.predict("BTC-USD", 0, 1.0).high < 1.1


def test_a_checkpoint_is_taken_up_by_its_own_model_alone():
    intervals = used(of())
    moved(intervals)
    assert intervals.changed() == {"BTC-USD"}
    assert intervals.changed() == set()
    checkpoint = intervals.dump("BTC-USD")
    again, other = used(of()), used(of("spikes/2"))
    for each in (again, other):
        each.load("BTC-USD", checkpoint)
        assert each.changed() == set()
    # exact: residuals are integers
    assert again.predict("BTC-USD", 3600, 1.0) == intervals.predict("BTC-USD", 3600, 1.0)
    assert other.predict("BTC-USD", 3600, 1.0).high < 1.1


@pytest.mark.parametrize("checkpoint", [b"", b"\xc1", msgspec.msgpack.encode({"model": "m"})])
def test_a_damaged_checkpoint_is_refused(checkpoint):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever is wrong with it
        used(of()).load("BTC-USD", checkpoint)
