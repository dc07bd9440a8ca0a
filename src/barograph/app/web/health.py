"""GET /health: is the server alive, and is what it serves fit to be used?"""

from typing import TYPE_CHECKING

import msgspec

from barograph.app.web.series_board import SeriesBoard
from barograph.log import Log
from barograph.log.topics import STATUS, TICKS
from barograph.pipeline.health import Heard, health_of, newest_statuses
from barograph.pipeline.stages import groups_at_work
from barograph.types import HOUR_NS, NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable


class HealthAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`live`: the server answers. `ready`: nothing is in `problems`; `remarks` do not count.

    `data_age_s` is that of the newest record of the source, `lag` how many records each group has
    still to read, `gaps` how many were recorded in the last hour, `model_age_s` since the
    champion's promotion.
    """

    live: bool
    ready: bool
    problems: list[str]
    remarks: list[str]
    data_age_s: float | None
    lag: dict[str, int]
    gaps: int
    model: str | None
    model_age_s: float | None


def heard_of(board: SeriesBoard, now_ns: int) -> Heard:
    """What came of a board's source; on the event loop."""
    products = {key: (now_ns - at) / NS_PER_S for key, at in board.heard_ns.items()}
    return Heard(now_ns, board.newest_receipt_ns, None, products or None)


def gaps_lately(board: SeriesBoard, now_ns: int) -> int:
    """How many gaps of the last hour were recorded."""
    return sum(gap.span.end_ns >= now_ns - HOUR_NS for gap in board.gaps)


def judged(
    log: Log, board: SeriesBoard, heard: Heard, champion: "Callable[[], str | None]"
) -> tuple[list[str], list[str], dict[str, int]]:
    """Problems, remarks and lag of the case of a board; reads the log.

    champion: as in `health_of`.
    """
    live = board.live
    topics = {topic.name for topic in log.topics()}
    groups = groups_at_work(log, live, topics)
    lag = {group: _lag(log, group, topic) for group, topic in groups.items()}
    if live.source != TICKS or TICKS not in topics:
        return [], [], lag
    statuses = newest_statuses(log) if STATUS in topics else []
    health = health_of(
        log, heard, statuses=statuses, groups=groups, max_age_s=None, champion=champion
    )
    return list(health.problems), list(health.remarks), lag


def _lag(log: Log, group: str, topic: str) -> int:
    done = log.positions(group, topic)
    return sum(
        max(0, extent.next - max(done.get(extent.partition, 0), extent.oldest))
        for extent in log.extents(topic)
    )
