"""Orders of a case are linear in time, in whatever unit."""

import dataclasses

import numpy as np

from barograph.training.clock import Clock, clock_of
from barograph.types import NS_PER_S
from cards import START, STORMS, storms


def test_an_order_of_the_storms_is_a_second():
    assert clock_of(STORMS, storms()) == Clock(START, START * NS_PER_S, NS_PER_S)


def test_an_order_may_be_of_any_length_and_begin_anywhere():
    """Orders count minutes from the start on."""
    table = dataclasses.replace(storms(), order=(storms().order - START) // 60)

    def span_ns(_table, rows):
        first, last = table.order[rows].min(), table.order[rows].max()
        return (START + 60 * int(first)) * NS_PER_S, (START + 60 * int(last + 1)) * NS_PER_S

    clock = clock_of(dataclasses.replace(STORMS, span_ns=span_ns), table)
    assert clock == Clock(0, START * NS_PER_S, 60 * NS_PER_S)
    assert clock.ns(np.array([0, 2])).tolist() == [START * NS_PER_S, (START + 120) * NS_PER_S]
    assert (clock.orders(600), clock.orders(1)) == (10, 1)


def test_a_single_moment_counts_in_seconds():
    table = storms()
    one = dataclasses.replace(table, order=np.full_like(table.order, START))
    assert clock_of(STORMS, one).unit_ns == NS_PER_S
