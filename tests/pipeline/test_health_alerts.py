"""Alerts about health: one for an episode, resolved once, the same wherever the machine was cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph import codec
from barograph.alert_records import Change, HealthSample
from barograph.errors import ForeignStateError
from barograph.pipeline.health_alerts import MAX_EPISODES, HealthAlerts, HealthRule
from barograph.types import Record

NS = 10**9
STALE = HealthRule(
    name="feed_stale", measure="feed_age_s", limit=30.0, says="nothing is received", unit="s",
    after_s=10.0, clear_s=20.0,
)  # fmt: skip
DRIFT = HealthRule(name="drift", measure="drift_alarm", limit=1.0, says="the data drift")
T0 = 1_750_000_000


def sample(second, source="monitor", **measures):
    named = {name.replace("__", ":"): value for name, value in measures.items()}
    return HealthSample(time_ns=(T0 + second) * NS, source=source, measures=named)


def through(samples, machine=None):
    machine = machine or HealthAlerts([STALE, DRIFT])
    return [
        (each.time_ns // NS - T0, str(each.change), each.rule, each.subject)
        for one in samples
        for each in machine.take(one)
    ]


def test_an_alert_begins_after_its_time_and_is_resolved_after_its_time():
    ages = [0, 31, 36, 41, 46, 26, 1, 6, 1, 1, 1]
    assert through(sample(5 * n, feed_age_s=age) for n, age in enumerate(ages)) == [
        (15, "began", "feed_stale", ""),
        (50, "ended", "feed_stale", ""),
    ]


def test_the_sentences_say_what_since_when_and_how_bad():
    machine = HealthAlerts([STALE])
    made = [
        each
        for n, age in enumerate([31, 36, 41, 0, 0, 0, 0, 0])
        for each in machine.take(sample(5 * n, **{"feed_age_s:BTC-USD": age}))
    ]
    assert [each.text for each in made] == [
        "BTC-USD: nothing is received (41 s; the limit is 30 s), since 15:06:40 UTC.",
        "BTC-USD: resolved: nothing is received, since 15:06:40 UTC, for 15 s, at worst 41 s.",
    ]
    assert made[0].id == made[1].id
    assert (made[1].ended_ns, made[1].peak) == ((T0 + 15) * NS, 41.0)


def test_a_value_between_release_and_limit_neither_begins_nor_ends():
    ages = [25] * 10 + [40] * 3 + [25] * 20
    assert [change for _, change, *_ in through(sample(5 * n, feed_age_s=a)
            for n, a in enumerate(ages))] == ["began"]  # fmt: skip


def test_each_subject_and_each_source_is_watched_for_itself():
    samples = [
        each
        for n in range(4)
        for each in (
            sample(5 * n, feed_age_s__A=50, feed_age_s__B=1),
            sample(5 * n, source="other", feed_age_s__A=50),
        )
    ]
    machine = HealthAlerts([STALE])
    made = [each for one in samples for each in machine.take(one)]
    assert [(each.source, each.subject) for each in made] == [("monitor", "A"), ("other", "A")]
    assert made[0].id != made[1].id


def test_a_time_without_samples_is_no_time_in_which_a_condition_held():
    assert through([sample(0, feed_age_s=50), sample(100, feed_age_s=50)]) == []


def test_what_is_not_measured_any_more_ends():
    samples = [sample(0, drift_alarm=1.0), *(sample(n, drift_alarm=None) for n in range(5, 400, 5))]
    assert through(samples) == [(0, "began", "drift", ""), (305, "ended", "drift", "")]


def test_an_unknown_value_changes_nothing_and_unknown_measures_are_passed_over():
    assert through([sample(0, feed_age_s=None, another=1e9)]) == []


def test_a_clock_set_back_ends_no_alert_and_stops_none():
    machine = HealthAlerts([DRIFT])
    assert through([sample(10_000, drift_alarm=1.0)], machine) == [(10_000, "began", "drift", "")]
    later = [sample(n, drift_alarm=0.0) for n in range(0, 60, 5)]
    assert through(later, machine) == [(30, "ended", "drift", "")]


@pytest.mark.slow
def test_more_conditions_than_are_followed_begin_nothing():
    machine = HealthAlerts([DRIFT])
    measures = {f"drift_alarm:{n}": 1.0 for n in range(MAX_EPISODES + 5)}
    made = machine.take(HealthSample(time_ns=NS, source="m", measures=measures))
    assert len(made) == MAX_EPISODES


def test_what_is_no_sample_becomes_a_dead_letter():
    outcome = HealthAlerts([DRIFT]).receive([Record("health", 0, 1, "m", b"[]")])
    assert len(outcome.dead_letters) == 1


def test_a_foreign_state_is_refused():
    with pytest.raises(ForeignStateError):
        HealthAlerts([DRIFT]).restore({"health": b"\xc1"})


@st.composite
def histories(draw):
    second, made = 0, []
    for _ in range(draw(st.integers(0, 60))):
        second += draw(st.sampled_from([5, 5, 5, 5, 1, 0, 20, 90, -500]))
        second = max(second, 0)
        age = draw(st.sampled_from([None, 0.0, 25.0, 40.0, 40.0]))
        drift = draw(st.sampled_from([0.0, 1.0]))
        made.append(sample(second, feed_age_s=age, drift_alarm=drift))
    return made


def records(samples):
    return [
        Record("health", 0, offset, each.source, codec.encode(each))
        for offset, each in enumerate(samples)
    ]


@given(histories())
def test_each_alert_begins_once_and_ends_once_and_none_overlap(samples):
    made = [
        codec.decode_alert(value)
        for _, value in HealthAlerts([STALE, DRIFT]).receive(records(samples)).values
    ]
    keys = [each.key for each in made]
    assert len(set(keys)) == len(keys)
    for rule in ("feed_stale", "drift"):
        changes = [each.change for each in made if each.rule == rule]
        assert changes == [Change.BEGAN, Change.ENDED] * (len(changes) // 2) + [Change.BEGAN] * (
            len(changes) % 2
        )
    ended = [each for each in made if each.change is Change.ENDED]
    assert all(each.ended_ns >= each.started_ns for each in ended)


@pytest.mark.slow
@given(histories(), st.lists(st.integers(0, 60), max_size=4))
def test_a_machine_cut_and_restored_anywhere_makes_the_same_records(samples, cuts):
    of = records(samples)
    whole = HealthAlerts([STALE, DRIFT]).receive(of).values
    machine, parts = HealthAlerts([STALE, DRIFT]), []
    places = [0, *sorted(min(cut, len(of)) for cut in cuts), len(of)]
    for start, stop in pairwise(places):
        parts += machine.receive(of[start:stop]).values
        state, machine = machine.snapshot(), HealthAlerts([STALE, DRIFT])
        machine.restore(state)
    assert parts == whole
