"""What is let in: names, origins, and how much of each client."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.app.web import limits
from barograph.app.web.limits import Budgets, Names, cost_of


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1:8000", True),
        ("localhost", True),
        ("LOCALHOST:1", True),
        ("[::1]:8000", True),
        ("markets.lan", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("localhost@evil.example", False),
        ("evil.example#localhost", False),
        ("127.0.0.1:x", False),
        ("", False),
        ("[::1", False),
        ("localhost/x", False),
    ],
)
def test_only_the_servers_own_names_are_hosts(host, allowed):
    assert Names("127.0.0.1", ["Markets.lan"]).allow_host(host) is allowed


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://127.0.0.1:8000", True),
        ("https://page.example", True),
        ("https://evil.example", False),
        ("null", False),
        ("file://localhost", False),
        ("", False),
    ],
)
def test_only_its_own_and_the_named_origins_may_change_something(origin, allowed):
    assert Names("127.0.0.1", (), ["https://page.example/"]).allow_origin(origin) is allowed


@given(st.lists(st.tuples(st.floats(0, 0.5), st.floats(0.1, 50)), min_size=1, max_size=60))
def test_nobody_gets_more_than_the_rate_and_the_first_two_seconds(requests):
    budgets, now_s, spent = Budgets(100.0), 0.0, 0.0
    for pause_s, cost in requests:
        now_s += pause_s
        if not budgets.spend("a", cost, now_s):
            spent += cost
        assert spent <= 200.0 + 100.0 * now_s + 1e-6


def test_whoever_waits_as_long_as_told_is_let_in():
    budgets = Budgets(10.0)
    assert budgets.spend("a", 20.0, 0.0) == 0.0
    wait_s = budgets.spend("a", 5.0, 0.0)
    assert wait_s == pytest.approx(0.5, rel=1e-12)
    assert budgets.spend("a", 5.0, wait_s) == 0.0
    assert budgets.spend("b", 5.0, 0.0) == 0.0


def test_no_more_clients_are_remembered_than_the_bound(monkeypatch):
    monkeypatch.setattr(limits, "MAX_CLIENTS", 3)
    budgets = Budgets(1.0)
    for client in "abcde":
        budgets.spend(client, 1.0, 0.0)
    assert list(budgets._left) == ["c", "d", "e"]


def test_a_route_of_a_case_costs_what_the_route_costs():
    assert cost_of("/v1/cases/spikes/series/BTC-USD") == cost_of("/v1/series/BTC-USD") > 1
    assert cost_of("/v1/predict") == cost_of("/v1/cases") == 1.0
    assert cost_of("/v1/models/promote") > cost_of("/v1/model")
