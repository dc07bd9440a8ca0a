"""The queue between the sockets and the writer: its order, its bound and its end."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.feed.inbox import TAKE_BYTES, AbandonedError, Inbox


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
        done.result(60)
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
        await asyncio.wait_for(late, 60)
        assert inbox.take(9, 0) == [2]

    asyncio.run(run())


def test_taking_waits_for_the_first_and_not_longer_than_asked():
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
        assert waiting.wait(60)
        inbox.abandon()
        with pytest.raises(AbandonedError):
            done.result(60)


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


@settings(max_examples=30)
@given(st.integers(1, 100), st.integers(1, 3), st.lists(st.integers(0, 150), max_size=200))
def test_what_waits_never_has_more_bytes_than_the_bound_unless_it_is_one_item(
    max_bytes, putters, sizes
):
    inbox, most = Inbox(50, max_bytes), []

    async def put(who):
        for size in sizes[who::putters]:
            await inbox.put(size, size)
            most.append((len(inbox), inbox.waiting_bytes))

    async def run():
        await asyncio.gather(*(put(who) for who in range(putters)))
        inbox.end()

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(asyncio.run, run())
        taken = drained(inbox)
        done.result(60)
    assert sorted(taken) == sorted(sizes)
    # Another thread may have taken some between the two looks.
    assert all(waiting <= max_bytes or count <= 1 for count, waiting in most)
    assert inbox.waiting_bytes == 0


def test_large_items_are_taken_a_few_at_a_time():
    inbox = Inbox(100, 10 * TAKE_BYTES)

    async def run():
        for number in range(6):
            await inbox.put(number, TAKE_BYTES // 2)

    asyncio.run(run())
    assert inbox.waiting_bytes == 3 * TAKE_BYTES
    assert [inbox.take(100, 0) for _ in range(3)] == [[0, 1], [2, 3], [4, 5]]
    assert inbox.waiting_bytes == 0
