"""Where a reader of a stream stands: the next offset of each partition, as one opaque word.

Offsets are those of the log, so a cursor outlives a restart of the server.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import zip_longest

from barograph.errors import BadInputError

LONGEST = 20_000
"""Characters of a cursor at most: those of three topics with 300 partitions each."""

_FORM = re.compile(r"(?:-|[0-9]{1,18}(?:\.[0-9]{1,18})*)(?:_(?:-|[0-9]{1,18}(?:\.[0-9]{1,18})*))*")
_UNKNOWN = "-"  # a topic that nobody has made yet

Positions = dict[str, list[int]]
"""The next offset of each partition, by topic."""


def encoded(positions: Mapping[str, Sequence[int]]) -> str:
    """The positions as a cursor; topics keep their order."""
    return "_".join(".".join(map(str, each)) or _UNKNOWN for each in positions.values())


def decoded(cursor: str, like: Mapping[str, Sequence[int]]) -> Positions:
    """The positions that a cursor stands for. like: those of now, for topics and partitions.

    Raises BadInputError for one that is of no stream of this log.
    """
    cure = "Use the last `next` or `id` as it came, or leave it out"
    if len(cursor) > LONGEST or not _FORM.fullmatch(cursor):
        raise BadInputError(f"cursor {cursor[:40]!r}", "it is none of this server's", cure)
    parts = cursor.split("_")
    positions: Positions = {}
    for topic, part in zip_longest(like, parts):
        partitions = len(like.get(topic, ()))
        known = part is not None and part != _UNKNOWN
        offsets = [int(offset) for offset in part.split(".")] if known else [0] * partitions
        if topic is None or part is None or len(offsets) != partitions:
            raise BadInputError(f"cursor {cursor[:40]!r}", "it is of another stream or log", cure)
        positions[topic] = offsets
    return positions
