"""Extracts on a schedule: the hours of a service, each after its end, until stopped."""

import time
from collections.abc import Callable
from random import Random

from barograph.errors import BadInputError, OutageError, ReplacedProducerError
from barograph.feed.extracted import Extracted
from barograph.feed.hour_schedule import HourSchedule
from barograph.figures import duration

_LOOK_S = 30.0
"""A clock that is set is noticed after so long."""

Round = Callable[[int], Extracted]
"""Brings the hours up to a Unix second into the log."""


def follow(  # noqa: PLR0913 - what is done when, who hears of it, and a shell's clock
    extract: Round,
    *,
    done: Callable[[Extracted], object],
    warn: Callable[[str], None],
    wait: Callable[[float], object],
    stop: Callable[[], bool],
    clock_ns: Callable[[], int] = time.time_ns,
    random: Random | None = None,
) -> Extracted | None:
    """Extract at once and after the end of each hour until `stop`; returns the last one.

    done: called with each. wait: sleeps for so many seconds, or less where it is to stop.
    What goes wrong with the first one is raised, since it may be a wrong word on the command line.
    Later a service that does not answer, or a log that cannot be used, is a warning and tried
    again with back-off; another extract that took the product over is raised.
    """
    schedule = HourSchedule(random or Random())  # noqa: S311 - jitter is no secret
    last: Extracted | None = None
    while not stop():
        until_s = schedule.due_s(clock_ns())
        if until_s is None:
            wait(min(schedule.wait_s(clock_ns()), _LOOK_S))
            continue
        try:
            extracted = extract(until_s)
        except ReplacedProducerError:
            raise
        except (BadInputError, OutageError) as error:
            if last is None:
                raise
            pause_s = schedule.failed(clock_ns())
            warn(f"{error} Asked again in {duration(round(pause_s))}.")
            continue
        last = extracted
        done(extracted)
        if not extracted.stopped:
            schedule.done(until_s)
    return last
