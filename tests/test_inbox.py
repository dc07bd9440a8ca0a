"""The queue between the sockets and the writer: its order, its bound and its end."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.inbox import AbandonedError, Inbox


def drained(inbox, limit=7):
    taken = []
    while not inbox.ended():
        taken += inbox.take(limit, 1.0)
    return taken


@settings(max_examples=30)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3), st.integers(0, 200))
def test_everything_comes_once_in_each_putters_order_whatever_the_bound(
    limit, at_once, putters, count
):
    inbox, most = Inbox(limit), []

    async def put(who):
        for number in range(count):
            await inbox.put((who, number))
            most.append(len(inbox))

    async def run():
        await asyncio.gather(*(put(who) for who in range(putters)))
        inbox.end()

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(asyncio.run, run())
        taken = drained(inbox, at_once)
        done.result(10)
    for who in range(putters):
        assert [number for putter, number in taken if putter == who] == list(range(count))
    assert len(taken) == putters * count
    assert max(most, default=0) <= limit


def test_a_full_inbox_makes_its_putter_wait_and_counts_it():
    async def run():
        inbox = Inbox(2)
        for number in range(2):
            await inbox.put(number)
        late = asyncio.create_task(inbox.put(2))
        await asyncio.wait({late}, timeout=0.05)
        assert not late.done()
        assert (len(inbox), inbox.full) == (2, 1)
        assert inbox.take(9, 0) == [0, 1]
        await asyncio.wait_for(late, 5)
        assert inbox.take(9, 0) == [2]

    asyncio.run(run())


def test_taking_waits_for_the_first_and_not_longer_than_told():
    inbox = Inbox(5)
    assert inbox.take(1, 0.01) == []
    inbox.end()
    assert inbox.take(1, 60) == []
    assert inbox.ended()


def test_an_abandoned_inbox_lets_its_putters_go():
    inbox, waiting = Inbox(1), threading.Event()

    async def run():
        await inbox.put(0)
        late = asyncio.create_task(inbox.put(1))
        await asyncio.wait({late}, timeout=0.01)
        waiting.set()
        await late

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(asyncio.run, run())
        assert waiting.wait(10)
        inbox.abandon()
        with pytest.raises(AbandonedError):
            done.result(10)


def test_abandoning_after_the_loop_has_ended_is_nothing():
    inbox = Inbox(1)

    async def run():
        await inbox.put(0)
        late = asyncio.create_task(inbox.put(1))
        await asyncio.wait({late}, timeout=0.01)
        late.cancel()

    asyncio.run(run())
    inbox.abandon()
    assert inbox.take(1, 0) == [0]
