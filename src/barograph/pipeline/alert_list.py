"""The alerts of a log as they stand: one of each id, by its newest record."""

from collections.abc import Iterable
from itertools import islice

import msgspec

from barograph import codec
from barograph.alert_records import AlertRecord
from barograph.codec import UnreadableError
from barograph.log import Log, browse
from barograph.log.topics import ALERTS, UNDELIVERED
from barograph.types import Record

_LOOKED_AT = 100
_CHANGES = 3
"""So many records an alert has at most."""


class AlertList(msgspec.Struct, frozen=True, kw_only=True):
    """The newest alerts of a log, the newest first, each as it stands.

    `undelivered` counts by sink what `alerts.undelivered` holds.
    """

    alerts: list[AlertRecord]
    undelivered: dict[str, int]


def decoded(records: Iterable[Record]) -> Iterable[AlertRecord]:
    """The alerts of records, in order, without those that cannot be read."""
    for record in records:
        try:
            yield codec.decode_alert.of(record)
        except UnreadableError:
            continue  # nothing of ours; `topics dump` shows it


def merged(alerts: Iterable[AlertRecord]) -> list[AlertRecord]:
    """The newest record of each id, the alert that started last first."""
    newest = {alert.id: alert for alert in alerts}
    return sorted(newest.values(), key=lambda alert: alert.started_ns, reverse=True)


def latest(log: Log, limit: int) -> list[AlertRecord]:
    """The `limit` alerts that started last, among those that changed last; [] without the topic."""
    if ALERTS not in {topic.name for topic in log.topics()}:
        return []
    # One that started later may have changed before others: look beyond as many as are wanted.
    changes = browse.last(log, ALERTS, _CHANGES * (limit + _LOOKED_AT))
    return list(islice(merged(decoded(changes)), limit))


def lasting(log: Log) -> list[AlertRecord]:
    """The alerts that last, among those that changed last."""
    return [alert for alert in latest(log, _LOOKED_AT) if alert.ended_ns is None]


def listed(log: Log, limit: int) -> AlertList:
    """The newest alerts, and how many were not delivered to which sink."""
    undelivered: dict[str, int] = {}
    if UNDELIVERED in {topic.name for topic in log.topics()}:
        for record in browse.records(log, UNDELIVERED):
            undelivered[record.key] = undelivered.get(record.key, 0) + 1
    return AlertList(alerts=latest(log, limit), undelivered=undelivered)
