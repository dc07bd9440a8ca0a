"""The log on Kafka: throughput beside a plain loop and quixstreams, and the time to a prediction.

One real broker on this machine, from the tests' jars. Ours are the worker processes of the command
line; peers are processes too. Each turn has a log of its own, and both sides get what they are
timed on in one transaction, when they have joined and worked on some already. No start-up counts
and nobody else writes to the broker meanwhile.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import cache
from pathlib import Path
from statistics import median

import confluent_kafka
import msgspec
import numpy as np

from barograph.archive.recording import Recorded, Recording
from barograph.codec import decode_numbers, decode_prediction, encode, event_array
from barograph.feature_set.featurizer import Featurizer
from barograph.feed.feed import Feed
from barograph.feed.ingest import Batches
from barograph.log import Topic
from barograph.log.topics import FEATURES, TICKS
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.types import NS_PER_S, Heartbeat, Message, Record, Tick, Verdict
from barograph.venues.coinbase.exchange import ExchangeFeed
from barograph.venues.entries import Dialect, Heard
from measure import ROOT, Measured, NotMeasuredError, logged_recording, row, sized
from workers import PARTITIONS, Cluster, Predictions, at_work, fresh_log

PEERS = Path(__file__).parent / "peers"
_MOST_TURNS = 3
_WARM_TICKS = 20_000
_QUIX_TICKS = 5000
_SINGLE = 300
_LIVE = [f"P{place:02}-USD" for place in range(20)]
_LIVE_TICKS_PER_S, _LIVE_S = 1000, 60
_DELAY_S = 0.005  # so long at most a frame waits for others before all are written
_HISTORY_S, _SPARE_S = 960, 3
_CATCH_UP_S = 75  # by then the history is done, and the JVM of the broker warm


@row("Kafka: features and score, beside a plain loop", "ticks/s", ("ratio", ">=", 0.5))
def beside_plain(repeats: int) -> Measured:
    """One featurizer and one scorer: ticks.raw → 36 features a second → predictions of a champion.

    The peer is one process that copies each tick into another topic (`peers/kafka_plain.py`): the
    same batches, transactions and compression, no work at all. From the commit that lets both read
    the ticks to the last prediction read, or the last copy committed.
    """
    return _in_turns(_ours, _plain, repeats)


@row("Kafka: features and score, beside one mean by quixstreams", "ticks/s", ("ratio", ">=", 50))
def beside_quix(repeats: int) -> Measured:
    """The same of ours, beside one sliding mean of 60 seconds, exactly once, of the first ticks.

    The peer times itself from its first tick to its last (`peers/quix_mean.py`). These are some
    eight seconds of the market: its windows are not even full, and it gets slower as they fill.
    """
    return _in_turns(_ours, _quix, repeats)


@row("Kafka: two featurizers, beside one", "ticks/s")
def two_workers(repeats: int) -> Measured:
    """The same work with two featurizer processes and one scorer; the ratio is the speed-up.

    Workers and broker share the cores of this machine.
    """
    return _in_turns(lambda: _ours(featurizers=2), _ours, repeats)


@row("Kafka: append one record, p50", "ms", less_is_better=True)
def single(repeats: int) -> Measured:
    """One record in a transaction of its own; the peer is the client, doing the same."""
    with fresh_log() as cluster:
        message = recorded_ticks()[0]
        producer = confluent_kafka.Producer(
            {"bootstrap.servers": cluster.brokers, "transactional.id": cluster.name("single")}
        )
        producer.init_transactions()

        def plain() -> None:
            producer.begin_transaction()
            producer.produce(cluster.name(TICKS), message.value, message.key, 0)
            producer.commit_transaction()

        def ours() -> None:
            cluster.log.append([message])

        timed = [(_p50_ms(ours), _p50_ms(plain)) for _ in range(repeats + 1)][1:]
    return Measured(*(median(side) for side in zip(*timed, strict=True)))


@row(
    "Kafka: closing frame to committed prediction, p99",
    "ms",
    ("ours", "<=", 60),
    less_is_better=True,
)
def latency(_repeats: int) -> Measured:
    """A feed of 20 products, 1,000 ticks/s in all, a featurizer and a scorer: three transactions.

    From the moment at which the frame that closes a second is handed to the feed to that at which
    a member of another group has its prediction; the 1,200 of a minute. A history of 16 minutes
    comes before, so that the champion predicts each of them. No peer: it would have to do the same.
    """
    with fresh_log() as cluster, at_work(cluster):
        took_ms = [
            (read_ns - received_ns) / 1e6
            for received_ns, read_ns in (
                (decode_prediction(record.value).receive_time_ns, read_ns)
                for record, read_ns in live_predictions(cluster)
            )
            if received_ns is not None
        ]
    return Measured(float(np.percentile(took_ms, 99)))


def live_predictions(cluster: Cluster) -> list[tuple[Record, int]]:
    """Feed the log of workers at work; the predictions of a live minute, and when each was read.

    In epoch nanoseconds. Each has a `receive_time_ns`, that of the frame that closed its second.
    """
    read: list[tuple[Record, int]] = []
    products, catch_up_s, live_s = _LIVE[: sized(20, 2)], sized(_CATCH_UP_S, 10), sized(_LIVE_S, 3)
    with tempfile.TemporaryDirectory() as folder:
        predictions = Predictions(cluster.log)
        first = int(time.time()) + catch_up_s
        feed = Feed(cluster.log, Path(folder), partitions=PARTITIONS)
        with ThreadPoolExecutor(1) as pool, closing(feed):
            feeding = pool.submit(_feed, feed, _frames(products, first + live_s))
            while len(read) < live_s * len(products):
                if feeding.done():
                    feeding.result()  # raises what it died of
                assert time.time() < first + live_s + _CATCH_UP_S, "not all predictions came"
                records = predictions.take()
                read_ns = time.time_ns()
                for record in records:
                    prediction = decode_prediction(record.value)
                    if first <= prediction.second < first + live_s:
                        assert prediction.verdict is Verdict.PREDICTED
                        assert prediction.receive_time_ns is not None
                        read.append((record, read_ns))
    return read


def _feed(feed: Feed, entries: Iterable[Heard | None]) -> None:
    """Take and commit entries as a live feed does; None: the next one may be long in coming."""
    batches = Batches(feed, max_delay_s=_DELAY_S)
    for entry in entries:
        if entry is None:
            batches.pause()
        else:
            batches.take(entry)
            batches.commit_if_due()
    batches.end()


def _frames(products: Sequence[str], end: int) -> Iterator[Heard | None]:
    """A simulated market: what lies before now at once, then each frame when it is due.

    The measured minute ends before the second `end`; the frames after it close its last seconds.
    """
    start_ns = (int(time.time()) - _HISTORY_S) * NS_PER_S
    market = SimulatedMarket(PRESETS["constant"], products, 1, start_ns)
    while market.now_ns < time.time_ns():
        yield from (Heard(frame, Dialect.EXCHANGE) for frame in market.advance(10))
    market.model = market.model._replace(order_rate_per_s=_LIVE_TICKS_PER_S / len(_LIVE))
    for frame in market.advance(end + _SPARE_S - market.now_ns // NS_PER_S):
        assert frame.receive_time_ns is not None
        wait_s = (frame.receive_time_ns - time.time_ns()) / NS_PER_S
        if wait_s > _DELAY_S:
            yield None
        if wait_s > 0:
            time.sleep(wait_s)
        heard = msgspec.structs.replace(frame, receive_time_ns=time.time_ns())
        yield Heard(heard, Dialect.EXCHANGE)


def _in_turns(ours: Callable[[], float], peer: Callable[[], float], repeats: int) -> Measured:
    """Medians of both rates; each turn warms up by itself, so none is for nothing."""
    timed = [(ours(), peer()) for _ in range(min(repeats, _MOST_TURNS))]
    return Measured(*(median(side) for side in zip(*timed, strict=True)))


def _ours(featurizers: int = 1) -> float:
    """Ticks a second from ticks.raw to the last prediction."""
    first = sized(_WARM_TICKS, 1_000)
    warm, rest = recorded_ticks()[:first], recorded_ticks()[first:]
    warm_rows, rows = rows_after(first)
    with fresh_log() as cluster, at_work(cluster, featurizers):
        predictions = Predictions(cluster.log)
        cluster.write_at_once(warm)
        predictions.wait_until(warm_rows)
        start_ns = cluster.write_at_once(rest)
        predictions.wait_until(rows)
        return _rate(len(rest), start_ns)


def _plain() -> float:
    """Ticks a second that the plain loop copies."""
    first = sized(_WARM_TICKS, 1_000)
    warm, rest = recorded_ticks()[:first], recorded_ticks()[first:]
    with fresh_log() as cluster:
        script = [str(PEERS / "kafka_plain.py"), cluster.brokers, cluster.name(TICKS)]
        copying = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, *script, cluster.name(FEATURES)], stdout=subprocess.PIPE, text=True
        )
        try:
            cluster.write_at_once(warm)
            _wait_for_copies(copying, len(warm))
            start_ns = cluster.write_at_once(rest)
            _wait_for_copies(copying, len(warm) + len(rest))
            return _rate(len(rest), start_ns)
        finally:
            copying.kill()
            copying.communicate()


def _wait_for_copies(copying: "subprocess.Popen[str]", count: int) -> None:
    """The loop says after each commit how many records it has copied in all."""
    assert copying.stdout is not None
    copied = next((int(line) for line in copying.stdout if int(line) >= count), 0)
    assert copied == count, f"the plain loop ended after {copied} records"


def _rate(ticks: int, start_ns: int) -> float:
    return ticks / (time.time_ns() - start_ns) * NS_PER_S


def _quix() -> float:
    """Ticks a second of one sliding mean."""
    python, ticks = _quix_python(), sized(_QUIX_TICKS, 200)
    with fresh_log() as cluster:
        cluster.log.create(Topic(name="means", partitions=PARTITIONS))
        cluster.write_at_once(recorded_ticks()[:ticks])
        names = cluster.name(TICKS), cluster.name("means")
        done = subprocess.run(  # noqa: S603 - our own script
            [python, PEERS / "quix_mean.py", cluster.brokers, *names, str(ticks)],
            check=False,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    return ticks / float(done.stdout)


@cache
def _quix_python() -> Path:
    """An environment of its own, made the first time: quixstreams pins an older client."""
    home, wanted = ROOT / ".venv-quix", PEERS / "quix.txt"
    python, made_for = home / "bin" / "python", home / "made-for.txt"
    if not made_for.exists() or made_for.read_text() != wanted.read_text():
        uv = Path(sys.executable).with_name("uv")
        for command in (
            ["venv", "--quiet", "--clear", str(home)],
            ["pip", "install", "--quiet", "--python", str(python), "--requirement", str(wanted)],
        ):
            done = subprocess.run(  # noqa: S603 - our own uv
                [uv, *command], check=False, capture_output=True, text=True
            )
            if done.returncode:
                raise NotMeasuredError(f"quixstreams could not be installed: {done.stderr}")
        made_for.write_text(wanted.read_text())
    return python


@cache
def recorded_ticks() -> Sequence[Message]:
    """The benchmark recording as it stands in ticks.raw.

    Each product's ends with a heartbeat of the second after, so that the last prediction of each is
    made of its last record.
    """
    venue, messages, last = ExchangeFeed(), list[Message](), dict[str, Tick]()
    for entry in Recording(logged_recording()):
        assert isinstance(entry, Recorded)
        if not messages:
            venue.open(entry.opening)
        for event in venue.receive(entry.frame).events:
            messages.append(Message(TICKS, event.product, encode(event)))
            if isinstance(event, Tick):
                last[event.product] = event
    for product, tick in last.items():
        beat = Heartbeat(product=product, event_time_ns=tick.event_time_ns + NS_PER_S)
        messages.append(Message(TICKS, product, encode(beat)))
    return messages


@cache
def rows_after(count: int) -> tuple[int, int]:
    """How many feature rows, and so predictions, the first so many ticks make, and all."""
    featurizer = Featurizer()
    numbers = [decode_numbers(message.value) for message in recorded_ticks()]
    parts = numbers[:count], numbers[count:]
    first, rest = (
        len(featurizer.update(event_array(part, featurizer.product_index))[0]) for part in parts
    )
    return first, first + rest


def _p50_ms(work: Callable[[], None]) -> float:
    took = []
    for _ in range(sized(_SINGLE, 10)):
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    return median(took) * 1e3
