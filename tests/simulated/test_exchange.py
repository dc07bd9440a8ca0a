"""The simulated exchange over real sockets on this machine."""

import json
import socket
import time
import urllib.error
import urllib.request

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from barograph.errors import BadInputError
from barograph.simulated import exchange as exchange_module
from barograph.simulated.exchange import PATHS, Exchange, Terms, running
from barograph.simulated.fault_script import FaultKind, ScriptedFault
from barograph.simulated.law import PRESETS
from barograph.simulated.ledger import LedgerSummary
from barograph.simulated.market import SimulatedMarket
from barograph.simulated.sources import Source, simulated
from barograph.types import Gap, Tick
from barograph.venues.entries import Dialect
from market_events import PRODUCTS, START_NS, SUBSCRIPTIONS, S, heard, minute
from waiting import until

LIMIT_S = 120


def market(seed=1):
    return simulated(SimulatedMarket(PRESETS["market"], PRODUCTS, seed, START_NS))


def exchange(*script, speed=50.0, source=None, **terms):
    terms = {"wait_for_reader": True, "keep_frames": True} | terms
    return Exchange(source or market(), script, speed=speed, terms=Terms(**terms))


def reader(address, dialect=Dialect.EXCHANGE, *, subscribe=True, **how):
    """A client that does not wait long when it leaves with frames unread."""
    path = next(path for path, each in PATHS.items() if each is dialect)
    how = {"max_size": None, "compression": None, "close_timeout": 0.1} | how
    client = connect(f"ws://{address}{path}", legacy=True, **how)
    for request in SUBSCRIPTIONS[dialect] if subscribe else ():
        client.send(json.dumps(request))
    return client


def hear(client, enough=lambda _data: False):
    """All frames until the line closes or there are enough."""
    data = []
    try:
        while not enough(data):
            each = client.recv(timeout=LIMIT_S)
            data.append(each if isinstance(each, bytes) else each.encode())
    except ConnectionClosed:
        pass
    return data


def get(address, path):
    """(status, what it says)."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=LIMIT_S) as answer:
            assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


@pytest.mark.slow
@pytest.mark.parametrize("speed", [100.0, None], ids=["paced", "max"])
@pytest.mark.parametrize("dialect", Dialect)
def test_every_trade_that_was_made_is_heard_once_and_nothing_else(dialect, speed):
    with running(exchange(speed=speed, limit_s=60.0)) as running_exchange:
        ledger = running_exchange.ledger
        with reader(running_exchange.address, dialect) as client:
            until(lambda: running_exchange.ended)
            data = hear(client, lambda data: len(data) == ledger.connections[0].frames)
    assert data == [sent.data for sent in ledger.sent[1]]
    events, letters = heard(dialect, data)
    assert letters == []
    assert not [event for event in events if isinstance(event, Gap)]
    ticks = [event for event in events if isinstance(event, Tick)]
    for product in PRODUCTS:
        made = [(p.time_ns, p.price, p.bid, p.ask) for p in ledger.trades[product]]
        assert [
            (t.event_time_ns, t.price, t.bid, t.ask) for t in ticks if t.product == product
        ] == made
        assert made
    assert ledger.now_ns == START_NS + 60 * S


def test_the_same_seed_is_the_same_market_whoever_listens_how():
    made = []
    for speed in (None, 200.0):
        with running(exchange(speed=speed, limit_s=30.0)) as running_exchange:
            with reader(running_exchange.address) as client:
                until(lambda: running_exchange.ended)
                hear(client, lambda data: len(data) > 10)
            made.append(running_exchange.ledger.trades)
    assert made[0] == made[1]


@pytest.mark.slow
def test_the_market_keeps_the_pace_that_it_is_given():
    with (
        running(exchange(speed=20.0, limit_s=20.0)) as running_exchange,
        reader(running_exchange.address),
    ):
        started_s = time.monotonic()
        until(lambda: running_exchange.ended)
        assert time.monotonic() - started_s >= 0.9


def test_a_market_goes_on_without_readers_unless_it_is_to_wait():
    with running(exchange(wait_for_reader=False)) as running_exchange:
        until(lambda: running_exchange.ledger.now_ns > START_NS + 2 * S)
        with reader(running_exchange.address, Dialect.ADVANCED) as client:
            first = json.loads(client.recv(timeout=LIMIT_S))
        assert first["events"][0]["type"] == "snapshot"


def test_a_source_that_ends_is_the_end_of_the_market():
    source = Source(PRODUCTS, START_NS, iter(minute()))
    with running(exchange(source=source, speed=None)) as running_exchange:
        with reader(running_exchange.address) as client:
            data = hear(client, lambda data: len(data) == 181)
        until(lambda: running_exchange.ended)
    assert len(data) == 181


def test_who_does_not_subscribe_in_time_is_shown_out():
    with running(exchange(subscribe_within_s=0.05)) as running_exchange:
        client = reader(running_exchange.address, subscribe=False)
        client.send('{"type":"subscribe","product_ids":["FOO-USD"],"channels":["ticker"]}')
        assert [json.loads(each)["type"] for each in hear(client)] == ["error", "subscriptions"]
        assert client.close_code == 1008
        until(lambda: running_exchange.ledger.connections[0].closed_ns is not None)


@pytest.mark.slow
def test_one_bad_product_does_not_stop_the_others():
    with (
        running(exchange()) as running_exchange,
        reader(running_exchange.address, subscribe=False) as client,
    ):
        names = ["FOO-USD", "ETH-USD"]
        request = {"type": "subscribe", "product_ids": names, "channels": ["ticker"]}
        client.send(json.dumps(request))
        data = [json.loads(each) for each in hear(client, lambda data: len(data) == 5)]
    assert [each["type"] for each in data] == ["error", "subscriptions", *["ticker"] * 3]
    assert {each["product_id"] for each in data[2:]} == {"ETH-USD"}


@pytest.mark.slow
def test_a_reader_that_does_not_read_is_kicked_out_and_the_others_are_not():
    with running(exchange(speed=3000.0, queue_bytes=1 << 16)) as running_exchange:
        ledger = running_exchange.ledger
        with reader(running_exchange.address) as quick:
            slow = reader(running_exchange.address)
            hear(quick, lambda _: ledger.connections[1:] and ledger.connections[1].closed_ns)
            assert ledger.connections[0].closed_ns is None
        lost = hear(slow)
        (deed,) = ledger.connections[1].deeds
        assert (deed.kind, deed.fault) == (FaultKind.SLOW_READER, None)
        assert 0 < len(lost) < ledger.connections[1].frames


@pytest.mark.slow
def test_a_half_open_line_stays_and_answers_nothing():
    fault = ScriptedFault(FaultKind.HALF_OPEN, 5.0)
    with running(exchange(fault)) as running_exchange:
        ledger = running_exchange.ledger
        client = reader(running_exchange.address, ping_interval=None)
        until(lambda: ledger.now_ns > START_NS + 20 * S)
        client.send('{"type":"subscribe","product_ids":["BTC-USD"],"channels":["ticker"]}')
        assert not client.ping().wait(0.2)
        data = hear(client, lambda data: len(data) == ledger.connections[0].frames)
        with pytest.raises(TimeoutError):
            client.recv(timeout=0.05)
        assert ledger.connections[0].closed_ns is None
        assert all(sent.frame.time_ns < START_NS + 5 * S for sent in ledger.sent[1])
        assert len(data) == len(ledger.sent[1])
        started_s = time.monotonic()
    assert time.monotonic() - started_s < 9  # websockets alone would wait for 10 s
    client.close()


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (ScriptedFault(FaultKind.DISCONNECT, 5.0), 1006),
        (ScriptedFault(FaultKind.DISCONNECT, 5.0, code=1012), 1012),
        (ScriptedFault(FaultKind.SLOW_READER, 5.0), 1008),
    ],
)
def test_a_line_that_is_cut_ends_there_and_another_may_follow(fault, code):
    with running(exchange(fault)) as running_exchange:
        ledger = running_exchange.ledger
        first = reader(running_exchange.address)
        data = hear(first)
        assert first.protocol.close_code == code
        assert len(data) <= ledger.connections[0].frames
        with reader(running_exchange.address) as second:
            assert len(hear(second, lambda data: len(data) == 20)) == 20
        assert [deed.kind for deed in ledger.connections[0].deeds] == [fault.kind]
        assert ledger.connections[1].deeds == []


def test_connections_are_refused_as_often_as_the_script_says():
    fault = ScriptedFault(FaultKind.REFUSE, 0.0, count=2)
    with running(exchange(fault)) as running_exchange:
        for _ in range(2):
            client = reader(running_exchange.address, subscribe=False)
            assert hear(client) == []
        with reader(running_exchange.address) as client:
            assert hear(client, lambda data: len(data) == 1)
        assert [deed.kind for deed in running_exchange.ledger.deeds] == [FaultKind.REFUSE]


@pytest.mark.parametrize("dialect", Dialect)
def test_what_is_altered_arrives_as_it_was_altered(dialect):
    script = [
        ScriptedFault(FaultKind.GARBAGE, 1.0, count=2),
        ScriptedFault(FaultKind.WRONG_TYPES, 3.0),
        ScriptedFault(FaultKind.OVERSIZED, 5.0, size_bytes=3 << 20),
        ScriptedFault(FaultKind.DUPLICATE, 7.0),
        ScriptedFault(FaultKind.REORDER, 9.0),
        ScriptedFault(FaultKind.CLOCK_JUMP, 15.0, seconds=3.0),
    ]
    with running(exchange(*script, limit_s=20.0)) as running_exchange:
        ledger = running_exchange.ledger
        with reader(running_exchange.address, dialect) as client:
            until(lambda: running_exchange.ended)
            data = hear(client, lambda data: len(data) == ledger.connections[0].frames)
    assert data == [sent.data for sent in ledger.sent[1]]
    assert {deed.fault for deed in ledger.connections[0].deeds} == set(range(6))
    assert max(map(len, data)) == 3 << 20
    assert any(each[:1] == b"\xff" for each in data)


def test_an_unfilled_hole_can_be_asked_for():
    fault = ScriptedFault(FaultKind.DROP, 5.0, count=3, product="BTC-USD", channel="ticker")
    with running(exchange(fault)) as running_exchange:
        address, ledger = running_exchange.address, running_exchange.ledger
        with reader(address) as client:
            hear(client, lambda _: ledger.now_ns > START_NS + 20 * S)
        (deed,) = ledger.connections[0].deeds
        lost = deed.trades["BTC-USD"]
        status, page = get(address, f"/products/BTC-USD/trades?limit=3&after={lost[-1] + 1}")
        assert (status, [each["trade_id"] for each in page]) == (200, lost[::-1])
        assert get(address, "/products/FOO-USD/trades") == (404, {"message": "NotFound"})
        assert get(address, "/products/BTC-USD/trades?limit=0")[0] == 400
        assert get(address, "/nonsense") == (404, {"message": "NotFound"})
        status, body = get(address, "/ledger")
        summary = msgspec.convert(body, LedgerSummary)
        assert (status, summary.rest) == (200, {"200": 1, "404": 1, "400": 1})
        assert summary.connections[0].deeds == [deed]


def test_a_port_that_is_taken_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(BadInputError, match=f"127.0.0.1:{port}: another program listens there"),
            running(Exchange(market(), port=port)),
        ):
            pass


def test_a_host_that_is_none_is_one_line():
    with (
        pytest.raises(BadInputError, match="Name another"),
        running(Exchange(market(), host="256.0.0.1")),
    ):
        pass


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_a_speed_that_goes_nowhere_is_refused(speed):
    with pytest.raises(BadInputError, match="Give a factor, or max"):
        Exchange(market(), speed=speed)


def test_what_a_market_dies_of_is_not_lost():
    def failing():
        yield from minute(range(2))
        raise ArithmeticError("the tape tore")

    broken = exchange(source=Source(PRODUCTS, START_NS, failing()), wait_for_reader=False)

    def died():
        try:
            broken.check()
        except ArithmeticError:
            return True
        return False

    with pytest.raises(ArithmeticError, match="the tape tore"), running(broken):
        until(died)


@pytest.mark.slow
def test_many_readers_hear_the_same():
    with running(exchange(limit_s=20.0)) as running_exchange:
        clients = [reader(running_exchange.address, subscribe=False) for _ in range(20)]
        for client in clients[1:]:
            client.send(json.dumps({"type": "unsubscribe", "channels": ["ticker"]}))
            client.recv(timeout=LIMIT_S)
        for client in [*clients[1:], clients[0]]:
            client.send(json.dumps(SUBSCRIPTIONS[Dialect.EXCHANGE][0]))
        until(lambda: running_exchange.ended)
        ledger = running_exchange.ledger
        for client in clients:
            client.close()
        until(lambda: all(line.closed_ns is not None for line in ledger.connections))
        last = {sent[-1].data for sent in ledger.sent.values()}
    assert len(ledger.connections) == 20
    assert len(last) == 1


def test_a_market_of_the_present_makes_up_for_what_has_passed_and_then_keeps_time():
    """Nothing of what passed before everything was subscribed is missed."""
    start_ns = (time.time_ns() // S - 30) * S
    source = simulated(SimulatedMarket(PRESETS["market"], PRODUCTS, 1, start_ns))
    with running(exchange(source=source, speed=1.0, present=True)) as served:
        with reader(served.address) as client:
            until(lambda: served.ledger.now_ns > start_ns + 30 * S)
            last = {product: made[-1].trade_id for product, made in served.ledger.trades.items()}
            frames = hear(client, lambda data: hold_tickers_of(data, last))
        assert abs(served.ledger.now_ns - time.time_ns()) < LIMIT_S * S
    for product, made in served.ledger.trades.items():
        trade_ids = [
            each["trade_id"]
            for each in map(json.loads, frames)
            if each["type"] == "ticker" and each["product_id"] == product
        ]
        assert trade_ids == [trade.trade_id for trade in made][: len(trade_ids)]


def hold_tickers_of(frames, last):
    """Whether the frames hold a ticker of each of these trades."""
    last_ids = {f'"trade_id":{trade_id}'.encode() for trade_id in last.values()}
    return bool(frames) and all(any(each in frame for frame in frames[-400:]) for each in last_ids)


def test_an_address_that_is_none_is_a_bad_request():
    with running(exchange()) as running_exchange:
        host, port = running_exchange.address.split(":")
        with socket.create_connection((host, int(port)), LIMIT_S) as client:
            client.sendall(b"GET //[oops HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 400 ")


def test_connections_beyond_the_bound_are_turned_away(monkeypatch):
    monkeypatch.setattr(exchange_module, "MAX_CONNECTIONS", 1)
    with running(exchange()) as running_exchange, reader(running_exchange.address):
        until(lambda: running_exchange.ledger.connections)
        with pytest.raises(InvalidStatus, match="503"):
            reader(running_exchange.address)


@pytest.mark.slow
def test_a_reader_that_floods_with_pings_and_reads_no_pong_is_cut():
    with running(exchange(queue_bytes=1 << 18)) as running_exchange:
        pings = (b"\x89\xfd" + b"\0" * 4 + b"p" * 125) * 1000
        host, port = running_exchange.address.split(":")
        raw = socket.create_connection((host, int(port)), LIMIT_S)
        with raw:
            raw.sendall(
                b"GET /exchange HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            with pytest.raises(ConnectionError):
                raw.sendall(pings * 1000)
