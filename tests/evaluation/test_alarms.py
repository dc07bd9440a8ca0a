from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import feature_oracle
from barograph.errors import TooLittleDataError
from barograph.evaluation import alarms, labels

HORIZON_S = 10


def watch(second, probability, spike):
    second, spike = np.array(second, np.int64), np.array(spike, float)
    return alarms.WatchedRows(
        second=second,
        probability=np.array(probability, float),
        episodes=labels.episodes(second, spike, horizon_s=HORIZON_S),
    )


def quiet_then_storm(alarm_seconds, storm=range(100, 121), n=300):
    return watch(
        range(n), [float(s in set(alarm_seconds)) for s in range(n)], [s in storm for s in range(n)]
    )


def report(*watches, threshold=0.5):
    return alarms.episode_report(watches, threshold, horizon_s=HORIZON_S)


watches = st.builds(
    lambda rows: watch(*zip(*[(s, *row) for s, row in sorted(rows.items())], strict=True)),
    st.dictionaries(
        st.integers(0, 80),
        st.tuples(st.sampled_from([0.1, 0.5, 0.7, 0.9]), st.booleans()),
        min_size=1,
    ),
)


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(watches, min_size=1, max_size=3), st.sampled_from([0.0, 0.5, 0.9, 1.0]))
def test_the_report_equals_the_oracle(drawn, threshold):
    comp = report(*drawn, threshold=threshold)
    leads, warned, alerts, false = [], 0, 0, 0
    for w in drawn:
        alarmed = w.second[w.probability >= threshold].tolist()
        raised = feature_oracle.alerts(alarmed, w.episodes.tolist(), HORIZON_S)
        alerts, false = alerts + raised[0], false + raised[1]
        for first in w.episodes[:, 0].tolist():
            lead_s = feature_oracle.lead_s(alarmed, first, HORIZON_S)
            warned += lead_s is not None
            if lead_s is not None and first - 1 in w.second:
                leads.append(lead_s)
    assert (comp.warned, comp.alerts, comp.false_alerts) == (warned, alerts, false)
    assert comp.episodes == sum(len(w.episodes) for w in drawn)
    if leads:
        assert comp.lead_median_s == pytest.approx(np.median(leads))
    else:
        assert isnan(comp.lead_median_s)


def test_an_alarm_with_the_first_spike_label_leads_the_storm_by_its_horizon():
    one = report(quiet_then_storm([100]))
    assert (one.warned, one.lead_median_s, one.false_alerts) == (1, HORIZON_S, 0)


@pytest.mark.parametrize(("second", "warned"), [(89, 0), (90, 1), (109, 1), (110, 0)])
def test_an_episode_is_warned_from_a_horizon_before_its_first_spike_until_its_onset(second, warned):
    assert report(quiet_then_storm([second])).warned == warned


def test_an_alarm_after_the_onset_is_late_but_not_false_and_one_after_the_storm_is_false():
    assert report(quiet_then_storm([120])).false_alerts == 0
    assert report(quiet_then_storm([121])).false_alerts == 1


def test_an_alarm_that_never_stops_is_a_false_alarm_every_horizon():
    always = report(quiet_then_storm(range(300)))
    assert always.warned == 1
    assert always.alerts == 30
    assert always.false_alerts == 30 - 4
    assert always.false_alarms_per_hour == pytest.approx(26 * 12)


def test_an_episode_whose_beginning_was_not_seen_counts_but_has_no_lead():
    began_in_a_hole = quiet_then_storm([0, 1], storm=range(5))
    assert report(began_in_a_hole).warned == 1
    assert isnan(report(began_in_a_hole).lead_median_s)


def test_a_calm_day_has_no_recall():
    calm = report(quiet_then_storm([50], storm=()))
    assert isnan(calm.recall)
    assert calm.false_alerts == 1


@settings(deadline=None)
@given(st.lists(watches, min_size=1, max_size=3), st.floats(0, 200))
def test_the_threshold_keeps_its_budget_and_so_does_every_observed_one_above_it(drawn, budget):
    threshold = alarms.threshold_for_budget(
        drawn, false_alarms_per_hour=budget, horizon_s=HORIZON_S
    )
    observed = np.unique(np.concatenate([w.probability for w in drawn]))
    for other in [threshold, *observed[observed > threshold]]:
        assert report(*drawn, threshold=other).false_alarms_per_hour <= budget * (1 + 1e-12)
    lower = observed[observed < threshold]
    if len(lower):
        assert report(*drawn, threshold=lower[-1]).false_alarms_per_hour > budget


def test_a_budget_that_nothing_keeps_gives_a_threshold_above_all_that_was_seen():
    calm = quiet_then_storm([50], storm=())
    assert alarms.threshold_for_budget([calm], false_alarms_per_hour=0) > 1


def test_a_threshold_needs_rows():
    with pytest.raises(TooLittleDataError, match="alarm threshold"):
        alarms.threshold_for_budget([], false_alarms_per_hour=1)


def test_rows_a_minute_apart_are_hours_of_sixty():
    """The same storms and alarms a sixtieth as often: leads and hours are in seconds still."""
    second = 60 * np.arange(120)
    spike = np.where((second >= 3000) & (second < 3600), 1.0, 0.0)
    storms = labels.episodes(second, spike, horizon_s=600)
    alarm = np.isin(second, [2700, 5400]).astype(np.float64)
    watch = alarms.WatchedRows(second=second, probability=alarm, episodes=storms)
    report = alarms.episode_report([watch], 1.0, horizon_s=600, step_s=60)
    assert (report.episodes, report.warned, report.lead_median_s) == (1, 1, 900.0)
    assert (report.hours, report.false_alerts, report.false_alarms_per_hour) == (2.0, 1, 0.5)
    budget = {"horizon_s": 600, "step_s": 60}
    assert alarms.threshold_for_budget([watch], false_alarms_per_hour=0.5, **budget) == 1.0
    assert alarms.threshold_for_budget([watch], false_alarms_per_hour=0.4, **budget) > 1.0
