"""Rules, workers and senders as the settings want them."""

import pytest

import queues
from barograph.alert_records import Change
from barograph.app.alerting.plans import alert_plan, promises, rules_of, sending_plan, series_of
from barograph.app.settings import Settings
from barograph.cases.churn import CHURN
from barograph.cases.spikes import SPIKES
from barograph.errors import BadInputError
from barograph.registry.registry import Registry


def test_each_rule_has_a_measure_of_its_own_and_those_with_the_limit_0_are_off(tmp_path):
    rules = rules_of(Settings(home=tmp_path))
    assert {rule.name for rule in rules} == {
        "feed_stale", "gap", "lag", "dead_letters", "clock_offset", "model_expired",
        "retraining_failed", "drift",
    }  # fmt: skip
    assert len({rule.measure for rule in rules}) == len(rules)
    without = rules_of(Settings(home=tmp_path, alert_lag_s=0, alert_gap_s=0))
    assert {rule.name for rule in rules} - {rule.name for rule in without} == {"lag", "gap"}


def test_a_series_is_named_as_its_case_shows_it():
    assert series_of(SPIKES).series.text(1.5e-4) == "1.5 bps/√s"
    watched = series_of(queues.QUEUES)
    assert (watched.series.case, watched.series.horizon_s) == ("queues", 600)
    with pytest.raises(BadInputError):
        series_of(CHURN)


def test_the_plans_have_what_the_settings_say(tmp_path):
    settings = Settings(
        home=tmp_path, alert_after_s=3, alert_changes="began, ended", quiet_hours="22:00-07:00",
        alert_give_up_s=99, page_url="https://page",
    )  # fmt: skip
    workers = alert_plan(settings, tmp_path, [SPIKES])
    assert (workers.after_s, [each.series.case for each in workers.series]) == (3.0, ["spikes"])
    sending = sending_plan(settings, tmp_path)
    assert sending.changes == {Change.BEGAN, Change.ENDED}
    assert (sending.give_up_s, sending.link) == (99.0, "https://page")
    assert sending.quiet is not None
    assert sending_plan(settings, tmp_path, link="").link == ""


def test_nothing_is_promised_of_a_model_that_is_not_known(tmp_path):
    promised = promises(Registry(tmp_path))
    assert [promised(label) for label in ("", "baseline", "spikes/x", "spikes/99")] == [""] * 4
