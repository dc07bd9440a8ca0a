"""One sliding mean in quixstreams, exactly once, as somebody who knows it would write it.

    quix_mean.py BROKERS SOURCE TARGET RECORDS

Runs in an environment of its own (`quix.txt`): quixstreams pins an older confluent-kafka. Prints
the seconds from the first record to the last of them, its start not among them.
"""

import sys
import tempfile
import time
from datetime import timedelta
from typing import Any

from quixstreams import Application

_WINDOW, _GRACE = timedelta(seconds=60), timedelta(0)


def main(brokers: str, source: str, target: str, records: str) -> None:
    """The mean mid of each product over the last 60 seconds of event time, at each tick."""
    times = []

    def processed(_topic: str, _partition: int, _offset: int) -> None:
        times.append(time.perf_counter())
        if len(times) == int(records):
            application.stop()

    with tempfile.TemporaryDirectory(prefix="barograph-bench-") as states:
        application = Application(
            broker_address=brokers,
            consumer_group=f"{target}.quix",
            auto_offset_reset="earliest",
            processing_guarantee="exactly-once",
            state_dir=states,
            on_message_processed=processed,
            producer_extra_config={"compression.type": "lz4", "linger.ms": 5},
            loglevel="ERROR",
        )
        ticks = application.dataframe(
            application.topic(source, value_deserializer="json", timestamp_extractor=_event_time_ms)
        )
        means = ticks.apply(_mid).sliding_window(_WINDOW, _GRACE).mean().current()
        means.to_topic(application.topic(target, value_serializer="json"))
        application.run()
    print(times[-1] - times[0])


def _event_time_ms(
    tick: dict[str, Any], _headers: object, _timestamp_ms: int, _kind: object
) -> int:
    return int(tick["event_time_ns"]) // 1_000_000


def _mid(tick: dict[str, Any]) -> float:
    return 0.5 * (float(tick["bid"]) + float(tick["ask"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
