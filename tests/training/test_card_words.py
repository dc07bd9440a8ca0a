"""What a card says: each sentence stands for figures, and is not there without them."""

import math

import msgspec
import pytest

from barograph.times import minute_of
from barograph.training.card_words import Bin, failures, goals
from barograph.training.timeline import Episode, FalseAlarms, Timeline
from barograph.training.walkforward import CHOSEN
from barograph.types import NS_PER_S
from cards import START, interval, report_of
from changed_reports import changed_report

HOUR_NS = 3600 * NS_PER_S


def with_score(name, of):
    report = report_of()
    rows = [
        msgspec.structs.replace(row, **{name: of}) if row.name == CHOSEN else row
        for row in report.tested.scores
    ]
    return changed_report(report, scores=rows)


def with_sessions(*changes):
    report = report_of()
    sessions = [msgspec.structs.replace(report.tested.sessions[0], **change) for change in changes]
    return changed_report(report, sessions=sessions, rows=sum(session.rows for session in sessions))


def goal(all_goals, start):
    return next(one for one in all_goals if one.goal.startswith(start))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("of", "verdict", "why"),
    [
        (interval(0.94, 0.91, 0.95), "reached", ""),
        (interval(0.93, 0.9, 0.95), "reached", ""),
        (interval(0.905, 0.69, 0.97), "undecided", "the estimate reaches 0.9, the lower end of"),
        (interval(0.88, 0.7, 0.95), "undecided", "only the upper end of the interval reaches 0.9"),
        (interval(0.5, 0.4, 0.6), "not reached", "the whole interval lies below 0.9"),
        (interval(math.nan, math.nan, math.nan), "not reached", "it is undefined"),
    ],
)
def test_a_goal_is_reached_by_its_whole_interval_or_gives_its_reason(of, verdict, why):
    pr_auc_goal = goal(goals(with_score("pr_auc", of), {"pr_auc": 0.9}), "PR-AUC of at least 0.9")
    assert pr_auc_goal.verdict == verdict
    assert pr_auc_goal.reached == (verdict == "reached")
    assert (why in pr_auc_goal.why[0]) if why else pr_auc_goal.why == ()


def test_a_choice_without_a_forecast_does_not_reach_what_is_asked_of_one():
    log_r2_goal = goal(goals(with_score("log_r2", None), {"log_r2": 0.25}), "log R²")
    assert (log_r2_goal.reached, log_r2_goal.result) == (False, "n/d")
    assert "forecasts no volatility" in log_r2_goal.why[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("of", "verdict", "why"),
    [
        (interval(-0.02, -0.03, -0.01), "reached", None),
        (
            interval(-0.02, -0.03, 0.0),
            "undecided",
            "has the right sign, but its interval includes 0",
        ),
        (interval(0.01, -0.03, 0.02), "undecided", "late is at least as good on these rows"),
        (interval(0.02, 0.01, 0.03), "not reached", "late is significantly better here"),
    ],
)
def test_a_baseline_is_beaten_by_a_whole_interval(of, verdict, why):
    report = report_of()
    differences = [
        msgspec.structs.replace(one, brier=of) if one.name == CHOSEN else one
        for one in report.tested.differences
    ]
    brier_goal = goal(goals(changed_report(report, differences=differences), {}), "Brier score")
    assert brier_goal.verdict == verdict
    assert brier_goal.result.startswith(f"{of.estimate:+.4f}")
    assert (why in brier_goal.why[0]) if why else brier_goal.why == ()


@pytest.mark.slow
def test_few_episodes_are_a_reason_and_many_are_none():
    bad = {"pr_auc": 1.1}
    for episodes, is_reason in ((19, True), (20, False)):
        report = changed_report(report_of(), episodes=episodes)
        why = goal(goals(report, bad), "PR-AUC").why
        assert any(f"only {episodes} independent positives" in each for each in why) == is_reason


@pytest.mark.slow
def test_one_regime_is_a_reason_and_so_are_sessions_that_are_not_alike():
    bad = {"pr_auc": 1.1}
    alone = goal(goals(with_sessions({}), bad), "PR-AUC").why
    assert "all tested rows are of one regime, which says little about others" in alone
    apart = with_sessions({"base_rate": 0.02}, {"base_rate": 0.4})
    why = " ".join(goal(goals(apart, bad), "PR-AUC").why)
    assert "the base rate of the sessions lies between 0.02 and 0.4" in why
    alike = with_sessions({"base_rate": 0.2}, {"base_rate": 0.4})
    assert "base rate of the sessions" not in " ".join(goal(goals(alike, bad), "PR-AUC").why)


@pytest.mark.slow
def test_the_worst_session_is_the_one_furthest_behind_the_reference():
    losses = [{CHOSEN: 0.3, "late": 0.4, "level": 1.0}, {CHOSEN: 0.2, "late": 0.1, "level": 1.0}]
    report = with_sessions(
        *({"log_loss": each, "start_ns": START * NS_PER_S + n} for n, each in enumerate(losses))
    )
    (first, *_) = failures(report, [], None)
    assert "log loss 0.200, worse than 0.100" in first
    assert not failures(with_sessions({}), [], None)


def timeline(leads=(), alarms=()):
    return Timeline(
        strips=[],
        strips_left_out=0,
        episodes=[
            Episode(key="A", start_ns=n * HOUR_NS, end_ns=n * HOUR_NS + 1, peak=peak, lead_s=lead)
            for n, (peak, lead) in enumerate(leads)
        ],
        false_alarms=[FalseAlarms(key="B", start_ns=hour, alarms=many) for hour, many in alarms],
    )


@pytest.mark.slow
def test_missed_episodes_are_named_the_heaviest_first_and_no_more_than_five():
    sentences = failures(
        with_sessions({}), [], timeline([(n, 0.0) for n in range(1, 8)] + [(99, 5.0)])
    )
    assert sentences[0].startswith(
        "7 of 8 episodes had no alarm in time, the heaviest: A 1970-01-01 06"
    )
    assert sentences[0].count("times tau") == 5
    assert "99.0" not in sentences[0]
    none = failures(with_sessions({}), [], timeline([(2, 30.0)]))
    assert none[0] == "All 1 episodes had an alarm in time."
    assert not failures(with_sessions({}), [], timeline())[0].startswith("None")


def test_false_alarms_are_reported_by_the_hour_and_the_session():
    start = START * NS_PER_S // HOUR_NS * HOUR_NS
    report = with_sessions(
        {"start_ns": start, "end_ns": start + HOUR_NS},
        {"start_ns": start + 48 * HOUR_NS, "end_ns": start + 49 * HOUR_NS},
    )
    text = " ".join(failures(report, [], timeline((), [(start, 3), (start + 48 * HOUR_NS, 1)])))
    assert (
        f"4 alarms touched no episode, most of them in the hours from: B {minute_of(start)}, 3"
        in text
    )
    assert f"75% of these fell into the session from {minute_of(start)}." in text
    assert "No alarm was false." in failures(report, [], timeline())


@pytest.mark.slow
def test_the_largest_gap_says_whether_its_interval_holds_it():
    bins = [
        Bin(rows=10, mean_probability=0.2, came_true=interval(0.25, 0.1, 0.3)),
        Bin(rows=20, mean_probability=0.6, came_true=interval(0.8, 0.7, 0.9)),
    ]
    (sentence,) = failures(with_sessions({}), bins, None)
    expected = "the observed frequency is 80.0% [70.0%, 90.0%], outside that interval"
    assert f"at a mean prediction of 60.0%, {expected}" in sentence
    (sentence,) = failures(with_sessions({}), bins[:1], None)
    assert "outside" not in sentence
