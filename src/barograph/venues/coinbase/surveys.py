"""What the first frames of a recording tell of its numbers, before any of them is judged."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from barograph.codec import UNREADABLE
from barograph.times import parse_time
from barograph.types import NS_PER_S, Count, Frame
from barograph.venues.regimes import MAX_REGIMES

_FEWEST_JUMPS = 3
_BEAT_JUMPS_EVERY_S = 5
"""Heartbeats come once a second: without them numbers jump at least so often."""


class _Numbered(msgspec.Struct, gc=False):
    channel: str
    timestamp: str = ""
    sequence_num: Count | None = None


_numbered = msgspec.json.Decoder(_Numbered, strict=False).decode


def numbers_of(frames: Iterable[Frame]) -> Literal["all", "some"]:
    """Whether a recording of Advanced Trade has every frame that `sequence_num` counts: "all".

    "some" where the numbers jump all the time: more than a tenth of them, or, where no heartbeat
    was recorded, once in five seconds. A loss is rarer than a channel that was not written down.
    Several connections may stand in one file.
    """
    last: list[int] = []
    count = jumps = 0
    beats = False
    begun_ns = ended_ns = 0
    for frame in frames:
        try:
            numbered = _numbered(frame.data)
            time_ns = parse_time(numbered.timestamp)
        except (*UNREADABLE, ValueError):
            continue
        number = numbered.sequence_num
        if number is None:
            continue
        beats |= numbered.channel == "heartbeats"
        begun_ns, ended_ns = begun_ns or time_ns, max(ended_ns, time_ns)
        count += 1
        jumps += _jumps(number, last)
    if jumps < _FEWEST_JUMPS:
        return "all"
    elapsed_s = (ended_ns - begun_ns) / NS_PER_S
    unbeaten = not beats and jumps * _BEAT_JUMPS_EVERY_S >= elapsed_s
    return "some" if jumps * 10 > count or unbeaten else "all"


def _jumps(number: int, last: list[int]) -> bool:
    """Whether a number leaves out some on its run; notes it in the last ones of all runs."""
    if number - 1 in last:
        last.remove(number - 1)
        last.append(number)
        return False
    below = max((each for each in last if each < number), default=None)
    if below is not None:
        last.remove(below)
    last.append(number)
    del last[:-MAX_REGIMES]
    return below is not None
