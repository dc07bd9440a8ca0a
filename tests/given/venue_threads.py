"""A venue that a test wrote, in a thread with a loop of its own."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

LIMIT_S = 60.0


@contextmanager
def running(venue):
    """Run it; at the end stop it, and wait until nothing of it is left."""
    ready = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(asyncio.run, venue.serve(ready))
        assert ready.wait(LIMIT_S), done.result(0)
        try:
            yield venue
        finally:
            venue.stop()
            done.result(LIMIT_S)
