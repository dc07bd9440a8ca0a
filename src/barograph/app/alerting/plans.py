"""What the settings say of alerts: rules, workers and senders, built."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from barograph.alert_records import Change
from barograph.app.alerting.forecast_limits import forecast_limits
from barograph.app.alerting.quiet import quiet_hours
from barograph.app.alerting.sender import SendingPlan
from barograph.app.registries import registry_of
from barograph.app.settings import Settings
from barograph.cases.case import live_of
from barograph.errors import BarographError
from barograph.figures import figure
from barograph.pipeline.alert_workers import AlertPlan, WatchedSeries
from barograph.pipeline.alerts import Series
from barograph.pipeline.health_alerts import HealthRule
from barograph.registry.registry import Registry

if TYPE_CHECKING:  # every caller has imported it
    from barograph.cases.case import Case


def rules_of(settings: Settings) -> list[HealthRule]:
    """The rules over health; one whose limit is 0 is off."""
    clear_s, soon_s = settings.alert_clear_s, 2 * settings.health_every_s
    rules = [
        HealthRule(
            name=name,
            measure=measure,
            limit=limit,
            says=says,
            unit=unit,
            after_s=after_s,
            clear_s=clear_s,
        )
        for name, measure, limit, says, unit, after_s in (
            ("feed_stale", "feed_age_s", settings.alert_feed_age_s,
             "nothing new comes from the feed", "s", soon_s),
            ("gap", "gap_s", settings.alert_gap_s, "a hole in the data", "s", 0.0),
            ("lag", "lag_s", settings.alert_lag_s, "a worker is behind", "s", soon_s),
            ("dead_letters", "dead_letters_per_min", settings.alert_dead_letters_per_min,
             "many records are refused", "a minute", 0.0),
            ("clock_offset", "clock_offset_s", settings.clock_limit_s,
             "the clock here differs from the venue's", "s", 60.0),
            ("model_expired", "model_expired", 1.0, "the model has expired", "", 0.0),
            ("retraining_failed", "retraining_failed", 1.0, "the retraining failed", "", 0.0),
            ("drift", "drift_alarm", 1.0,
             "the data are not those that the model was trained on", "", 0.0),
        )
    ]  # fmt: skip
    return [each for each in rules if each.limit > 0]


def series_of(case: "Case", limit: float | None = None) -> WatchedSeries:
    """A series case as its alerts name it. Raises BadInputError for a case that is none.

    limit: from which its forecast is an alert, in the unit that alerts show; None for never.
    """
    live, axis = live_of(case), case.outcome_axis
    return WatchedSeries(
        live=live,
        series=Series(
            case=case.name,
            step_s=live.step_s,
            horizon_s=live.horizon_s,
            value=axis.name,
            unit=axis.unit,
            scale=axis.scale,
            limit=None if limit is None else limit / axis.scale,
        ),
    )


def alert_plan(settings: Settings, address: str | Path, cases: "Sequence[Case]") -> AlertPlan:
    """The workers that watch these cases and the health samples of a log."""
    limits = forecast_limits(settings.alert_forecasts)
    return AlertPlan(
        address=address,
        series=[series_of(case, limits.get(case.name)) for case in cases],
        rules=rules_of(settings),
        release=settings.alert_release,
        after_s=settings.alert_after_s,
        lease_s=settings.lease_s,
    )


def sending_plan(settings: Settings, address: str | Path, link: str | None = None) -> SendingPlan:
    """How the settings want alerts to be sent. link: of the page, instead of the setting's."""
    return SendingPlan(
        address=address,
        give_up_s=settings.alert_give_up_s,
        changes={Change(each.strip()) for each in settings.alert_changes.split(",")},
        quiet=quiet_hours(settings.quiet_hours),
        link=settings.page_url if link is None else link,
        promised=promises(registry_of(settings, last_known=True)),
    )


def promises(registry: Registry) -> Callable[[str], str]:
    """Label of a model → what its test says of its alarms; "" where that is not known."""

    def promised(label: str) -> str:
        case, _, version = label.rpartition("/")
        if not (case and version.isascii() and version.isdigit()):
            return ""
        try:
            scores = registry.facts(case, int(version)).scores.get("chosen", {})
        except BarographError:
            return ""
        recall, false = scores.get("recall"), scores.get("false_alarms_per_hour")
        if recall is None or false is None:
            return ""
        return (
            f"No alert of {label} was judged yet; in its test it warned of "
            f"{figure(recall, 0, share=True)} of the episodes, with {false:.2g} false alarms "
            "an hour."
        )

    return promised
