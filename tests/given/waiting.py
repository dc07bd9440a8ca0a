"""How tests wait: for a condition, with a limit."""

import threading
import time

LIMIT_S = 180.0
"""How long a condition may take to come true; a broker may need many polls for a rebalance."""


def until(condition, limit_s=LIMIT_S, pause_s=0.01):
    """Ask for a condition until it holds, with a pause between."""
    pause, end_s = threading.Event(), time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end_s, "it never came"
        pause.wait(pause_s)
