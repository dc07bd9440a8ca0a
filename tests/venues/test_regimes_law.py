"""Of a recording no news is refused for its number, whoever else wrote into its file."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from barograph.types import Fault, GapCause, Tick
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.entries import Closing, Dialect, Heard, Opening
from coinbase_messages import at, beats, envelope, frame, gaps, heartbeat, ticker

STEP_S = 0.2


def opening(dialect, name="f", **changes):
    return Opening(connection=name, dialect=dialect, recorded=True, **changes)


def hear(machine, messages, dialect, name="f", **changes):
    """The events and dead letters of a file of messages."""
    for before in machine.connections:
        machine.take(Closing(before))
    machine.take(opening(dialect, name, **changes))
    received = [machine.take(Heard(frame(message, name), dialect)) for message in messages]
    events = [event for each in received for event in each.events]
    return events, [letter for each in received for letter in each.dead_letters]


def ticks(events):
    """What each tick says, by product."""
    told = {}
    for event in events:
        if isinstance(event, Tick):
            said = event.event_time_ns, event.trade_id, event.price
            told.setdefault(event.product, []).append(said)
    return told


def messages_of(socket, turns):
    """The messages of one socket of Advanced Trade at the times that it has a turn."""
    number, told = socket["first"], []
    for turn in turns:
        products = socket["products"]
        if socket["beats"] and (number - socket["first"]) % socket["beats"] == 1:
            told.append((turn, beats(number, number + socket["counter"], seconds=turn * STEP_S)))
        else:
            name = products[(number * 7 + turn) % len(products)]
            message = envelope(number, (name,), seconds=turn * STEP_S)
            told.append((turn, message))
        number += 1
    return told


def written(all_, order):
    """The messages of each socket, and all of them as they come into one file."""
    each = []
    for k, socket in enumerate(all_):
        turns = [turn for turn, who in enumerate(order) if who % len(all_) == k]
        each.append(messages_of(socket, turns))
    together = sorted((told for some in each for told in some), key=lambda told: told[0])
    return each, [message for _, message in together]


def sockets(most_products):
    def of(shapes):
        return [
            {
                "first": first,
                "beats": every,
                "counter": 40 * k,
                "products": [f"P{k}{n}-USD" for n in range(count)],
            }
            for k, (first, every, count) in enumerate(shapes)
        ]

    shape = st.tuples(st.integers(0, 30), st.sampled_from([0, 3, 5]), st.integers(1, most_products))
    return st.lists(shape, min_size=1, max_size=4).map(of)


@given(sockets(3), st.lists(st.integers(0, 3), max_size=60))
def test_however_sockets_are_interleaved_in_a_file_their_ticks_come_out_as_if_separate(all_, order):
    turns = {
        k: [t for t, who in enumerate(order) if who % len(all_) == k] for k in range(len(all_))
    }
    each = [messages_of(socket, turns[k]) for k, socket in enumerate(all_)]
    file = [
        message for _, message in sorted((m for some in each for m in some), key=lambda m: m[0])
    ]
    events, letters = hear(Coinbase(), file, Dialect.ADVANCED)
    assert letters == []
    separate = {}
    for some in each:
        alone, _ = hear(Coinbase(), [message for _, message in some], Dialect.ADVANCED)
        separate |= ticks(alone)
    assert ticks(events) == separate


@given(sockets(1), st.lists(st.integers(0, 3), max_size=60))
def test_sockets_of_one_product_each_tell_of_no_hole_where_none_is(all_, order):
    for socket in all_:
        socket["beats"] = 0
    turns = {
        k: [t for t, who in enumerate(order) if who % len(all_) == k] for k in range(len(all_))
    }
    each = [messages_of(socket, turns[k]) for k, socket in enumerate(all_)]
    file = [
        message for _, message in sorted((m for some in each for m in some), key=lambda m: m[0])
    ]
    events, _ = hear(Coinbase(), file, Dialect.ADVANCED)
    assert [gap for gap in gaps(events) if gap.cause is not GapCause.SILENCE] == []


@given(
    st.lists(st.integers(0, 2), min_size=1, max_size=30),
    st.integers(0, 30),
    st.integers(0, 50),
    st.booleans(),
)
def test_numbers_that_begin_anew_lose_nothing_and_leave_a_gap_at_most(which, cut, first, kept):
    names = [f"P{n}-USD" for n in which]
    numbers = [first + n if n < cut else n - min(cut, len(names)) for n in range(len(names))]
    file = [
        envelope(number, (name,), seconds=n * STEP_S)
        for n, (number, name) in enumerate(zip(numbers, names, strict=True))
    ]
    numbers_kept = "all" if kept else "some"
    events, letters = hear(Coinbase(), file, Dialect.ADVANCED, numbers=numbers_kept)
    assert letters == []
    assert sum(map(len, ticks(events).values())) == len(file)
    for name in set(names):
        assert len([gap for gap in gaps(events) if gap.product == name]) <= 1


@given(st.integers(1, 20), st.integers(0, 20), st.integers(-30, 30), st.booleans())
def test_trade_ids_that_begin_anew_lose_nothing_and_leave_a_gap_at_most(count, cut, jump, beating):
    file, last, first = [], 0, ticker()["trade_id"]
    for n in range(count):
        if beating and n:
            file.append(heartbeat(0, last, time=at(n - 0.5)))
        last = n + (jump * 1_000_003 if n >= cut else 0)
        file.append(ticker(n, trade_id=first + last))
    events, letters = hear(Coinbase(), file, Dialect.EXCHANGE)
    assert letters == []
    assert sum(map(len, ticks(events).values())) == count
    assert len(gaps(events)) <= 1


@given(st.lists(st.sampled_from(["next", "lost", "again", "late", "other"]), max_size=25))
def test_no_tick_of_a_recording_is_a_repeat_unless_it_was_heard(steps):
    number, file = 0, [ticker(0)]
    for step in steps:
        if step == "next":
            number += 1
        elif step == "lost":
            number += 3
        elif step == "other":
            file.append(ticker(number, product_id="ETH-USD"))
            continue
        back = {"again": 0, "late": 1}.get(step, 0)
        n = max(number - back, 0)
        # All within a second or two, so that most that come late still find theirs open.
        file.append(ticker(n, time=at(n / 20)))
    machine, heard = Coinbase(), set()
    machine.take(opening(Dialect.EXCHANGE))
    for message in file:
        received = machine.take(Heard(frame(message, "f"), Dialect.EXCHANGE))
        key = message["product_id"], message["trade_id"]
        for letter in received.dead_letters:
            assert letter.fault is (Fault.DUPLICATE if key in heard else Fault.LATE)
        heard |= {(e.product, e.trade_id) for e in received.events if isinstance(e, Tick)}


def without_connection(events):
    return [msgspec.structs.replace(event, connection="") for event in events]


def cut_in_two(messages, cut, dialect, **changes):
    """The events of a file, and those of the same lines in two files."""
    whole, _ = hear(Coinbase(), messages, dialect, **changes)
    machine = Coinbase()
    first, _ = hear(machine, messages[:cut], dialect, "f", **changes)
    second, _ = hear(machine, messages[cut:], dialect, "g", **changes)
    return without_connection(whole), without_connection([*first, *second])


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([1, 1, 1, 2, 12])), max_size=20),
    st.integers(0, 22),
)
def test_a_recording_that_was_cut_in_two_gives_what_the_whole_gives(steps, cut):
    messages, n, last = [ticker(0)], 0, 0
    for is_tick, later in steps:
        n += later
        if is_tick:
            last += 1 if later < 12 else 3
            messages.append(ticker(n, trade_id=ticker()["trade_id"] + last))
        else:
            messages.append(heartbeat(n, last))
    cut = min(cut, len(messages))
    whole, parts = cut_in_two(messages, cut, Dialect.EXCHANGE)
    assert parts == whole


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.integers(0, 31))
def test_so_does_one_of_advanced_trade_by_its_numbers(which, cut):
    messages = [envelope(n, (f"P{k}-USD",)) if k else beats(n, n) for n, k in enumerate(which)]
    cut = min(cut, len(messages))
    whole, parts = cut_in_two(messages, cut, Dialect.ADVANCED)
    assert parts == whole
