"""Changes of alerts as they come into a log."""

import threading
from collections.abc import Iterator

from barograph.alert_records import AlertRecord
from barograph.log import Log, browse
from barograph.log.topics import ALERTS
from barograph.pipeline.alert_list import decoded

LOOK_S = 0.25


def changes(log: Log, stop: threading.Event) -> Iterator[AlertRecord]:
    """Yield each change that is written from now on, until `stop` is set. Writes nothing."""
    tail = browse.Tail(log, ALERTS) if _has_alerts(log) else None
    while not stop.wait(LOOK_S):
        if tail is None and _has_alerts(log):
            tail = browse.Tail(log, ALERTS, from_oldest=True)
        if tail is not None:
            yield from decoded(tail.take())


def _has_alerts(log: Log) -> bool:
    return ALERTS in {topic.name for topic in log.topics()}
