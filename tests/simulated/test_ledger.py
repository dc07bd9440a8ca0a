"""The books of a simulated exchange: what was made, what was sent, and who did what to whom."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.simulated.fault_script import FaultKind, ScriptedFault
from barograph.simulated.faults import Close, Send
from barograph.simulated.ledger import Ledger, LedgerSummary, Subscription
from barograph.venues.entries import Dialect
from market_events import PRODUCTS, START_NS, S, minute, subscribed, trade
from random_faults import random_script


def at(seconds):
    return START_NS + int(seconds * S)


def books(*script, **how):
    """A ledger, a minute later, of one connection under a script."""
    ledger = Ledger(PRODUCTS, script, start_ns=START_NS, **how)
    account = ledger.opened(1, Dialect.EXCHANGE)
    session = subscribed(Dialect.EXCHANGE, script)
    ledger.subscribed(account, session.subscribed)
    ledger.made(minute(), at(60))
    ledger.note(account, session.advance(minute(), at(60)))
    ledger.note(account, session.end())
    ledger.closed(account)
    return ledger, account


def test_every_trade_that_was_made_stands_in_the_books():
    ledger, _ = books()
    btc = ledger.products["BTC-USD"]
    assert (btc.trades, btc.first_trade_id, btc.last_trade_id) == (60, 0, 59)
    assert (btc.first_time_ns, btc.last_time_ns) == (at(0), at(59))
    assert ledger.trades["BTC-USD"] == [trade(n) for n in range(60)]
    assert ledger.products["ETH-USD"].trades == 0


def test_a_quote_that_moved_without_a_trade_is_none():
    ledger = Ledger(PRODUCTS)
    ledger.made([trade(1), trade(1, 2, bid="1"), trade(2)], at(3))
    assert ledger.trades["BTC-USD"] == [trade(1), trade(2)]


def test_a_connection_has_its_counts_and_its_times():
    ledger, account = books()
    assert account.frames == 180
    assert account.bytes > 180 * 100
    assert (account.opened_ns, account.closed_ns) == (START_NS, at(60))
    assert account.subscriptions == [
        Subscription(
            since_ns=START_NS,
            channels={name: list(PRODUCTS) for name in ("ticker", "heartbeat", "matches")},
        )
    ]
    assert (account.deeds, ledger.sent[1]) == ([], [])


def test_the_same_subscription_again_is_no_change():
    ledger = Ledger(PRODUCTS)
    account = ledger.opened(1, Dialect.ADVANCED)
    for held in ({}, {"ticker": ["BTC-USD"]}, {"ticker": ["BTC-USD"]}, {}):
        ledger.subscribed(account, held)
    assert [each.channels for each in account.subscriptions] == [{"ticker": ["BTC-USD"]}, {}]


def test_a_fault_has_one_deed_with_its_span_and_its_trades():
    _, account = books(ScriptedFault(FaultKind.DROP, 10.0, count=3, channel="ticker"))
    (deed,) = account.deeds
    assert (deed.kind, deed.fault, deed.frames) == (FaultKind.DROP, 0, 3)
    assert (deed.begin_ns, deed.end_ns) == (at(10), at(12))
    assert deed.trades == {"BTC-USD": [10, 11, 12]}
    assert account.frames == 177


def test_a_reader_that_was_too_slow_is_a_deed_of_nobodys_script():
    ledger, account = books()
    ledger.note(account, [Close(at(60))])
    (deed,) = account.deeds
    assert (deed.kind, deed.fault) == (FaultKind.SLOW_READER, None)


def test_frames_that_are_kept_hold_the_truth_of_what_was_garbled():
    ledger, _ = books(ScriptedFault(FaultKind.GARBAGE, 10.0, channel="ticker"), keep_frames=True)
    (garbled,) = [sent for sent in ledger.sent[1] if sent.fault is not None]
    assert isinstance(garbled, Send)
    assert garbled.data != garbled.frame.data
    assert garbled.frame.prints == (trade(10),)
    assert len(ledger.sent[1]) == 180


@given(seed=st.integers(0, 2**32), n=st.integers(0, 10))
def test_of_every_trade_it_is_known_whether_it_was_sent_whole(seed, n):
    """Until its line closed: as it is, or under the name of the fault that touched it."""
    script = random_script(seed, n, 60, PRODUCTS)
    ledger, account = books(*script, keep_frames=True)
    whole = {
        sent.frame.prints[0].trade_id
        for sent in ledger.sent[1]
        if sent.fault is None and sent.frame.channel == "ticker"
    }
    touched = {trade_id for deed in account.deeds for trade_id in deed.trades.get("BTC-USD", [])}
    shifted = {
        sent.frame.prints[0].trade_id
        for sent in ledger.sent[1]
        if sent.fault is not None and sent.frame.prints
    }
    closes = [
        deed.begin_ns
        for deed in account.deeds
        if deed.kind in {FaultKind.DISCONNECT, FaultKind.SLOW_READER}
    ]
    bursts = [fault for fault in script if fault.kind is FaultKind.BURST]
    if not bursts:  # what one holds when the minute ends is told later
        until_ns = min(closes, default=at(60))
        made = {print_.trade_id for print_ in ledger.trades["BTC-USD"] if print_.time_ns < until_ns}
        assert made <= whole | touched | shifted


@pytest.mark.parametrize(
    ("limit", "after", "ids"),
    [
        (3, None, [59, 58, 57]),
        (2, 10, [9, 8]),
        (5, 2, [1, 0]),
        (5, 0, []),
        (1, 1000, [59]),
        (1000, None, list(range(59, -1, -1))),
    ],
)
def test_a_page_is_the_newest_first_below_an_id(limit, after, ids):
    ledger, _ = books()
    assert [print_.trade_id for print_ in ledger.page("BTC-USD", limit, after)] == ids


def test_a_trade_of_unknown_size_is_on_no_page():
    ledger = Ledger(PRODUCTS)
    ledger.made([trade(1), trade(2, size=None), trade(3, side=None), trade(4)], at(5))
    assert [print_.trade_id for print_ in ledger.page("BTC-USD", 10, None)] == [4, 1]


@given(made=st.integers(0, 300), keep=st.integers(1, 50))
def test_old_trades_go_and_their_counts_stay(made, keep):
    ledger = Ledger(PRODUCTS, keep_trades=keep)
    for n in range(made):
        ledger.made([trade(n)], at(n))
    kept = [print_.trade_id for print_ in ledger.trades["BTC-USD"]]
    assert kept == list(range(made))[-len(kept) :] if kept else not made
    assert min(made, keep) <= len(kept) <= 2 * keep
    assert ledger.products["BTC-USD"].trades == made


def test_a_summary_is_json_and_back():
    script = [ScriptedFault(FaultKind.DROP, 10.0), ScriptedFault(FaultKind.REFUSE, 1.0)]
    ledger, _ = books(*script)
    ledger.did(1)
    ledger.rest["200"] += 1
    summary = ledger.summary()
    assert msgspec.json.decode(msgspec.json.encode(summary), type=LedgerSummary) == summary
    assert [deed.kind for deed in summary.deeds] == [FaultKind.REFUSE]
