"""A replay as a script does it: lines → gzip, SQLite, four rolling volatilities, a score a second.

One loop in one process. It keeps every line and every tick, as ours does, and commits as often; it
looks for no hole, no repeat and no damage, has four windows in place of 54 features, computes them
in floats, writes no feature row, and cannot go on where it was killed.
"""

import gzip
import json
import sqlite3
from collections import deque
from datetime import datetime
from math import log, sqrt
from pathlib import Path

import numpy as np
import onnxruntime

WINDOWS_S = (10, 30, 60, 300)
_TABLES = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE ticks (product TEXT, time TEXT, price REAL, bid REAL, ask REAL, trade_id INTEGER);
CREATE TABLE predictions (product TEXT, second INTEGER, probability REAL);
"""


class Volatilities:
    """Root mean squares of one product's one-second returns; a second without a tick is calm."""

    def __init__(self) -> None:
        self._squares = {window: deque([0.0] * window, window) for window in WINDOWS_S}
        self._sums = dict.fromkeys(WINDOWS_S, 0.0)
        self._second, self._close, self._log_mid = -1, 0.0, 0.0

    def take(self, second: int, log_mid: float) -> list[float] | None:
        """Take a tick in; the volatilities at the close of the second before, where one closed."""
        closed = None
        if self._second < 0:
            self._close = log_mid
        elif second > self._second:
            for _ in range(min(second - self._second, WINDOWS_S[-1])):
                self._push((self._log_mid - self._close) ** 2)
                self._close = self._log_mid
            closed = [sqrt(max(0.0, self._sums[window]) / window) for window in WINDOWS_S]
        self._second, self._log_mid = second, log_mid
        return closed

    def _push(self, square: float) -> None:
        for window, squares in self._squares.items():
            self._sums[window] += square - squares[0]
            squares.append(square)


def replay(recording: Path, folder: Path, onnx: bytes, width: int, batch_lines: int) -> int:
    """Work through a recording; how many predictions were made.

    onnx: a model of `width` inputs, which gets the four volatilities again and again.
    """
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    database = sqlite3.connect(folder / "plain.sqlite")
    database.executescript(_TABLES)
    states: dict[str, Volatilities] = {}
    ticks: list[tuple[str, str, float, float, float, int]] = []
    scored: list[tuple[str, int, float]] = []
    made = 0

    def commit() -> None:
        with database:
            database.executemany("INSERT INTO ticks VALUES (?, ?, ?, ?, ?, ?)", ticks)
            database.executemany("INSERT INTO predictions VALUES (?, ?, ?)", scored)
        ticks.clear()
        scored.clear()

    with gzip.open(recording) as lines, gzip.open(folder / "plain.gz", "wb", 1) as archive:
        for number, line in enumerate(lines, 1):
            archive.write(line)
            tick = json.loads(line)
            product, time = tick["product_id"], tick["time"]
            bid, ask = float(tick["best_bid"]), float(tick["best_ask"])
            ticks.append((product, time, float(tick["price"]), bid, ask, tick["trade_id"]))
            second = int(datetime.fromisoformat(time).timestamp())
            state = states.get(product) or states.setdefault(product, Volatilities())
            vols = state.take(second, log((bid + ask) / 2))
            if vols is not None:
                x = np.resize(np.array(vols, np.float32), (1, width))
                probability = float(session.run(None, {"features": x})[0][0])
                scored.append((product, second - 1, probability))
                made += 1
            if number % batch_lines == 0:
                commit()
    commit()
    database.close()
    return made
