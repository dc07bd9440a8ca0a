"""A stage while its log cannot be used: it waits and says so, then begins at its checkpoints."""

import time
from collections.abc import Callable

from barograph.errors import SAY_AGAIN_S, DiskFullError, OutageError
from barograph.figures import duration
from barograph.pipeline.worker import Tally, Until

_LOOK_S = 0.25


def through_outages(
    work: Callable[[Until], Tally],
    until: Until,
    warn: Callable[[str], None],
    stage: str,
    *,
    retry_s: float = 1.0,
) -> Tally:
    """Call `work` until it ends by itself, again after each LogUnavailableError; what all did.

    After a DiskFullError too, once it has worked: a disk that is full from the start ends it.
    Each call waits for the log as long as its handle says. `until` ends the pause between two too.
    """
    total, begun = Tally(), Tally()
    since_s, said_s = 0.0, 0.0
    worked = False

    def noting(tally: Tally, idle: bool) -> bool:
        nonlocal begun, since_s, worked
        worked = True
        if since_s:
            warn(f"{stage}: the log can be used again, and the work goes on")
            since_s = 0.0
        begun = tally
        return until(tally, idle)

    while True:
        begun = Tally()
        try:
            return total.plus(work(noting))
        except OutageError as error:
            if isinstance(error, DiskFullError) and not worked:
                raise
            total = total.plus(begun)
            now_s = time.monotonic()
            first, since_s = not since_s, since_s or now_s
            if first or now_s - said_s >= SAY_AGAIN_S:
                said_s = now_s
                for_s = "" if first else f" for {duration(round(now_s - since_s))}"
                warn(
                    f"{stage}: waiting{for_s} for the log ({error.path}: {error.why}); "
                    "the work goes on when it can be used"
                )
        ends_s = time.monotonic() + retry_s
        while time.monotonic() < ends_s:
            idle = False
            if until(total, idle):
                return total
            time.sleep(min(_LOOK_S, retry_s))
