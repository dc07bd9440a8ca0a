"""The fan-out: each reader gets all of its own, and a slow one is let go without harm to others."""

import asyncio
import json

from barograph.app.web.fanout import MAX_WAITING, Event, Fanout


def events(count, start=0, key="A"):
    return [Event("prediction", str(n), b'{"n":%d}' % n, key) for n in range(start, start + count)]


def taken(reader):
    return [each.id for each in asyncio.run(reader.take(0.0))]


def test_all_readers_get_the_same_encoded_events():
    fanout = Fanout()
    one, other = fanout.join(), fanout.join()
    fanout.publish(events(3))
    mine, theirs = asyncio.run(one.take(0.0)), asyncio.run(other.take(0.0))
    assert [each.id for each in mine] == ["0", "1", "2"]
    assert mine[0].sse is theirs[0].sse
    assert mine[0].message is theirs[0].message
    assert mine[0].sse == b'id: 0\nevent: prediction\ndata: {"n":0}\n\n'
    assert json.loads(mine[0].message) == {"id": "0", "event": "prediction", "data": {"n": 0}}


def test_a_reader_of_some_keys_gets_theirs_and_what_concerns_all():
    fanout = Fanout()
    reader = fanout.join(frozenset({"B"}))
    fanout.publish([*events(1, key="A"), *events(1, 1, "B"), *events(1, 2, "")])
    assert taken(reader) == ["1", "2"]


def test_a_reader_that_takes_nothing_is_let_go_and_none_else_notices():
    fanout, called = Fanout(), []
    slow = fanout.join(on_behind=lambda: called.append(1))
    quick = fanout.join()
    for n in range(MAX_WAITING + 1):
        fanout.publish(events(1, n))
        assert taken(quick) == [str(n)]
    assert called == [1]
    assert str(f"{MAX_WAITING:,}") in slow.behind
    assert taken(slow) == []
    assert (fanout.let_go, quick.behind) == (1, "")
    fanout.publish(events(1, 7))
    assert taken(quick) == ["7"]


def test_a_reader_waits_for_the_next_event_and_wakes_at_once():
    async def run():
        fanout = Fanout()
        reader = fanout.join()
        waiting = asyncio.create_task(reader.take(30.0))
        await asyncio.sleep(0)
        fanout.publish(events(1))
        return [each.id for each in await waiting]

    assert asyncio.run(run()) == ["0"]


def test_closing_ends_all_readers_and_those_to_come():
    fanout = Fanout()
    before = fanout.join()
    fanout.close()
    assert before.closed
    assert fanout.join().closed
    assert taken(before) == []


def test_a_reader_that_left_gets_nothing():
    fanout = Fanout()
    reader = fanout.join()
    fanout.leave(reader)
    fanout.leave(reader)
    fanout.publish(events(1))
    assert taken(reader) == []
