"""What is found on the network: real closed ports, a real server whose clock is off."""

import http.server
import socket
import threading
import time
from email.utils import formatdate

import msgspec
import pytest

from barograph.app.runs.doctor import network
from barograph.app.runs.doctor.examination import State
from barograph.venues.coinbase.endpoints import endpoint


@pytest.fixture
def closed():
    """An address at which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def venue_off(request):
    """A venue on this machine whose clock is off by so many seconds."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response_only(404)
            if request.param is not None:
                self.send_header("Date", formatdate(time.time() - request.param, usegmt=True))
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield endpoint("simulated", f"ws://127.0.0.1:{server.server_port}")
        server.shutdown()


@pytest.mark.parametrize(("needed", "state"), [(True, State.PROBLEM), (False, State.WARNING)])
def test_a_venue_that_cannot_be_reached_is_a_problem_where_it_is_needed(closed, needed, state):
    found = list(network.venue(endpoint("coinbase", f"ws://{closed}"), needed=needed))
    assert [each.state for each in found] == [state, state]
    assert all("Connection refused" in each.text and each.cure for each in found)


@pytest.mark.parametrize("venue_off", [0], indirect=True)
def test_a_venue_that_answers_is_well_and_so_is_our_clock(venue_off):
    found = [*network.venue(venue_off, needed=True), *network.clock(venue_off)]
    assert [each.state for each in found] == [State.OK] * 3


@pytest.mark.parametrize(
    ("venue_off", "word"), [(60, "fast"), (-3600, "slow")], indirect=["venue_off"]
)
def test_a_clock_that_is_off_is_a_problem(venue_off, word):
    (found,) = network.clock(venue_off)
    assert (found.state, word in found.text) == (State.PROBLEM, True)
    assert "timedatectl" in found.cure


@pytest.mark.parametrize("venue_off", [None], indirect=True)
def test_a_clock_that_nothing_tells_is_not_known(venue_off):
    (found,) = network.clock(venue_off)
    assert (found.state, "not known" in found.text) == (State.WARNING, True)


def test_a_venue_without_rest_has_a_socket_alone(closed):
    place = msgspec.structs.replace(endpoint("coinbase", f"ws://{closed}"), rest=None)
    assert len(list(network.venue(place, needed=False))) == 1


def test_a_broker_that_is_not_there_is_a_problem(closed):
    (found,) = network.brokers(f"kafka://{closed}/space")
    assert (found.name, found.state) == (f"broker {closed}", State.PROBLEM)
    assert "make kafka" in found.cure


@pytest.mark.slow
def test_what_listens_and_is_no_broker_is_a_problem_in_time():
    pytest.importorskip("confluent_kafka", reason="needs the extra 'kafka'")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began_s = time.monotonic()
        *_, last = network.brokers(f"kafka://127.0.0.1:{silent.getsockname()[1]}")
    assert (last.name, last.state) == ("kafka", State.PROBLEM)
    assert last.cure
    assert time.monotonic() - began_s < 30
