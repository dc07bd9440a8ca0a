"""Two names are one series where the venue says that they are one book, and nowhere else."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.venues.books import SUFFIX, UNIFIED, book_of
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.entries import Dialect, Heard, Opening, Rules
from coinbase_messages import envelope, frame, ticker


def products(machine, *messages, dialect=Dialect.EXCHANGE):
    """The products of the events that messages come to, in order."""
    received = [machine.take(Heard(frame(message), dialect)) for message in messages]
    assert [letter for each in received for letter in each.dead_letters] == []
    return [event.product for each in received for event in each.events]


def test_a_name_of_the_list_is_its_book_and_an_unknown_one_stays_apart():
    assert book_of("BTC-USDC") == "BTC-USD"
    for apart in ("USDT-USDC", "EURC-USDC", "NEWCOIN-USDC", "BTC-PERP-INTX", "-USDC", "USDC", ""):
        assert book_of(apart) == apart


def test_the_word_of_the_venue_goes_before_the_list():
    said = {"NEW-USDC": "NEW-USD"}
    assert book_of("NEW-USDC", said) == "NEW-USD"
    assert book_of("BTC-USDC", said) == "BTC-USDC"


@given(st.text("ABC-USDCT", max_size=12))
def test_a_book_is_its_own_book(name):
    for books in (UNIFIED, SUFFIX, {"A-USDC": "A-USD"}):
        assert book_of(book_of(name, books), books) == book_of(name, books)


def test_two_books_of_dollars_are_two_products_in_both_dialects():
    names = ("USDT-USD", "USDT-USDC")
    messages = [ticker(n, product_id=name) for n in range(3) for name in names]
    assert products(Coinbase(), *messages) == list(names) * 3
    messages = [envelope(2 * n + k, (name,)) for n in range(3) for k, name in enumerate(names)]
    assert products(Coinbase(), *messages, dialect=Dialect.ADVANCED) == list(names) * 3


def test_ids_of_two_books_are_no_repeats_of_each_other():
    far = {"trade_id": 5_000_000}
    messages = [ticker(0, product_id="USDT-USD"), ticker(0, product_id="USDT-USDC", **far)]
    assert products(Coinbase(), *messages) == ["USDT-USD", "USDT-USDC"]


@pytest.mark.parametrize(("books", "heard"), [(None, "NEW-USD"), (UNIFIED, "NEW-USDC")])
def test_an_archive_of_an_older_version_is_read_as_it_was_judged(books, heard):
    opening = Opening(connection="c", dialect=Dialect.EXCHANGE, rules=Rules())
    written = {"products": None, "silence_timeout_s": 10.0, "future_s": 60.0}
    if books is not None:
        written["books"] = books
    rules = msgspec.convert(written, Rules)
    machine = Coinbase()
    machine.take(msgspec.structs.replace(opening, rules=rules))
    assert products(machine, ticker(0, product_id="NEW-USDC")) == [heard]


def test_a_machine_knows_which_names_it_joined():
    machine = Coinbase()
    products(machine, ticker(0), ticker(1, product_id="BTC-USDC"), ticker(0, product_id="ETH-USD"))
    assert machine.continuity.joined == {"BTC-USDC": "BTC-USD"}
