"""The server: where it listens, and how it ends."""

import socket
import threading
from contextlib import closing

import pytest

from barograph.app.web import server
from barograph.app.web.server import listening, listening_or_free
from barograph.errors import BadInputError
from web_site import market_log, served


def test_a_taken_port_is_refused_with_a_cure():
    with closing(listening("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadInputError, match=f"port {port}: another program") as refused:
            listening("127.0.0.1", port)
        assert "--port 0" in str(refused.value)


def test_where_the_default_port_is_taken_a_free_one_is_used_and_named(monkeypatch):
    warnings = []
    with closing(listening("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(server, "DEFAULT_PORT", taken.getsockname()[1])
        with closing(listening_or_free("127.0.0.1", None, warnings.append)) as free:
            assert str(free.getsockname()[1]) in warnings[0]
        with pytest.raises(BadInputError):
            listening_or_free("127.0.0.1", taken.getsockname()[1], warnings.append)


@pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.invalid"])
def test_an_address_that_is_not_this_machine_is_refused(host):
    with pytest.raises(BadInputError, match="nothing can listen"):
        listening(host, 0)


def test_a_server_ends_with_its_streams_and_leaves_no_thread(tmp_path):
    before = set(threading.enumerate())
    with market_log(tmp_path), served(tmp_path) as client:
        assert client.get("/v1/cases").status == 200
        with client.stream() as events:
            assert events.next()["event"] == "status"
            client.server.__exit__(None, None, None)
            while events.next() is not None:  # what was on its way
                pass
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((client.host, int(client.port)), 5)
    left = [each.name for each in set(threading.enumerate()) - before if "web" in each.name]
    assert left == []
    assert client.server.summary().requests >= 1
    with pytest.raises(BadInputError, match="has ended"):
        client.server.check()
