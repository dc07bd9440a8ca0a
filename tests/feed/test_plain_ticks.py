"""Plain lines in columns: what the machine makes of them, and nothing where it may not be asked."""

import json

import pytest

from barograph.codec import encode
from barograph.feed import plain_ticks
from barograph.feed.plain_ticks import may_be_plain
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.entries import Dialect, Heard, Opening, Rules
from coinbase_messages import START, S, frame, ticker

OPENING = Opening(connection="c", dialect=Dialect.EXCHANGE, recorded=True)
LINES = [
    json.dumps(ticker(n, product_id=product)).encode()
    for n in range(2, 6)
    for product in ("BTC-USD", "ETH-USD")
]


@pytest.fixture(autouse=True)
def _few_lines_are_worth_it(monkeypatch, request):
    if "worth_it" not in request.node.name:
        monkeypatch.setattr(plain_ticks, "LINES_A_PRODUCT", 0)


def venue(rules=None, opening=OPENING, products=("BTC-USD", "ETH-USD")):
    """A machine that has heard two ticks of each product."""
    machine = Coinbase(rules or Rules())
    machine.take(opening)
    for n in range(2):
        for product in products:
            machine.take(Heard(frame(ticker(n, product_id=product), "c"), Dialect.EXCHANGE))
    return machine


def heard(machine, lines):
    return [
        event
        for line in lines
        for event in machine.take(Heard(frame(line, "c"), Dialect.EXCHANGE)).events
    ]


def test_ticks_are_what_the_machine_makes_of_the_lines():
    alone, beside = venue(), venue()
    ticks = plain_ticks.plain_ticks(LINES, OPENING, beside.continuity)
    events = heard(alone, LINES)
    assert ticks.products == [event.product for event in events]
    assert ticks.values == [encode(event) for event in events]
    assert ticks.times == {
        product: [START + n * S for n in range(2, 6)] for product in ("BTC-USD", "ETH-USD")
    }
    assert beside.snapshot() == alone.snapshot()


def test_they_end_before_the_first_line_that_is_not_plain():
    machine = venue()
    ticks = plain_ticks.plain_ticks([*LINES[:3], b"{}", *LINES[3:]], OPENING, machine.continuity)
    assert len(ticks.values) == 3
    assert plain_ticks.plain_ticks([b"{}"], OPENING, machine.continuity).values == ()


def test_a_product_that_the_rules_no_longer_ask_for_is_left_to_the_machine():
    machine = venue()
    machine.continuity.keep_to(Rules(products=frozenset({"ETH-USD"})))
    heard(machine, LINES[1:2])
    ticks = plain_ticks.plain_ticks(LINES[2:], OPENING, machine.continuity)
    assert ticks.values == ()


def test_a_name_that_is_another_products_book_is_left_to_the_machine():
    machine = venue(Rules(books={"ETH-USD": "BTC-USD"}))
    ticks = plain_ticks.plain_ticks(LINES[1:], OPENING, machine.continuity)
    assert ticks.values == ()


@pytest.mark.parametrize(
    ("lines", "opening", "may"),
    [
        (32, OPENING, True),
        (31, OPENING, False),
        (99, Opening(connection="c", dialect=Dialect.EXCHANGE, fill=True), False),
        (99, Opening(connection="other", dialect=Dialect.EXCHANGE), False),
    ],
)
def test_the_lane_is_worth_it_for_many_lines_of_an_open_connection_without_holes(
    lines, opening, may
):
    assert may_be_plain(lines, opening, venue().continuity) is may


def test_nothing_may_be_plain_before_a_product_is_known_or_while_one_is_held():
    assert not may_be_plain(99, OPENING, venue(products=()).continuity)
    machine = venue(opening=Opening(connection="c", dialect=Dialect.EXCHANGE, fill=True))
    heard(machine, [json.dumps(ticker(9)).encode()])
    assert machine.holes()
    assert not may_be_plain(99, OPENING, machine.continuity)
