"""`barograph simulate` as a process, with faults: read over a socket until it is told to end."""

import json
import re
import signal
import subprocess
import sys

import msgspec
import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from barograph.simulated.fault_script import FaultKind
from barograph.simulated.ledger import LedgerSummary
from barograph.types import Tick, Trade
from barograph.venues.entries import Dialect
from market_events import SUBSCRIPTIONS, heard

LIMIT_S = 60
FAULTS = """
[[fault]]
kind = "drop"
at_s = 10
count = 3
channel = "ticker"
connection = 1

[[fault]]
kind = "disconnect"
at_s = 60
connection = 1
code = 1012
"""


def test_what_a_reader_lacks_is_what_the_books_say_was_dropped(tmp_path):
    (tmp_path / "faults.toml").write_text(FAULTS)
    words = ["simulate", "--port", "0", "--speed", "30", "--faults", "faults.toml", "--json"]
    running = subprocess.Popen(
        [sys.executable, "-c", "import barograph.app.cli; barograph.app.cli.main()", *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        address = re.search(r"(ws://[\d.:]+)/exchange", running.stderr.readline())[1]
        data = []
        with connect(f"{address}/exchange", compression=None) as reader:
            reader.send(json.dumps(SUBSCRIPTIONS[Dialect.EXCHANGE][0]))
            with pytest.raises(ConnectionClosedError) as cut_off:
                data.extend(each.encode() for each in reader)
        assert cut_off.value.rcvd.code == 1012
        running.send_signal(signal.SIGTERM)
        out, _ = running.communicate(timeout=LIMIT_S)
    finally:
        running.kill()
        running.communicate()
    assert running.returncode == 0
    books = msgspec.convert(json.loads(out), LedgerSummary)
    (line,) = books.connections
    dropped, closed = line.deeds
    assert (dropped.kind, dropped.frames) == (FaultKind.DROP, 3)
    assert closed.kind is FaultKind.DISCONNECT
    assert line.frames == len(data)
    events, letters = heard(Dialect.EXCHANGE, data)
    assert letters == []
    ticks = {(event.product, event.trade_id) for event in events if isinstance(event, Tick)}
    lost = {(name, trade_id) for name, ids in dropped.trades.items() for trade_id in ids}
    assert len(lost) == 3
    assert not ticks & lost
    trades = {(event.product, event.trade_id) for event in events if isinstance(event, Trade)}
    assert lost <= trades, "their matches came"
    assert all(books.products[product].last_trade_id >= trade_id for product, trade_id in ticks)
