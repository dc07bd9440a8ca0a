"""REST: pages from the top of a hole down, and whatever a server may answer instead."""

import asyncio
import json

import pytest

from barograph.feed.hole_pages import REQUESTS_PER_S, SPARE_PAGES, Asked, Filler
from barograph.feed.inbox import Inbox
from barograph.rest import MAX_BODY_BYTES
from barograph.venues.coinbase.endpoints import endpoint
from barograph.venues.entries import Answer, Hole
from scripted_venue import Scripted, forever, pages
from venue_threads import running


async def silent(_socket, _number):
    await forever()


def hole(first, last):
    return Hole("c", "BTC-USD", first, last, last - first + 1, 1)


def trades(ids):
    return {n: {"trade_id": n, "price": "1.5", "size": "1", "side": "buy"} for n in ids}


def fetched(venue, *holes, fetch=None, for_s=5.0, **limits):
    """Everything that comes of asking for some holes."""
    inbox = Inbox(1000)
    url = venue.url if venue else None

    async def ask():
        filler = Filler(endpoint("simulated", url), inbox, fetch, **limits)
        for each in holes:
            filler.ask(each, for_s)
        await asyncio.wait(set(filler._tasks), timeout=30)

    asyncio.run(ask())
    return inbox.take(1000, 0)


def ids(answers):
    return [trade["trade_id"] for each in answers for trade in json.loads(each.frame.data)]


def test_a_hole_is_filled_from_its_top_down_in_pages_that_are_not_larger_than_it():
    with running(Scripted(silent, pages(trades(range(1, 5000))))) as venue:
        *answers, end = fetched(venue, hole(1501, 4000))
    assert ids(answers) == list(range(4000, 1500, -1))
    assert end == Asked(hole(1501, 4000))
    assert venue.paths == [
        "/products/BTC-USD/trades?limit=1000&after=4001",
        "/products/BTC-USD/trades?limit=1000&after=3001",
        "/products/BTC-USD/trades?limit=500&after=2001",
    ]
    assert all(each.product == "BTC-USD" and each.frame.connection == "c" for each in answers)
    assert all(each.frame.receive_time_ns > 10**18 for each in answers)


def test_a_page_is_kept_as_it_came_whatever_it_is():
    bodies = [b"not json", b"[]", b'{"message":"slow down"}', b"\xff"]
    for body in bodies:
        with running(Scripted(silent, lambda _path, body=body: (200, body))) as venue:
            answer, end = fetched(venue, hole(5, 9))
        assert (answer.frame.data, end.problem) == (body, "a page of no use")
        assert len(venue.paths) == 1


def test_pages_that_do_not_come_down_are_not_asked_for_for_ever():
    page = json.dumps([{"trade_id": 10_000}]).encode()
    with running(Scripted(silent, lambda _path: (200, page))) as venue:
        *answers, end = fetched(venue, hole(5, 9))
    assert len(answers) == 1
    assert end.problem


@pytest.mark.parametrize("status", [404, 429, 500])
def test_an_error_of_the_server_is_a_problem_and_no_answer(status):
    with running(Scripted(silent, lambda _path: (status, b"no"))) as venue:
        (end,) = fetched(venue, hole(5, 9))
    assert str(status) in end.problem


def test_a_server_that_is_gone_is_a_problem():
    with running(Scripted(silent)) as venue:
        pass
    (end,) = fetched(venue, hole(5, 9))
    assert end.problem


def test_a_body_beyond_the_bound_is_not_read_to_its_end():
    with running(Scripted(silent, lambda _path: (200, b"x" * (MAX_BODY_BYTES + 1)))) as venue:
        (end,) = fetched(venue, hole(5, 9))
    assert "more than" in end.problem


def test_pages_of_one_trade_each_are_given_up_by_their_number():
    """One trade a page held a product for as long as the hole had trades."""

    async def one(url):
        return json.dumps([{"trade_id": int(url.rpartition("=")[2]) - 1}]).encode()

    *answers, end = fetched(None, hole(1, 1500), fetch=one)
    assert len(answers) == 2 + SPARE_PAGES
    assert "more than 4 pages for 1500 trades" in end.problem


def test_an_answer_that_never_ends_is_given_up_by_its_time():
    async def never(_url):
        await asyncio.Event().wait()

    (end,) = fetched(None, hole(5, 9), fetch=never, for_s=0.05)
    assert end == Asked(hole(5, 9), "no whole answer within 0.05 s")


def test_a_hole_that_gets_no_turn_is_given_up_too():
    async def never(_url):
        await asyncio.Event().wait()

    ends = fetched(None, *[hole(5, 9)] * 20, fetch=never, hold_for_s=0.3)
    assert len(ends) == 20
    assert {end.problem for end in ends} == {"there was no turn for it within 0.3 s"}


def test_whatever_ends_the_asking_is_a_problem_and_no_task_dies_unseen():
    async def surprise(_url):
        raise ZeroDivisionError("a \x1b[2J surprise")

    (end,) = fetched(None, hole(5, 9), fetch=surprise)
    assert end.problem == r"ZeroDivisionError: a \x1b[2J surprise"


@pytest.mark.slow
def test_several_holes_share_one_rate():
    page, took_s = json.dumps([{"trade_id": 5}]).encode(), []

    async def fetch(_url):
        return page

    async def ask():
        inbox, loop = Inbox(1000), asyncio.get_running_loop()
        filler = Filler(endpoint("simulated"), inbox, fetch)
        started = loop.time()
        for _ in range(4):
            filler.ask(hole(5, 5))
        await asyncio.wait(set(filler._tasks), timeout=30)
        took_s.append(loop.time() - started)
        return inbox.take(100, 0)

    answers = asyncio.run(ask())
    assert [type(each) for each in answers].count(Answer) == 4
    assert took_s[0] >= 3 / REQUESTS_PER_S
