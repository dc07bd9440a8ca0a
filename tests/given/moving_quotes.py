"""Quotes that move by the same log return each second, and gaps between them, for one product."""

import math

import numpy as np

from barograph.codec import EVENT, GAP, TICK
from barograph.feature_set.catalogue import COLUMN
from invented_markets import NS

START_S = 1_700_000_000


def ticks(seconds, start_s=START_S, move_e9=1000):
    """A tick in each second, `move_e9` above the one before; the last second stays open."""
    events = np.zeros(seconds, EVENT)
    events["kind"] = TICK
    events["event_time_ns"] = (start_s + np.arange(seconds)) * NS + NS // 2
    mid = 100.0 * np.exp(move_e9 * 1e-9 * np.arange(seconds))
    events["bid"], events["ask"] = mid * (1 - 1e-5), mid * (1 + 1e-5)
    events["bid_size"] = events["ask_size"] = math.nan
    events["trade_id"] = -1
    return events


def joined(first, then):
    """Both pieces, the second one beginning where the price of the first one ends."""
    for name in ("bid", "ask"):
        then[name] *= first[name][-1] / then[name][0] * (then[name][1] / then[name][0])
    return np.concatenate([first, then])


def gap(start_s, end_s):
    """A gap from one second to another, both after `START_S`."""
    event = np.zeros(1, EVENT)
    event["kind"] = GAP
    event["gap_start_ns"] = (START_S + start_s) * NS
    event["event_time_ns"] = (START_S + end_s) * NS
    return event


def of(rows, name):
    """(n,) the values of one feature."""
    return rows["values"][:, COLUMN[name]]
