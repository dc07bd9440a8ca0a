"""The verb simulate: what it prints, what it refuses, and how it ends."""

import json
import re
import signal
import socket

import msgspec
import pytest

from barograph.simulated.ledger import LedgerSummary

QUICK = ("--port", "0", "--minutes", "0.005")


@pytest.mark.slow
def test_it_says_where_it_is_and_how_to_feed_from_it(run):
    code, out, err = run("simulate", *QUICK, "--products", "SOL-USD", "--speed", "50")
    assert code == 0
    assert re.search(r"SOL-USD at (ws://127\.0\.0\.1:\d+)/exchange and \1/advanced", err)
    assert re.search(
        r"barograph feed --venue simulated --url ws://127\.0\.0\.1:\d+ --products SOL-USD", err
    )
    assert "trades made" in out


@pytest.mark.slow
def test_its_answer_is_the_books(run):
    code, out, _ = run("simulate", *QUICK, "--json", "--speed", "50")
    books = msgspec.convert(json.loads(out), LedgerSummary)
    assert code == 0
    assert set(books.products) == {"BTC-USD", "ETH-USD"}
    assert books.now_ns > books.start_ns
    assert books.connections == []


def test_it_ends_when_it_is_asked_to(run, signalled):
    before = signal.getsignal(signal.SIGINT)
    signalled(lambda: signal.getsignal(signal.SIGINT) is not before)
    code, out, _ = run("simulate", "--port", "0", "--json")
    assert (code, json.loads(out)["deeds"]) == (0, [])


@pytest.mark.slow
def test_a_recording_can_be_its_market(run, recording):
    code, out, _ = run("simulate", *QUICK, "--recording", recording(), "--speed", "50", "--json")
    books = msgspec.convert(json.loads(out), LedgerSummary)
    assert (code, list(books.products)) == (0, ["BTC-USD"])
    assert books.start_ns == 1_750_000_000 * 10**9


def test_a_port_that_is_taken_is_one_line(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, out, err = run("simulate", "--port", taken.getsockname()[1])
    assert (code, out) == (2, "")
    assert "another program listens there" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--preset", "wild"), "Use market or constant"),
        (("--speed", "fast"), "Give a factor, or max"),
        (("--speed", "0"), "Give a factor, or max"),
        (("--speed", "nan"), "Give a factor, or max"),
        (("--products", "A,A"), "Name each once"),
        (("--products", ""), "Name each once"),
        (("--faults", "none.toml"), "Name a readable file"),
        (("--recording", "none.ndjson"), "Name a readable file"),
    ],
)
def test_what_cannot_be_is_one_line_before_anything_listens(run, words, why):
    code, out, err = run("simulate", *QUICK, *words)
    assert (code, out) == (2, "")
    assert why in err
    assert err.count("\n") == 1


@pytest.mark.slow
def test_a_bad_script_is_one_line(run, tmp_path):
    (tmp_path / "faults.toml").write_text('[[fault]]\nkind = "flood"\nat_s = 1\n')
    code, _, err = run("simulate", *QUICK, "--faults", "faults.toml")
    assert code == 2
    assert "faults.toml: Invalid enum value 'flood' - at `$.fault[0].kind`" in err
