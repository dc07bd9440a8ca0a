"""The first minute of a fresh `up`, on a terminal: it counts, and nothing has failed."""

import os
import pty
import re
import signal
import subprocess
import sys
import threading

import pytest

from waiting import until

LIMIT_S = 240.0
COMMAND = [sys.executable, "-c", "from barograph.app.cli import main; main()"]


class Terminal:
    """A process on a pseudo-terminal of so many columns, and what it drew."""

    def __init__(self, columns, *words):
        reader, writer = pty.openpty()
        screen = {"TERM": "xterm", "COLUMNS": str(columns), "LINES": "40"}
        self.process = subprocess.Popen(
            [*COMMAND, *words],
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=subprocess.PIPE,
            env={**os.environ, **screen},
        )
        os.close(writer)
        self._reader, self._drawn = reader, bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while True:
            try:
                self._drawn.extend(os.read(self._reader, 65536))
            except OSError:  # the other end is gone
                return

    def text(self):
        """All that was drawn, without the sequences that move the cursor."""
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self._drawn.decode(errors="replace"))

    def end(self):
        self.process.send_signal(signal.SIGINT)
        _, err = self.process.communicate(timeout=LIMIT_S)
        self._thread.join(LIMIT_S)
        os.close(self._reader)
        return self.process.returncode, err.decode()


@pytest.mark.slow
def test_a_fresh_up_counts_shows_what_it_knows_and_nothing_failed(tmp_path):
    words = ["up", "--venue", "simulated", "--home", str(tmp_path)]
    terminal = Terminal(80, *words)
    try:
        for part in (
            r"WARMUP \d+/60 s",
            r"first probability in about 1[12]\.?\d* min; spread",
            r"vol 10 s \d",
            r"training: first training in about \d+\.?\d* (min|h): 0 of [\d,]+ rows",
            r"BTC-USD +[\d,]+\.\d\d ",
        ):
            until(lambda part=part: re.search(part, terminal.text()), LIMIT_S)
    finally:
        code, err = terminal.end()
    assert code == 0, err
    assert "fail" not in terminal.text() + err
    lines = [line for line in terminal.text().splitlines() if "WARMUP" in line]
    assert max(len(line.rstrip()) for line in lines) <= 76
