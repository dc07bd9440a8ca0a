"""A real broker, logs on it, and the workers of the command line as processes of their own."""

import atexit
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import confluent_kafka as kafka
import msgspec
from confluent_kafka.admin import AdminClient

from barograph.log import Log, open_log, partition_of
from barograph.log.topics import PREDICTIONS, ensure_topics
from barograph.types import Message, Record
from measure import ROOT, NotMeasuredError, temporary_folder
from pipeline import crown
from processes import BAROGRAPH

sys.path.append(str(ROOT / "tests" / "given"))
from brokers import Brokers, missing

PARTITIONS = 3
_LIMIT_S = 300.0
_LOOK_S = 0.05


class Cluster(NamedTuple):
    """A log on the broker under a namespace that is its own."""

    log: Log
    brokers: str
    namespace: str
    partitions: int

    @property
    def address(self) -> str:
        """For `--log`."""
        return f"kafka://{self.brokers}/{self.namespace}"

    def name(self, topic_or_group: str) -> str:
        """What the broker calls it."""
        return f"{self.namespace}.{topic_or_group}"

    def wait_for_group(self, group: str, members: int) -> None:
        """Until so many members share the group's partitions, each with one at least."""
        admin = AdminClient({"bootstrap.servers": self.brokers, "log_level": 2})

        def is_shared() -> bool:
            descriptions = admin.describe_consumer_groups([self.name(group)])
            try:
                held_by = descriptions[self.name(group)].result().members
            except kafka.KafkaException:  # the group is not there yet, or its coordinator
                return False
            held = [len(member.assignment.topic_partitions) for member in held_by]
            return len(held) == members and min(held) > 0 and sum(held) == self.partitions

        wait_for(is_shared, f"{members} members of {group}")

    def write_at_once(self, messages: Sequence[Message]) -> int:
        """Write in one transaction, so that readers get all of it at one time, which is returned.

        That is just before the commit, in nanoseconds of `time.time_ns`.
        """
        producer = kafka.Producer(
            {
                "bootstrap.servers": self.brokers,
                "transactional.id": f"{self.namespace}.{uuid.uuid4().hex}",
                "compression.type": "lz4",
                "queue.buffering.max.messages": len(messages) + 1,
                "log_level": 2,
            }
        )
        producer.init_transactions()
        producer.begin_transaction()
        for topic, key, value in ((m.topic, m.key, m.value) for m in messages):
            producer.produce(self.name(topic), value, key, partition_of(key, self.partitions))
        producer.flush()
        start_ns = time.time_ns()
        producer.commit_transaction()
        return start_ns


def disk_bytes(cluster: Cluster, topic: str) -> int:
    """The segments of a topic of the log, as they lie on the broker's disk."""
    folders = _broker().folder.glob(f"broker-*/data/{cluster.name(topic)}-*")
    return sum(file.stat().st_size for folder in folders for file in folder.glob("*.log"))


def broker_process() -> int:
    """The process id of the broker."""
    return int(_broker()._processes[0].pid)  # noqa: SLF001 - of the tests' own


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Until it holds; an error after five minutes."""
    end_s = time.monotonic() + _LIMIT_S
    while not condition():
        assert time.monotonic() < end_s, f"{what} did not come in {_LIMIT_S:g} s"
        time.sleep(_LOOK_S)


@contextmanager
def fresh_log(partitions: int = PARTITIONS) -> Iterator[Cluster]:
    """A new log with the market's topics, on the one broker of this process."""
    brokers, namespace = _broker().address, f"b{uuid.uuid4().hex[:8]}"
    with closing(open_log(f"kafka://{brokers}/{namespace}")) as log:
        ensure_topics(log, partitions)
        yield Cluster(log, brokers, namespace, partitions)


@contextmanager
def at_work(
    cluster: Cluster,
    featurizers: int = 1,
    program: Callable[[str], Sequence[str | Path]] = lambda _verb: [BAROGRAPH],
) -> Iterator[Sequence["subprocess.Popen[bytes]"]]:
    """Featurizers and a scorer with a champion, each `barograph … --follow`, holding partitions.

    None may have lost a partition or died when they are told to stop. program: what is called for
    a verb in place of `barograph`.
    """
    verbs = ["featurize"] * featurizers + ["score"]
    options = ["--follow", "--json", "--log", cluster.address, "--home", str(_home())]
    workers = [
        subprocess.Popen(  # noqa: S603 - our own program
            [*program(verb), verb, *options], stdout=subprocess.PIPE
        )
        for verb in verbs
    ]
    try:
        cluster.wait_for_group("featurizer", featurizers)
        cluster.wait_for_group("scorer", 1)
        yield workers
        for worker in workers:
            worker.terminate()
        for verb, worker in zip(verbs, workers, strict=True):
            output, _ = worker.communicate(timeout=_LIMIT_S)
            assert worker.returncode == 0, f"{verb} ended with {worker.returncode}"
            assert msgspec.json.decode(output)["fenced"] == 0, f"{verb} lost a partition"
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()


class Predictions:
    """A member of another group, reading predictions as they are committed."""

    def __init__(self, log: Log) -> None:
        self._member = log.join("reader", [PREDICTIONS])
        self.count = 0

    def take(self) -> Sequence[Record]:
        """What came, after at most a tenth of a second."""
        records = self._member.poll(5000, 0.1).records
        self.count += len(records)
        return records

    def wait_until(self, count: int) -> None:
        """Until so many have come in all; not one more."""

        def are_there() -> bool:
            self.take()
            return self.count >= count

        wait_for(are_there, f"{count:,} predictions")
        assert self.count == count


@cache
def _broker() -> Any:  # noqa: ANN401 - the tests' modules have no types
    if reason := missing():
        raise NotMeasuredError(reason)
    folder = temporary_folder()
    running = Brokers(folder, lasting=True)
    atexit.register(running.close)
    return running


@cache
def _home() -> Path:
    """A home with a champion; the log is elsewhere."""
    home = temporary_folder()
    crown(home)
    return home
