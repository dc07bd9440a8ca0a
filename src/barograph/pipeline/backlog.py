"""Whether a log that is written live has worked off what passed before its feed began."""

from barograph import codec
from barograph.cases.live_series import LiveSeries
from barograph.log import Log, browse
from barograph.log.topics import STATUS, TICKS
from barograph.pipeline.health import newest_statuses
from barograph.types import NS_PER_S

LATE_S = 5.0
"""How much older than now, in seconds, the newest prediction of a key without a backlog may be."""

_PREDICTIONS = 500
_STATUS_NS = 60 * NS_PER_S


def worked_off(log: Log, live: LiveSeries, now_ns: int, *, late_s: float = LATE_S) -> bool:
    """Whether the newest prediction of each key is of the last `late_s` seconds of event time.

    Of a market each feed must also say that the frames of its last minute came no later than that,
    in the median. False for a log without predictions. Raises LogError.
    """
    topics = {topic.name for topic in log.topics()}
    if live.predictions not in topics:
        return False
    records = browse.last(log, live.predictions, _PREDICTIONS)
    _, predictions, _ = codec.decode_prediction.all_of(records)
    newest_ns = {each.product: each.event_time_ns for each in predictions}
    if not newest_ns or now_ns - min(newest_ns.values()) > late_s * NS_PER_S:
        return False
    return live.source != TICKS or (STATUS in topics and _on_time(log, now_ns, late_s))


def _on_time(log: Log, now_ns: int, late_s: float) -> bool:
    recent = [each for each in newest_statuses(log) if now_ns - each.time_ns < _STATUS_NS]
    offsets_ms = [each.offset_median_ms for each in recent]
    return bool(offsets_ms) and all(
        offset_ms is not None and -offset_ms <= late_s * 1000 for offset_ms in offsets_ms
    )
