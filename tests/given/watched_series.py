"""A log of predictions and health samples, and the alerts that workers make of them."""

from contextlib import closing

from barograph import codec
from barograph.cases.market import MARKET
from barograph.log import browse, open_log
from barograph.log.topics import ALERTS, HEALTH, PREDICTIONS, ensure_alert_topics, ensure_topics
from barograph.pipeline.alert_workers import AlertPlan, WatchedSeries
from barograph.pipeline.alerts import Series
from barograph.pipeline.health_alerts import HealthRule
from barograph.types import Message
from watched_predictions import prediction

RULES = (
    HealthRule(name="feed_stale", measure="feed_age_s", limit=30.0, says="nothing is received",
               unit="s", clear_s=0.0),
)  # fmt: skip
SERIES = WatchedSeries(
    live=MARKET,
    series=Series(case="spikes", step_s=1, horizon_s=60, value="volatility", unit="bps/√s",
                  scale=1e4),
)  # fmt: skip


def plan(address, **more):
    known = {"series": (SERIES,), "rules": RULES, "release": 0.8, "after_s": 0.0, "retry_s": 0.05}
    return AlertPlan(address=address, **{**known, **more})


def predictions(product, start, levels):
    """One prediction a second with these probabilities."""
    return [
        Message(PREDICTIONS, product, codec.encode(prediction(product, start + n, level)))
        for n, level in enumerate(levels)
    ]


def sample(time_ns, source="monitor", **measures):
    value = codec.HealthSample(time_ns=time_ns, source=source, measures=measures)
    return Message(HEALTH, source, codec.encode(value))


def with_topics(address):
    with closing(open_log(address)) as log:
        ensure_topics(log)
        ensure_alert_topics(log)


def alerts_in(log):
    """All AlertRecords of a log, as bytes decoded, in the order of the log."""
    return [codec.decode_alert.of(record) for record in browse.records(log, ALERTS)]
