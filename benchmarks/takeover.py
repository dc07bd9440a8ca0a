"""Kafka: how long a worker takes over partitions whose states lie in `__checkpoints`.

One real broker, as in `kafka.py`. The old owner of six partitions leaves; the worker, a process
that has started before, joins, reads back the states of all products, reads a thousand records of
each partition again, and commits.

.venv/bin/python benchmarks/takeover.py 100 1000 10000     prints how it grows, and nothing else
"""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import cache
from statistics import median
from typing import NamedTuple

import msgspec
import numpy as np

from barograph.cases.spikes import SPIKES
from barograph.codec import decode_numbers, encode, event_array
from barograph.feature_set.featurizer import Featurizer
from barograph.feature_set.state import checkpoint_of
from barograph.log import Member, open_log, partition_of
from barograph.log.kafka.checkpoints import CHECKPOINTS
from barograph.log.topics import TICKS
from barograph.pipeline.stages import featurize_route
from barograph.pipeline.worker import NEXT, Route, Tally, work
from barograph.types import NS_PER_S, Message, Tick, TopicPartition
from measure import Measured, peak_mb, row, sized
from workers import Cluster, disk_bytes, fresh_log, wait_for

PARTITIONS = 6
_PRODUCTS = 10_000
_WARM_PRODUCTS, _WARM_S = 8, 3_700  # the longest window is an hour
_AGAIN = 1_000  # records of a partition since its checkpoints: as many as a worker leaves
_AT_ONCE = 200  # states in one commit of the old owner
_MOST_TURNS = 3


class Takeover(msgspec.Struct, frozen=True, kw_only=True):
    """What one takeover took, in seconds from when the old owner begins to leave.

    assigned: the new one has its partitions and the states as bytes. first_commit, all_committed:
    its first commit stands, and that of the last partition. MB are resident: before, and at most.
    """

    assigned_s: float
    first_commit_s: float
    all_committed_s: float
    before_mb: float
    peak_mb: float
    topic_mb: float = 0.0


@row("Kafka: a worker takes over the states of 10,000 products, to its first commit", "s",
     less_is_better=True)  # fmt: skip
def to_first_commit(repeats: int) -> Measured:
    """Six partitions, 50 kB a product, 1,000 records of each partition again."""
    return Measured(median(each.first_commit_s for each in _turns(repeats)))


@row("Kafka: of that, memory of the worker, peak", "MB", less_is_better=True)
def memory(repeats: int) -> Measured:
    """Resident, of the same runs."""
    return Measured(median(each.peak_mb for each in _turns(repeats)))


@row("Kafka: of that, __checkpoints on the broker's disk", "MB", less_is_better=True)
def topic(repeats: int) -> Measured:
    """All of which the worker reads; lz4, of the same runs."""
    return Measured(median(each.topic_mb for each in _turns(repeats)))


@cache
def _turns(repeats: int) -> Sequence[Takeover]:
    products = sized(_PRODUCTS, 60)
    return [taken_over(products) for _ in range(min(repeats, _MOST_TURNS))]


def taken_over(products: int) -> Takeover:
    """Let one worker take over so many products' states; returns what that took."""
    with fresh_log(PARTITIONS) as cluster:
        member, start_ns = _old_owner(cluster, products)
        worker = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, __file__, "--worker", cluster.address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n", "the new worker did not start"
            topic_mb = disk_bytes(cluster, CHECKPOINTS.name) / 1e6
            cluster.write_at_once(list(_closing(products, start_ns)))
            started_s = time.monotonic()
            member.leave()
            output, _ = worker.communicate(f"{started_s}\n")
        finally:
            worker.kill()
            worker.communicate()
        assert worker.returncode == 0, f"the new worker ended with {worker.returncode}"
        taken = msgspec.json.decode(output, type=Takeover)
        return msgspec.structs.replace(taken, topic_mb=topic_mb)


class _Part(NamedTuple):
    """The products of a partition."""

    place: TopicPartition
    products: Sequence[str]


def _old_owner(cluster: Cluster, products: int) -> tuple[Member, int]:
    """A member that holds all partitions and has committed all states, and the states' time.

    They stand before the records that it has polled, so the next owner reads those again.
    """
    states, end_ns = _warm_states()
    parts = list(_parts(products))
    again = [_tick(part.products[n % len(part.products)], end_ns)
             for part in parts for n in range(_AGAIN)]  # fmt: skip
    cluster.write_at_once(again)
    member = cluster.log.join(_route().group, [TICKS])
    polled = 0

    def all_polled() -> bool:
        nonlocal polled
        polled += len(member.poll(5000, 0.1).records)
        return polled == len(again)

    wait_for(all_polled, "all records of the old owner")
    for part in parts:
        for first in range(0, len(part.products), _AT_ONCE):
            few = part.products[first : first + _AT_ONCE]
            kept = {name: states[n % len(states)] for n, name in enumerate(few)}
            member.commit((), {part.place: kept})
        member.commit((), {part.place: {NEXT: b"0"}})
    return member, end_ns


def _parts(products: int) -> Iterator[_Part]:
    names = [f"P{n:05}-USD" for n in range(products)]
    for number in range(PARTITIONS):
        of_it = [name for name in names if partition_of(name, PARTITIONS) == number]
        assert of_it, f"partition {number} has no product"
        yield _Part(TopicPartition(TICKS, number), of_it)


def _closing(products: int, after_ns: int) -> Iterator[Message]:
    """For one product of each partition a tick that closes seconds, so that a row is committed."""
    for part in _parts(products):
        yield _tick(part.products[0], after_ns + 3 * NS_PER_S)


def _tick(product: str, time_ns: int, price: float = 100.0) -> Message:
    tick = Tick(
        product=product,
        event_time_ns=time_ns,
        receive_time_ns=time_ns,
        price=f"{price:.4f}",
        bid=f"{price - 0.01:.4f}",
        ask=f"{price + 0.01:.4f}",
        bid_size="1.5",
        ask_size="2.5",
        volume_24h="1000000",
        last_size="0.25",
    )
    return Message(TICKS, product, encode(tick))


@cache
def _warm_states() -> tuple[Sequence[bytes], int]:
    """Checkpoints of some products after an hour of a tick a second, and that hour's end."""
    featurizer, rng = Featurizer(), np.random.default_rng(1)
    end_ns = (int(time.time()) - 60) * NS_PER_S
    for n in range(_WARM_PRODUCTS):
        prices = 100 * np.exp(np.cumsum(rng.normal(0, 1e-4, _WARM_S))).round(4)
        ticks = [
            _tick(f"W{n}-USD", end_ns - (_WARM_S - second) * NS_PER_S, float(price))
            for second, price in enumerate(prices.tolist())
        ]
        numbers = [decode_numbers(tick.value) for tick in ticks]
        featurizer.update(event_array(numbers, featurizer.product_index))
    return [checkpoint_of(featurizer.state(n)) for n in range(_WARM_PRODUCTS)], end_ns


def _route() -> Route:
    assert SPIKES.live is not None
    return featurize_route(SPIKES.live)


def _worker(address: str) -> None:
    """Be the new worker: take everything over once a line comes, and print how that went."""
    featurizer = Featurizer()
    numbers = [decode_numbers(_tick("W-USD", NS_PER_S).value)]
    featurizer.update(event_array(numbers, featurizer.product_index))  # compiled by now
    before_mb = peak_mb()
    with closing(open_log(address)) as log:
        print("ready", flush=True)
        started_s = float(sys.stdin.readline())
        done_s: dict[str, float] = {}

        def until(tally: Tally, _idle: bool) -> bool:
            reached = {
                "assigned_s": tally.assigned == PARTITIONS,
                "first_commit_s": tally.commits > 0,
                "all_committed_s": tally.records == PARTITIONS and tally.commits > 0,
            }
            now_s = time.monotonic()
            for name in (name for name, is_reached in reached.items() if is_reached):
                done_s.setdefault(name, now_s - started_s)
            if all(reached.values()):
                assert tally.dead_letters == 0
                assert tally.values > 0
                return True
            return False

        route = _route()
        work(log, route, Featurizer, clock_ns=time.time_ns, until=until)
    print(msgspec.json.encode(Takeover(**done_s, before_mb=before_mb, peak_mb=peak_mb())).decode())


def _print_growth(sizes: Sequence[int]) -> None:
    """One takeover of each size, in turns, and their medians."""
    print("products  assigned s  first commit s  all s  before MB  peak MB  topic MB")
    for products in sizes:
        turns = [taken_over(products) for _ in range(_MOST_TURNS)]
        columns = zip(*(msgspec.structs.astuple(each) for each in turns), strict=True)
        print(f"{products:8}", *(f"{median(column):9.2f}" for column in columns), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--worker":
        _worker(sys.argv[2])
    else:
        _print_growth([int(size) for size in sys.argv[1:]])
