"""Changes of alerts as they come into a log."""

import threading
from collections.abc import Iterator

from barograph.alert_records import AlertRecord
from barograph.log import Log, browse
from barograph.log.topics import ALERTS, ensure_alert_topics
from barograph.pipeline.alert_list import decoded

LOOK_S = 0.25


def changes(log: Log, stop: threading.Event) -> Iterator[AlertRecord]:
    """Yield each change that is written from now on, until `stop` is set."""
    ensure_alert_topics(log)
    tail = browse.Tail(log, ALERTS)
    while not stop.wait(LOOK_S):
        yield from decoded(tail.take())
