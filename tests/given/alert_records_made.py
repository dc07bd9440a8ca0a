"""Alerts as records, made by hand."""

from barograph import codec
from barograph.alert_records import AlertRecord, Change, identity
from barograph.log.topics import ALERTS
from barograph.types import Message

NS = 10**9


def alert(number=1, change=Change.BEGAN, time_ns=1_750_000_000 * NS, **more):
    known = {
        "id": identity("probability", "spikes", number), "rule": "probability",
        "subject": "BTC-USD", "change": change, "time_ns": time_ns, "started_ns": time_ns,
        "text": f"BTC-USD: alert {number} {change}.", "case": "spikes", "probability": 0.6,
        "threshold": 0.5, "tau": 1e-4, "model": "spikes/3", "horizon_s": 60,
    }  # fmt: skip
    return AlertRecord(**{**known, **more})


def messages(*alerts):
    return [Message(ALERTS, each.id, codec.encode(each)) for each in alerts]
