"""How the threads of a process that runs for long share the interpreter."""

import gc
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SWITCH_S = 0.0001
"""How long a thread that computes lets another one wait for the interpreter, which has 5 ms of its
own: a second's way to its prediction goes through five threads, and each may wait so long."""

_STARTED_S = 10.0
"""After so long all parts of this process run, with their packages loaded."""


@contextmanager
def prompt_threads() -> Iterator[None]:
    """Let the threads of this process take turns more often meanwhile, and be stopped less.

    A full garbage collection looks at each object of the process, with all threads stopped. What
    is there when it has started lives as long as the process, so it is left out from then on.
    """
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    started = threading.Timer(_STARTED_S, gc.freeze)
    started.daemon = True
    started.start()
    try:
        yield
    finally:
        started.cancel()
        started.join()
        gc.unfreeze()
        sys.setswitchinterval(before_s)
