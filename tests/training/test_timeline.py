"""The forecast over time: nothing is smoothed away, each episode has the fate that counts."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.evaluation.alarms import WatchedRows, episode_report, leads
from barograph.evaluation.labels import episodes
from barograph.training import timeline as module
from barograph.training.timeline import false_alerts, timeline
from barograph.training.walkforward import CHOSEN
from barograph.types import NS_PER_S
from cards import HORIZON_S, START, pooled, walked

HORIZON = 5
seconds = st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=120)


@given(seconds)
def test_leads_and_false_alarms_are_those_of_the_report(marks):
    """One rule in two forms: the report counts, the timeline names."""
    second = np.array([k for k, (seen, _, _) in enumerate(marks) if seen], np.int64)
    spike = np.array([storm for seen, storm, _ in marks if seen], np.float64)
    alarm = np.array([acted for seen, _, acted in marks if seen], np.float64)
    storms = episodes(second, spike, horizon_s=HORIZON)
    watch = WatchedRows(second=second, probability=alarm, episodes=storms)
    report = episode_report([watch], 0.5, horizon_s=HORIZON)
    lead = leads(second[alarm == 1], storms, HORIZON)
    assert int((lead > 0).sum()) == report.warned
    seen_begin = np.isin(storms[:, 0] - 1, second)
    known = lead[(lead > 0) & seen_begin]
    if len(known):
        assert report.lead_median_s == pytest.approx(np.median(known), rel=1e-12)
    assert len(false_alerts(second[alarm == 1], storms, HORIZON)) == report.false_alerts


@pytest.fixture(scope="module")
def drawn():
    return timeline(walked(), pooled())


@pytest.mark.slow
def test_a_case_without_time_has_none():
    assert timeline(walked(timed=False), pooled(timed=False)) is None


def test_each_key_has_a_strip_in_each_regime_that_was_tested(drawn):
    table, rows = walked().table, pooled().rows
    pairs = {(table.keys[table.key[row]], table.regime[row]) for row in rows}
    assert len(drawn.strips) == len(pairs)
    assert sum(strip.rows for strip in drawn.strips) == len(rows)
    assert drawn.strips == sorted(drawn.strips, key=lambda strip: (strip.start_ns, strip.key))


@pytest.mark.parametrize("steps", [7, 100, 10_000])
def test_every_probability_lies_within_its_step_and_touches_its_ends(monkeypatch, steps):
    monkeypatch.setattr(module, "STEPS", steps)
    table, rows, probability = walked().table, pooled().rows, pooled().probability[CHOSEN]
    for strip in timeline(walked(), pooled()).strips:
        assert len(strip.low) == len(strip.high) <= steps
        time_ns = table.order[rows] * NS_PER_S
        of_strip = (table.key[rows] == table.keys.index(strip.key)) & (time_ns >= strip.start_ns)
        of_strip &= time_ns < strip.end_ns
        place = (time_ns[of_strip] - strip.start_ns) // strip.step_ns
        for step, (low, high) in enumerate(zip(strip.low, strip.high, strict=True)):
            inside = probability[of_strip][place == step]
            if len(inside):
                assert (low, high) == (round(inside.min(), 4), round(inside.max(), 4))
            else:
                assert (low, high) == (None, None)


def test_each_step_holds_its_outcomes_and_its_last_level(monkeypatch):
    table, rows = dataclasses.replace(walked().table), pooled().rows
    level = np.arange(len(table.order), dtype=np.float64)
    monkeypatch.setattr(module, "STEPS", 50)
    with_level = dataclasses.replace(walked(), table=dataclasses.replace(table, level=level))
    for strip in timeline(with_level, pooled()).strips:
        time_ns = table.order[rows] * NS_PER_S
        of_strip = rows[
            (table.key[rows] == table.keys.index(strip.key)) & (time_ns >= strip.start_ns)
        ]
        of_strip = of_strip[table.order[of_strip] * NS_PER_S < strip.end_ns]
        place = (table.order[of_strip] * NS_PER_S - strip.start_ns) // strip.step_ns
        for step, (low, high, last) in enumerate(
            zip(strip.outcome_low, strip.outcome_high, strip.level, strict=True)
        ):
            inside = of_strip[place == step]
            if len(inside):
                ends = [table.outcome[inside].min(), table.outcome[inside].max()]
                np.testing.assert_allclose([low, high], ends, rtol=1e-3)
                assert last == level[inside[-1]]
            else:
                assert (low, high, last) == (None, None, None)
        assert [tau.start_ns for tau in strip.taus] == [one.start_ns for one in strip.thresholds]


def test_thresholds_are_those_of_the_folds_and_cover_what_they_tested(drawn):
    levels = {level.probability for strip in drawn.strips for level in strip.thresholds}
    assert levels == {tested.threshold for tested in walked().chosen}  # exact: one number, copied
    for strip in drawn.strips:
        assert strip.thresholds[0].start_ns == strip.start_ns
        assert strip.thresholds[-1].end_ns == strip.end_ns


def test_episodes_say_when_how_high_and_how_early(drawn):
    shaded = sorted(storm for strip in drawn.strips for storm in strip.storms)
    assert sorted((one.start_ns, one.end_ns) for one in drawn.episodes) == shaded
    for one in drawn.episodes:
        assert START * NS_PER_S <= one.start_ns < one.end_ns
        assert one.peak >= 1
        assert 0 <= one.lead_s <= 2 * HORIZON_S


def test_false_alarms_are_counted_by_the_hour_most_first(drawn):
    counts = [one.alarms for one in drawn.false_alarms]
    assert counts == sorted(counts, reverse=True)
    assert all(one.start_ns % (3600 * NS_PER_S) == 0 for one in drawn.false_alarms)
    assert len({(one.key, one.start_ns) for one in drawn.false_alarms}) == len(counts)


def test_of_many_strips_the_longest_are_kept_and_the_others_counted(monkeypatch):
    monkeypatch.setattr(module, "MOST_STRIPS", 1)
    thinned = timeline(walked(), pooled())
    every = len({*zip(walked().table.key[pooled().rows], walked().table.regime[pooled().rows])})  # noqa: B905 - both of the rows
    assert (len(thinned.strips), thinned.strips_left_out) == (1, every - 1)


def test_orders_that_are_hours_are_shown_as_times():
    """A case may count hours: its spans say what an order is."""
    of = walked()
    hours = dataclasses.replace(
        of.case,
        horizon_s=3600 * HORIZON_S,
        span_ns=lambda table, rows: (
            int((table.order[rows].min() - START) * 3600 * NS_PER_S),
            int((table.order[rows].max() - START + 1) * 3600 * NS_PER_S),
        ),
    )
    hourly = timeline(dataclasses.replace(of, case=hours), pooled())
    plain = timeline(of, pooled())
    assert [(one.end_ns - one.start_ns) // 3600 for one in hourly.episodes] == [
        one.end_ns - one.start_ns for one in plain.episodes
    ]
    assert [one.lead_s / 3600 for one in hourly.episodes] == [one.lead_s for one in plain.episodes]
