"""The API: from a frame to its prediction in a reader's hands, predictions a second, readers.

Servers are processes of the command line (`up`, `serve`), readers are real sockets.

.venv/bin/python benchmarks/web.py     prints the way of a prediction by stage, and nothing else

On a busy machine `chrt -r 5` before it, as root, keeps other programs off the processors, not off
the disk; with TMPDIR in memory there is no disk in it.
"""

import asyncio
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from barograph import codec
from barograph.log import Log, browse, open_log
from barograph.log.topics import FEATURES, PREDICTIONS, TICKS, ensure_topics
from barograph.types import APPENDED_TIME, NS_PER_S, Message, Prediction, Record, Verdict
from live import _exchange
from measure import ROOT, Measured, NotMeasuredError, row, sized

sys.path.append(str(ROOT / "tests" / "given"))

from champions import crowned  # type: ignore[import-not-found]

_BAROGRAPH = Path(sys.executable).with_name("barograph")
_READY_S = 120.0
_TICKS_PER_S, _LIVE_S, _WARM_S = 1_000, 60, 15
_READERS, _NEWS = 500, 20
_ROW = {"product": "BTC-USD", "features": {"realized_vol_10s": 4e-5, "realized_vol_60s": 6e-5}}
_HEADERS = {"Content-Type": "application/json"}


class Ways(NamedTuple):
    """Milliseconds of each prediction: its whole way, and that by stage.

    to_ticks: from the frame to the feed's commit, to_row: on to the featurizer's, to_prediction: on
    to the scorer's, served: on to the reader. A commit counts from where its records are stamped.
    """

    to_ticks: Sequence[float]
    to_row: Sequence[float]
    to_prediction: Sequence[float]
    served: Sequence[float]
    whole: Sequence[float]


@row("API: frame to prediction over the stream, p50", "ms", ("ours", "<=", 5), less_is_better=True)
def frame_median(_repeats: int) -> Measured:
    """From the frame that closes a second to its event in a reader; 1,000 ticks/s."""
    return Measured(float(np.percentile(_ways().whole, 50)))


@row("API: frame to prediction over the stream, p99", "ms", ("ours", "<=", 25), less_is_better=True)
def frame_most(_repeats: int) -> Measured:
    """The same run."""
    return Measured(float(np.percentile(_ways().whole, 99)))


@row("API: of that, frame to ticks.raw, p50", "ms", less_is_better=True)
def frame_to_ticks(_repeats: int) -> Measured:
    """The same run: the feed, its batch and the archive's fsync."""
    return Measured(float(np.percentile(_ways().to_ticks, 50)))


@row("API: of that, ticks.raw to features, p50", "ms", less_is_better=True)
def ticks_to_row(_repeats: int) -> Measured:
    """The same run: the featurizer."""
    return Measured(float(np.percentile(_ways().to_row, 50)))


@row("API: of that, features to prediction, p50", "ms", less_is_better=True)
def row_to_prediction(_repeats: int) -> Measured:
    """The same run: the scorer."""
    return Measured(float(np.percentile(_ways().to_prediction, 50)))


@row("API: of that, prediction to reader, p50", "ms", less_is_better=True)
def log_to_reader(_repeats: int) -> Measured:
    """The same run: the tail, the board, the fan-out, the socket."""
    return Measured(float(np.percentile(_ways().served, 50)))


@row("API: of that, fsync of one page on this disk, p50", "ms", less_is_better=True)
def fsync(_repeats: int) -> Measured:
    """Right after that run; the archive's lies in the way of a prediction, three beside it."""
    _ways()
    took_ms = []
    with tempfile.TemporaryFile(prefix="barograph-bench-") as file:
        for _ in range(sized(300, 10)):
            file.write(bytes(4096))
            file.flush()
            began_s = time.perf_counter()
            os.fsync(file.fileno())
            took_ms.append(1e3 * (time.perf_counter() - began_s))
    return Measured(float(np.percentile(took_ms, 50)))


@row("API: POST /v1/predict of one row", "requests/s", ("ours", ">=", 1_000))
def predicts(_repeats: int) -> Measured:
    """Wrk with eight connections beside the server on the same cores."""
    return Measured(_wrk()[0])


@row("API: POST /v1/predict of one row, p99", "ms", ("ours", "<=", 25), less_is_better=True)
def predicts_most(_repeats: int) -> Measured:
    """The same run."""
    return Measured(_wrk()[1])


@row("API: POST /v1/predict alone, p50", "ms", ("ours", "<=", 2), less_is_better=True)
def predict_alone(_repeats: int) -> Measured:
    """One client that waits for each answer, on one connection."""
    with _served_champion() as address:
        took_ms = []
        with closing(http.client.HTTPConnection(address)) as to:
            for _ in range(sized(2_000, 50)):
                began_s = time.perf_counter()
                _post(to)
                took_ms.append(1e3 * (time.perf_counter() - began_s))
    return Measured(float(np.percentile(took_ms, 50)))


@row("API: stream readers that miss nothing at live rate", "readers", ("ours", ">=", _READERS))
def readers(_repeats: int) -> Measured:
    """A prediction of two products each second for twenty seconds, to 500 readers."""
    with tempfile.TemporaryDirectory(prefix="barograph-bench-") as folder:
        home = Path(folder)
        with closing(open_log(home)) as log:
            ensure_topics(log)
            with _server("serve", "--home", home, "--port", "0") as address:
                wanted, news = sized(_READERS, 10), sized(_NEWS, 2)

                def write(second: int) -> None:
                    log.append(
                        Message(PREDICTIONS, product, codec.encode(_prediction(product, second)))
                        for product in ("BTC-USD", "ETH-USD")
                    )

                counts = asyncio.run(_read_all(address, wanted, news, write))
    return Measured(float(sum(count == 2 * news for count in counts)))


@cache
def _ways() -> Ways:
    seconds, warm = sized(_LIVE_S, 6), sized(_WARM_S, 0)
    with (
        tempfile.TemporaryDirectory(prefix="barograph-bench-") as home,
        _exchange(sized(_TICKS_PER_S, 100), seconds + warm + 60) as venue,
        _server(
            "up", "--venue", "simulated", "--url", f"ws://{venue}", "--home", home, "--port", "0",
            "--products", ",".join(f"P{n}-USD" for n in range(5)), "--no-retrain",
        ) as address,
        closing(http.client.HTTPConnection(address, timeout=_READY_S)) as to,
    ):  # fmt: skip
        to.request("GET", "/v1/stream")
        read: list[tuple[dict[str, Any], int]] = []
        began_s = None
        name = ""
        for line in to.getresponse():
            now_ns = time.time_ns()
            if line.startswith(b"event: "):
                name = line[7:].decode().strip()
            if name != "prediction" or not line.startswith(b"data: "):
                continue
            now_s = time.monotonic()
            began_s = began_s or now_s
            if now_s - began_s > warm + seconds:
                break
            if now_s - began_s >= warm:
                read.append((json.loads(line[6:]), now_ns))
        with closing(open_log(home)) as log:
            ways = list(_by_stage(log, read))
    assert len(ways) == len(read)
    return Ways(*zip(*ways, strict=True))


def _by_stage(
    log: Log, read: Sequence[tuple[dict[str, Any], int]]
) -> Iterator[tuple[float, float, float, float, float]]:
    """The stages of each prediction, by the times at which the log took its records."""
    ticks, rows = dict[int, int](), dict[tuple[str, int], int]()
    for record in _records(log, TICKS):
        received_ns = codec.decode_numbers(record.value).receive_time_ns
        ticks.setdefault(received_ns, int(record.headers[APPENDED_TIME]))
    for record in _records(log, FEATURES):
        row = codec.decode_row(record.value)
        rows[row.product, (row.second + 1) * NS_PER_S] = int(record.headers[APPENDED_TIME])
    for prediction, read_ns in read:
        heard_ns, product = prediction["receive_time_ns"], prediction["product"]
        times = (
            heard_ns,
            ticks[heard_ns],
            rows[product, prediction["time_ns"]],
            heard_ns + prediction["latency_ms"] * 1e6,
            read_ns,
        )
        stages = [(end - start) / 1e6 for start, end in pairwise(times)]
        yield (stages[0], stages[1], stages[2], stages[3], (read_ns - heard_ns) / 1e6)


def _records(log: Log, topic: str) -> Iterator[Record]:
    for extent in log.extents(topic):
        yield from browse.upwards(log, topic, extent)


@cache
def _wrk() -> tuple[float, float]:
    """Requests a second, and the 99th percentile of their latency in ms."""
    program = shutil.which("wrk")
    if program is None:
        raise NotMeasuredError("wrk is not installed")
    with _served_champion() as address, tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(
            f"wrk.method = 'POST'\nwrk.body = [[{json.dumps(_ROW)}]]\n"
            "wrk.headers['Content-Type'] = 'application/json'\n"
        )
        script.flush()
        seconds = f"{sized(15, 1)}s"
        words = ["-t1", "-c8", f"-d{seconds}", "--latency", "-s", script.name]
        done = subprocess.run(  # noqa: S603 - a program of the machine
            [program, *words, f"http://{address}/v1/predict"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
    assert "Non-2xx" not in done.stdout, done.stdout
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1])  # type: ignore[index]
    most, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", done.stdout).groups()  # type: ignore[union-attr]
    return rate, float(most) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]


@contextmanager
def _served_champion() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="barograph-bench-") as folder:
        empty, home = Path(folder) / "empty", Path(folder) / "home"
        empty.mkdir()
        crowned(empty, home)  # MLflow makes its database there
        with closing(open_log(home)) as log:
            ensure_topics(log)
        with _server("serve", "--home", home, "--port", "0") as address:
            end_s = time.monotonic() + _READY_S
            with closing(http.client.HTTPConnection(address)) as to:
                while _post(to) != 200 and time.monotonic() < end_s:
                    time.sleep(0.1)
            yield address


def _post(to: http.client.HTTPConnection) -> int:
    to.request("POST", "/v1/predict", json.dumps(_ROW), _HEADERS)
    answer = to.getresponse()
    answer.read()
    return answer.status


@contextmanager
def _server(*words: str | Path) -> Iterator[str]:
    """A verb that serves; yields its host and port."""
    served = subprocess.Popen(  # noqa: S603 - our own program
        [_BAROGRAPH, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"BAROGRAPH_CLOCK_LIMIT_S": "1e12"},
    )  # fmt: skip
    try:
        assert served.stderr is not None
        for line in served.stderr:
            if found := re.search(r"http://(\S+)", line):
                yield found[1]
                break
        else:
            raise AssertionError("the server did not start")
    finally:
        served.terminate()
        served.communicate()


async def _read_all(address: str, count: int, news: int, write: object) -> list[int]:
    host, port = address.split(":")
    counts = [0] * count
    begun = asyncio.Semaphore(0)

    async def read(number: int) -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET /v1/stream HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
        while line := await reader.readline():
            if line.startswith(b"event: status") and not counts[number]:
                begun.release()
            counts[number] += line.startswith(b"event: prediction")
            if counts[number] == 2 * news:
                break
        writer.close()

    tasks = [asyncio.create_task(read(number)) for number in range(count)]
    for _ in range(count):
        await begun.acquire()
    for second in range(news):
        await asyncio.to_thread(write, second)  # type: ignore[arg-type]
        await asyncio.sleep(1.0)
    await asyncio.wait(tasks, timeout=10.0)
    for task in tasks:
        task.cancel()
    return counts


def _prediction(product: str, second: int) -> Prediction:
    at = 1_790_000_000 + second
    return Prediction(
        product=product, second=at, event_time_ns=(at + 1) * NS_PER_S, receive_time_ns=None,
        verdict=Verdict.PREDICTED, probability=0.1, alarm=False, threshold=0.5, tau=1e-4,
        horizon_s=60, value_now=5e-5, mid=50_000.0, model="spikes/1",
    )  # fmt: skip


def _print_ways() -> None:
    """The way of a prediction by stage, in ms, and what an fsync takes beside it."""
    ways = _ways()
    print(f"{len(ways.whole)} predictions, ms    p10     p50     p90     p99")
    for stage, took_ms in ways._asdict().items():
        shares = np.percentile(took_ms, (10, 50, 90, 99))
        print(f"  {stage:18}", *(f"{share:7.2f}" for share in shares))
    print(f"  one fsync          {'':7} {fsync(1).ours:7.2f}")


if __name__ == "__main__":
    _print_ways()
