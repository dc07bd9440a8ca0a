"""The connection: real sockets, and a venue that does what venues do."""

import asyncio
import json
import socket as sockets
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random

import msgspec
import pytest

from barograph.feed.hole_pages import Asked, Trouble
from barograph.feed.inbox import Inbox
from barograph.feed.venue_socket import FrameStream, Limits, ListenPlan
from barograph.types import DeadLetter, Fault
from barograph.venues.coinbase.endpoints import endpoint, subscriptions
from barograph.venues.entries import Answer, Closing, Dialect, Heard, Hole, Opening
from certificates import certificate, serving
from coinbase_messages import heartbeat, ticker
from scripted_venue import Scripted, forever, pages
from venue_threads import running
from waiting import until

PRODUCTS = ("BTC-USD", "ETH-USD")
SUBSCRIBED = json.dumps({"type": "subscriptions", "channels": []})
SHORT = Limits(silence_s=60.0, open_s=10.0, close_s=0.3)
IMPATIENT = msgspec.structs.replace(SHORT, silence_s=0.3)
"""Where silence is what is tested; elsewhere a busy machine may be silent for a while."""


class NoWait(Random):
    """Draws no wait at all, and keeps how long it might have been."""

    def __init__(self):
        super().__init__(1)
        self.bounds = []

    def uniform(self, _low, high):
        self.bounds.append(high)
        return 0.0


def plan(url, **changes):
    return msgspec.structs.replace(
        ListenPlan(endpoint=endpoint("simulated", url), products=PRODUCTS, limits=SHORT), **changes
    )


def tickers(count, start=0):
    return [json.dumps(ticker(n)) for n in range(start, start + count)]


class Taken(list):
    """What a stream put so far; `more` takes what there is."""

    def __init__(self, inbox):
        super().__init__()
        self._inbox = inbox

    def more(self):
        self += self._inbox.take(1000, 0.01)
        return self

    def of(self, kind):
        return [each for each in self if type(each) is kind]

    def to_the_end(self):
        until(lambda: self.more() is self and self._inbox.ended())
        return self


@contextmanager
def streaming(url, limit=20_000, random=None, **changes):
    inbox = Inbox(limit)
    with FrameStream(plan(url, **changes), inbox, random or NoWait()) as stream:
        yield stream, Taken(inbox)


def test_frames_come_as_they_were_sent_stamped_and_between_opening_and_closing():
    sent = [SUBSCRIBED, *tickers(5), "no json", json.dumps(heartbeat(5, 4))]

    async def script(socket, _number):
        for message in sent:
            await socket.send(message)
        await forever()

    with running(Scripted(script)) as venue, streaming(venue.url) as (stream, taken):
        until(lambda: len(taken.more().of(Heard)) == len(sent))
        stream.stop()
        taken.to_the_end()
        until(lambda: len(venue.heard) == 2)
    opening, *heard, closing = taken
    assert [entry.frame.data.decode() for entry in heard] == sent
    assert all(entry.dialect is Dialect.EXCHANGE for entry in heard)
    stamps = [entry.frame.receive_time_ns for entry in heard]
    assert stamps == sorted(stamps)
    assert opening == Opening(connection=opening.connection, dialect=Dialect.EXCHANGE, fill=True)
    assert {entry.frame.connection for entry in heard} == {opening.connection}
    assert closing == Closing(opening.connection)
    assert opening.connection.startswith("simulated/")
    assert venue.heard == subscriptions(Dialect.EXCHANGE, PRODUCTS)


def test_a_venue_that_accepts_and_closes_is_asked_ever_more_rarely():
    """The back-off begins anew with data, not with a connection."""
    waits = NoWait()

    async def script(socket, number):
        if number == 6:
            await socket.send(SUBSCRIBED)
            await socket.send(tickers(1)[0])

    with running(Scripted(script)) as venue, streaming(venue.url, random=waits) as (stream, taken):
        until(lambda: taken.more() is taken and len(waits.bounds) >= 8)
        stream.stop()
        taken.to_the_end()
    assert waits.bounds[:8] == [0.5, 1, 2, 4, 8, 0.5, 1, 2]
    assert stream.connections >= 8
    assert len({entry.connection for entry in taken.of(Opening)}) == stream.connections
    assert [entry.connection for entry in taken.of(Opening)] == [
        entry.connection for entry in taken.of(Closing)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("half_open", [False, True])
def test_a_silent_connection_is_given_up_even_if_the_other_side_answers_nothing(half_open):
    async def script(socket, _number):
        await socket.send(tickers(1)[0])
        if half_open:
            socket.transport.pause_reading()  # no close of ours is ever answered
        await forever()

    impatient = {"limits": IMPATIENT}
    with running(Scripted(script)) as venue, streaming(venue.url, **impatient) as (stream, taken):
        until(lambda: len(taken.more().of(Opening)) >= 3)
        stream.stop()
        taken.to_the_end()
    assert len(taken.of(Heard)) >= 2


@pytest.mark.slow
def test_frames_that_keep_coming_keep_the_connection():
    async def script(socket, _number):
        for message in tickers(15):
            await socket.send(message)
            await asyncio.wait([asyncio.ensure_future(socket.wait_closed())], timeout=0.3)
        await forever()

    # Ten times the pause between two frames, and less than all of them take.
    limits = msgspec.structs.replace(SHORT, silence_s=3.0)
    with running(Scripted(script)) as venue, streaming(venue.url, limits=limits) as (_, taken):
        until(lambda: len(taken.more().of(Heard)) >= 15)
    assert len({each.frame.connection for each in taken.of(Heard)[:15]}) == 1


@pytest.mark.slow
def test_a_full_inbox_stops_the_reading_and_nothing_of_it_is_lost():
    """The venue cannot send on; it is up to it to drop us."""
    sent, message = [], json.dumps(ticker(0) | {"pad": "x" * 10_000})
    count = 3000  # more than the buffers of both sides hold

    async def script(socket, _number):
        for _ in range(count):
            await socket.send(message)
            sent.append(message)
        await forever()

    bounds = {"limit": 10, "limits": msgspec.structs.replace(SHORT, silence_s=2.0)}
    with running(Scripted(script)) as venue, streaming(venue.url, **bounds) as (stream, taken):
        inbox = taken._inbox
        until(lambda: inbox.full and _stalled(sent))
        assert len(inbox) <= 10
        assert len(sent) < count
        # Longer than the silence that is allowed: it is we who do not read.
        until(lambda: _stalled(sent, 3.0))
        assert stream.connections == 1
        until(lambda: len(taken.more().of(Heard)) >= count)
        assert len({each.frame.connection for each in taken.of(Heard)[:count]}) == 1
        assert inbox.full >= 1


def _stalled(sent, seconds=0.2):
    before, pause = len(sent), threading.Event()
    pause.wait(seconds)
    return len(sent) == before


def test_a_frame_beyond_the_bound_is_a_dead_letter_and_the_connection_comes_again():
    async def script(socket, number):
        await socket.send(tickers(1)[0])
        if number == 1:
            await socket.send("x" * (SHORT.frame_bytes + 1))
        await forever()

    with running(Scripted(script)) as venue, streaming(venue.url) as (stream, taken):
        until(lambda: len(taken.more().of(Heard)) == 2)
        stream.stop()
        taken.to_the_end()
    (letter,) = taken.of(DeadLetter)
    first = taken.of(Opening)[0].connection
    assert (letter.fault, letter.source, letter.position) == (Fault.TOO_LONG, first, "2")
    assert str(SHORT.frame_bytes + 1) in letter.detail
    assert letter.cut
    assert taken.index(letter) < taken.index(Closing(first))


@pytest.mark.slow
def test_whatever_was_received_before_a_stop_is_in_the_inbox():
    sent, messages = [], tickers(20_000)

    async def script(socket, _number):
        for message in messages:
            await socket.send(message)
            sent.append(message)

    with running(Scripted(script)) as venue, streaming(venue.url) as (stream, taken):
        until(lambda: len(taken.more().of(Heard)) > 500)
        stream.stop()
        taken.to_the_end()
    heard = [entry.frame.data.decode() for entry in taken.of(Heard)]
    assert heard == messages[: len(heard)]
    assert len(heard) <= len(sent) + 1
    assert type(taken[-1]) is Closing


@pytest.mark.parametrize("limit", [10, 20_000])
def test_a_writer_that_dies_does_not_keep_the_stream(limit):
    """Whether it waits for room just then, or for a frame."""

    async def script(socket, _number):
        for message in tickers(1000):
            await socket.send(message)
        await forever()

    def die(taken):
        until(lambda: len(taken._inbox) >= min(limit, 1001))
        raise ZeroDivisionError

    with (
        running(Scripted(script)) as venue,
        pytest.raises(ZeroDivisionError),
        streaming(venue.url, limit=limit) as (_, taken),
    ):
        die(taken)


def test_a_stop_during_a_pause_or_a_handshake_is_at_once():
    class Long(Random):
        def uniform(self, _low, _high):
            return 3600.0

    async def script(_socket, _number):
        pass

    with (
        running(Scripted(script)) as venue,
        streaming(venue.url, random=Long()) as (stream, taken),
    ):
        until(lambda: len(taken.more().of(Closing)) == 1)
        stream.stop()
        taken.to_the_end()
    assert stream.failure is None


def test_a_venue_that_was_never_reached_is_a_failure_in_one_line():
    with running(Scripted(None)) as venue:
        url = venue.url
    with streaming(url) as (stream, taken):
        assert taken.to_the_end() == []
    assert "--venue simulated" in str(stream.failure)
    assert "\n" not in str(stream.failure)


def test_a_venue_that_was_reached_before_is_tried_until_it_is_back():
    async def script(socket, _number):
        await socket.send(tickers(1)[0])

    waits = NoWait()
    first = Scripted(script)
    with running(first):
        url = first.url
        inbox = Inbox(20_000)
        stream, taken = FrameStream(plan(url), inbox, waits), Taken(inbox)
        stream.__enter__()
        until(lambda: taken.more().of(Heard))
    until(lambda: taken.more() is taken and len(waits.bounds) > 20)
    stream.stop()
    taken.to_the_end()
    stream.__exit__(None, None, None)
    assert stream.failure is None
    assert max(waits.bounds) == 30.0


def test_rest_is_asked_beside_the_frames_and_its_answers_come_the_same_way():
    trades = {n: {"trade_id": n} for n in range(100)}

    async def script(socket, _number):
        await socket.send(tickers(1)[0])
        await forever()

    with (
        running(Scripted(script, pages(trades))) as venue,
        streaming(venue.url) as (stream, taken),
    ):
        until(lambda: taken.more().of(Heard))
        hole = Hole("c", "BTC-USD", 5, 9, 5, 1)
        stream.ask(hole)
        until(lambda: taken.more().of(Asked))
    assert taken.of(Asked) == [Asked(hole)]
    (answer,) = taken.of(Answer)
    assert json.loads(answer.frame.data) == [{"trade_id": n} for n in range(9, 4, -1)]


def test_a_token_goes_through_no_open_socket():
    async def script(_socket, _number):
        await forever()

    with (
        running(Scripted(script)) as venue,
        streaming(venue.url, token=lambda: "secret"),
    ):
        until(lambda: len(venue.heard) == 2)
    assert "jwt" not in venue.heard[0]


def test_only_a_venue_with_a_good_certificate_is_believed_and_gets_a_fresh_token(
    tmp_path, monkeypatch
):
    pem = certificate(tmp_path / "good.pem")

    async def script(socket, _number):
        await socket.send(tickers(1)[0])
        await forever()

    tokens = iter("abcdef")
    with running(Scripted(script, tls=serving(pem))) as venue:
        url = venue.url.replace("127.0.0.1", "localhost")
        with streaming(url) as (stream, taken):
            taken.to_the_end()
        assert "certificate" in str(stream.failure)
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        with streaming(url, token=lambda: next(tokens)) as (stream, taken):
            until(lambda: taken.more().of(Heard))
            until(lambda: len(venue.heard) == 2)
    assert [message["jwt"] for message in venue.heard] == ["a", "b"]
    assert stream.failure is None


def test_another_certificate_at_a_reconnect_is_reported_and_no_token_goes_there(
    tmp_path, monkeypatch
):
    good, other = certificate(tmp_path / "good.pem"), certificate(tmp_path / "other.pem", "evil")
    monkeypatch.setenv("SSL_CERT_FILE", str(good))
    context = serving(good)
    tokens = iter("abcd")

    async def script(socket, _number):
        await socket.send(tickers(1)[0])
        await forever()

    with running(Scripted(script, tls=context)) as venue:
        url = venue.url.replace("127.0.0.1", "localhost")
        with streaming(url, token=lambda: next(tokens)) as (stream, taken):
            until(lambda: len(venue.heard) == 2)
            context.load_cert_chain(other)
            venue.drop()
            until(lambda: len(taken.more().of(Trouble)) >= 3)
            assert stream.connections == 1
            context.load_cert_chain(good)
            until(lambda: len(venue.heard) == 4)
    assert [message["jwt"] for message in venue.heard] == ["a", "b", "c", "d"]
    assert "certificate" in taken.of(Trouble)[0].why


@pytest.mark.parametrize("hello", [b"", b"\x15\x03\x03\x00\x02\x02\x28"])
def test_a_tls_handshake_that_never_ends_or_fails_is_a_failure(hello):
    """None of the product's time, and none of its end, depends on the other side."""
    with sockets.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)

        def greet():
            peer, _ = server.accept()
            peer.sendall(hello)
            return peer

        url = f"wss://localhost:{server.getsockname()[1]}"
        limits = msgspec.structs.replace(SHORT, open_s=0.5)
        with ThreadPoolExecutor(1) as pool, streaming(url, limits=limits) as (stream, taken):
            greeting = pool.submit(greet)
            assert taken.to_the_end() == []
            greeting.result(60).close()
    assert "cannot be reached" in str(stream.failure)


def test_a_stop_during_a_tls_handshake_is_at_once():
    with sockets.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        url = f"wss://localhost:{server.getsockname()[1]}"
        with ThreadPoolExecutor(1) as pool:
            limits = msgspec.structs.replace(SHORT, open_s=3600.0)
            with streaming(url, limits=limits) as (stream, taken):
                peer, _ = pool.submit(server.accept).result(60)
                stream.stop()
                taken.to_the_end()
            peer.close()


def test_a_name_that_is_lost_at_a_reconnect_is_looked_up_until_it_is_found(monkeypatch):
    known = [True]
    look_up = sockets.getaddrinfo

    def getaddrinfo(host, *arguments, **kinds):
        if host == "venue.test" and not known[0]:
            raise sockets.gaierror(-3, "Temporary failure in name resolution")
        return look_up("127.0.0.1" if host == "venue.test" else host, *arguments, **kinds)

    monkeypatch.setattr(sockets, "getaddrinfo", getaddrinfo)
    monkeypatch.setenv("NO_PROXY", "*")

    async def script(socket, _number):
        known[0] = False
        await socket.send(tickers(1)[0])

    with running(Scripted(script)) as venue:
        url = venue.url.replace("127.0.0.1", "venue.test")
        with streaming(url) as (_, taken):
            until(lambda: taken.more().of(Trouble))
            known[0] = True
            until(lambda: len(taken.more().of(Opening)) == 2)
    assert "name resolution" in taken.of(Trouble)[0].why


def test_a_name_server_that_never_answers_keeps_no_stream(monkeypatch):
    """Lookups of asyncio's own would be waited for at the loop's end."""
    lookup_began, answer = threading.Event(), threading.Event()
    look_up = sockets.getaddrinfo

    def getaddrinfo(host, *arguments, **kinds):
        if host == "venue.test":
            lookup_began.set()
            answer.wait(60)
            host = "127.0.0.1"
        return look_up(host, *arguments, **kinds)

    monkeypatch.setattr(sockets, "getaddrinfo", getaddrinfo)
    monkeypatch.setenv("NO_PROXY", "*")
    with streaming("ws://venue.test:1/") as (stream, taken):
        assert lookup_began.wait(60)
        stream.stop()
        taken.to_the_end()
    answer.set()


@pytest.mark.slow
def test_pongs_that_nobody_reads_end_the_connection_and_are_counted():
    """They grew this process by 25 MB a second."""

    async def script(socket, number):
        await socket.send(tickers(1)[0])
        if number == 1:
            socket.transport.pause_reading()
            while not socket.transport.is_closing():
                if socket.transport.get_write_buffer_size() < 1 << 18:
                    socket.transport.write((b"\x89\x7d" + b"p" * 125) * 500)
                await asyncio.sleep(0)
            return
        await forever()

    patient = msgspec.structs.replace(SHORT, silence_s=60.0)
    with (
        running(Scripted(script)) as venue,
        streaming(venue.url, limits=patient) as (stream, taken),
    ):
        until(lambda: len(taken.more().of(Opening)) == 2)
    assert stream.overflows == 1
    (trouble,) = taken.of(Trouble)
    assert "unread" in trouble.why
    assert taken.index(trouble) < taken.index(taken.of(Closing)[0])


def test_large_frames_fill_the_inbox_by_their_bytes():
    sent = json.dumps(ticker(0) | {"pad": "x" * 500_000})

    async def script(socket, _number):
        for _ in range(30):
            await socket.send(sent)
        await forever()

    with running(Scripted(script)) as venue:
        inbox, most = Inbox(20_000, 2 << 20), []
        with FrameStream(plan(venue.url), inbox, NoWait()):
            until(lambda: inbox.full)
            heard = 0
            while heard < 30:
                most.append(inbox.waiting_bytes)
                heard += sum(type(each) is Heard for each in inbox.take(1, 5.0))
    assert max(most) <= 2 << 20
