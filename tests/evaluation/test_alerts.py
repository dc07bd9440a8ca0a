"""Alerts: one for an unbroken run of alarms, ended once, judged once, and never by invention."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.alert_records import Change, Ending, Judgement
from barograph.evaluation.alerts import AlertMachine
from barograph.types import MAX_PRODUCTS, Verdict
from watched_predictions import NS, prediction

HORIZON_S = 4
TAU = 1.0
QUIET = {"horizon_s": HORIZON_S, "tau": TAU, "value_now": 0.5}


def row(second, probability, product="A", **more):
    return prediction(product, second, probability, **{**QUIET, **more})


def through(rows, machine=None):
    """All changes of these predictions, with the second at which each came."""
    machine = machine or AlertMachine()
    return [(each.second, *change) for each in rows for change in machine.take(each)]


def short(changes):
    return [(second, str(change)) for second, change, _ in changes]


def test_an_alert_begins_ends_and_is_judged_a_horizon_later():
    levels = [0.1, 0.6, 0.9, 0.45, 0.2, 0.1, 0.1, 0.1, 0.1]
    changes = through(row(n, p) for n, p in enumerate(levels))
    assert short(changes) == [(1, "began"), (4, "ended"), (6, "judged")]
    began, ended, judged = (alert for *_, alert in changes)
    assert began.probability == pytest.approx(0.6)
    assert (began.started_ns, began.ended_ns) == (2 * NS, None)
    assert ended.peak == pytest.approx(0.9)
    assert (ended.alarms, ended.ending, ended.why) == (2, Ending.CALM, "calm")
    assert ended.lasted_s(0) == 3.0
    assert judged.judgement is Judgement.WRONG


def test_it_is_right_as_soon_as_the_outcome_of_one_alarm_reaches_tau():
    values = {5: 1.0}
    rows = [row(n, 0.6 if n < 9 else 0.1, value_now=values.get(n, 0.5)) for n in range(12)]
    changes = through(rows)
    assert short(changes) == [(0, "began"), (5, "judged"), (9, "ended")]
    assert changes[1][2].judgement is Judgement.RIGHT
    assert changes[1][2].ended_ns is None
    assert changes[2][2].judgement is Judgement.RIGHT


@pytest.mark.parametrize(
    ("row_after", "why"),
    [
        (row(2, None, verdict=Verdict.GAP), "GAP"),
        (row(2, None, verdict=Verdict.STALE), "STALE"),
        (row(3, 0.6), "missing"),
        (row(2, 0.6, model="spikes/4"), "model"),
    ],
)
def test_what_interrupts_an_alert_ends_it_as_unknown(row_after, why):
    machine = AlertMachine()
    changes = through([row(0, 0.1), row(1, 0.6), row_after], machine)
    _, change, alert = changes[1]
    assert (change, alert.ending, alert.why) == (Change.ENDED, Ending.UNKNOWN, why)
    assert alert.judgement is None


def test_an_outcome_that_was_not_observed_is_neither_right_nor_wrong():
    rows = [row(0, 0.6), row(1, 0.1), row(HORIZON_S, 0.1, value_now=None)]
    *_, (_, change, alert) = through(rows)
    assert (change, alert.judgement) == (Change.JUDGED, Judgement.UNKNOWN)
    rows = [row(0, 0.6), row(1, 0.1), row(HORIZON_S + 1, 0.1, value_now=9.0)]
    *_, (_, change, alert) = through(rows)
    assert (change, alert.judgement) == (Change.JUDGED, Judgement.UNKNOWN)


def test_a_product_that_fell_silent_ends_its_alert_as_unknown():
    machine = AlertMachine()
    through([row(0, 0.6), row(1, 0.7), row(1, 0.1, product="B")], machine)
    assert machine.expire(30 * NS, 30.0) == []
    assert [alert.product for alert in machine.open()] == ["A"]
    (ended, alert), (judged, same) = machine.expire(40 * NS, 30.0)
    assert (ended, alert.ending, alert.why) == (Change.ENDED, Ending.UNKNOWN, "silent")
    assert (judged, same.judgement) == (Change.JUDGED, Judgement.UNKNOWN)
    assert machine.open() == machine.expire(99 * NS, 30.0) == []


def test_more_products_than_can_be_kept_are_ignored():
    machine = AlertMachine()
    for n in range(MAX_PRODUCTS):
        machine.take(row(0, 0.1, product=str(n)))
    assert machine.take(row(0, 0.9, product="one more")) == []


def test_a_state_that_is_none_is_an_error():
    for damaged in (b"", b"\x00" * 9, b"\xff"):
        with pytest.raises(ValueError, match=r"."):
            AlertMachine().load(damaged)


@given(st.lists(st.floats(0.4, 0.7)))
def test_inside_the_band_nothing_begins_twice_and_nothing_ends(levels):
    """The band is from 0.8 of the threshold up: whatever trembles there is one alert at most."""
    changes = through(row(n, p, tau=None) for n, p in enumerate([0.6, *levels]))
    assert short(changes) == [(0, "began")]


ROWS = st.lists(
    st.tuples(
        st.sampled_from([1, 1, 1, 1, 1, 2, 0, 7]),
        st.none() | st.floats(0, 1),
        st.none() | st.floats(0, 2),
        st.sampled_from(["spikes/3", "spikes/3", "spikes/3", "spikes/4"]),
    )
)


def invented(steps):
    second = 0
    for step, probability, value, model in steps:
        second += step
        yield row(second, probability, value_now=value, model=model)


def naive_judgements(rows):
    """By identity: what became of each alert, from the whole history."""
    kept, last = {}, None
    for each in rows:
        if last is None or each.second > last:
            kept[each.second], last = each, each.second
    alerts, current, before = {}, None, None
    for second, each in kept.items():
        broken = before is not None and second != before + 1
        if current is not None and (
            broken
            or each.probability is None
            or each.model != alerts[current][0].model
            or each.probability < 0.8 * 0.5
        ):
            current = None
        if current is None and each.alarm:
            current = second
            alerts[current] = []
        if current is not None and each.alarm:
            alerts[current].append(each)
        before = second
    judged = {}
    for started, alarms in alerts.items():
        outcomes = [
            kept[alarm.second + HORIZON_S].value_now if alarm.second + HORIZON_S in kept else None
            for alarm in alarms
        ]
        if any(value is not None and value >= TAU for value in outcomes):
            judged[started] = Judgement.RIGHT
        elif None in outcomes:
            judged[started] = Judgement.UNKNOWN
        else:
            judged[started] = Judgement.WRONG
    return judged


@given(ROWS)
def test_each_alert_begins_ends_and_is_judged_once_as_its_outcomes_tell(steps):
    rows = list(invented(steps))
    machine = AlertMachine()
    changes = through(rows, machine)
    changes += [(None, *change) for change in machine.expire(10**6 * NS, 1.0)]
    counts = Counter((alert.started_ns, str(change)) for _, change, alert in changes)
    assert set(counts.values()) <= {1}
    of_kind = {
        kind: {started for started, change in counts if change == kind}
        for kind in ("began", "ended", "judged")
    }
    assert of_kind["began"] == of_kind["ended"] == of_kind["judged"]
    judged = {
        alert.started_ns // NS - 1: alert.judgement
        for _, change, alert in changes
        if change is Change.JUDGED
    }
    assert judged == naive_judgements(rows)
    for _, change, alert in changes:
        assert (alert.ended_ns is None) == (alert.ending is None)
        if change is Change.ENDED:
            assert alert.ended_ns >= alert.started_ns


@given(ROWS, st.integers(0, 30))
def test_a_state_that_is_kept_and_restored_anywhere_changes_nothing(steps, cut):
    rows = list(invented(steps))
    first, second = AlertMachine(), AlertMachine()
    changes = through(rows[:cut], first)
    second.load(first.dump())
    changes += through(rows[cut:], second)
    assert changes == through(rows)
