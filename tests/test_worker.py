"""The worker: crash anywhere, restart, and the log looks as if nothing had happened."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph import codec
from barograph.featurizer import Featurizer
from barograph.log import Topic, open_log
from barograph.log.sqlite import SqliteLog
from barograph.scorer import Scorer
from barograph.types import Fault, Message, Outcome, Tick
from barograph.worker import Route, when_idle, work

NS = 10**9
ROUTE = Route(
    group="counters", source="in", target="out", dead_letters="dead", stamp="counted_time_ns"
)


class Counter:
    """A machine with memory: each value is its key's count so far; "bad" is refused."""

    def __init__(self):
        self.counts = {}

    def receive(self, records):
        values, dead = [], []
        for record in records:
            if record.value == b"bad":
                dead.append(codec.dead(record, Fault.WRONG_SHAPE, "bad"))
                continue
            count = self.counts[record.key] = self.counts.get(record.key, 0) + 1
            values.append((record.key, b"%d" % count))
        return Outcome(values, dead)

    def snapshot(self):
        return {key: b"%d" % count for key, count in self.counts.items()}

    def restore(self, checkpoints):
        self.counts.update({key: int(value) for key, value in checkpoints.items()})


class CrashError(Exception):
    """The moment of death, as data."""


def crashing(until, machine_type=Counter):
    """A machine factory whose machines die after receiving so many batches in all."""
    left = [until]

    class Crashing(machine_type):
        def receive(self, records):
            outcome = super().receive(records)
            left[0] -= 1
            if left[0] < 0:
                raise CrashError
            return outcome

    return Crashing


def new_log(tmp_path):
    log = open_log(tmp_path)
    for name in ("in", "out", "dead"):
        log.create(Topic(name=name, partitions=3))
    return log


def written(log, topic):
    return [
        (record.partition, record.key, record.value)
        for extent in log.extents(topic)
        for record in log.read(topic, extent.partition, extent.oldest, 10**6)
    ]


def run(log, machine, **more):
    return work(log, ROUTE, machine, clock_ns=lambda: 7, until=when_idle, timeout_s=0.0, **more)


def test_values_dead_letters_and_the_stamp_are_committed(tmp_path):
    log = new_log(tmp_path)
    log.append([Message("in", "a", value) for value in (b"x", b"bad", b"y")])
    tally = run(log, Counter)
    assert (tally.records, tally.values, tally.dead_letters) == (3, 2, 1)
    assert [value for _, _, value in written(log, "out")] == [b"1", b"2"]
    letter = codec.decode_dead_letter(written(log, "dead")[0][2])
    assert (letter.original, letter.source) == (b"bad", "in")
    partition = next(e.partition for e in log.extents("out") if e.next)
    assert log.read("out", partition, 0, 1)[0].headers["counted_time_ns"] == "7"


@settings(max_examples=15)
@given(st.lists(st.sampled_from("abcdef"), max_size=60), st.lists(st.integers(0, 5), max_size=6))
def test_a_worker_that_dies_anywhere_leaves_what_one_that_lives_leaves(
    tmp_path_factory, keys, deaths
):
    lives = new_log(tmp_path_factory.mktemp("lives"))
    dies = new_log(tmp_path_factory.mktemp("dies"))
    messages = [Message("in", key, b"x") for key in keys]
    for log in (lives, dies):
        log.append(messages)
    for death in deaths:
        try:
            run(dies, crashing(death), limit=4)
        except CrashError:
            continue
    run(dies, Counter, limit=3)
    run(lives, Counter)
    assert written(dies, "out") == written(lives, "out")
    lives.close()
    dies.close()


def test_a_worker_that_slept_through_its_lease_commits_nothing_and_goes_on(tmp_path):
    now_ns = [0]
    log, other = (
        SqliteLog(tmp_path / "log.sqlite", lease_clock_ns=lambda: now_ns[0]) for _ in "ab"
    )
    for name in ("in", "out", "dead"):
        log.create(Topic(name=name, partitions=3))
    log.append([Message("in", key, b"x") for key in "abcdefgh" * 50])

    class Sleeper(Counter):
        def receive(self, records):
            outcome = super().receive(records)
            if not now_ns[0]:
                now_ns[0] = 3600 * NS
                assert run(other, Counter, limit=10).values == 400
            return outcome

    tally = run(log, Sleeper, limit=10)
    assert (tally.fenced, tally.values) == (1, 0)
    counts = [int(value) for _, _, value in written(log, "out")]
    assert sorted(counts) == sorted(list(range(1, 51)) * 8)
    log.close()
    other.close()


def ticks(n):
    """A tick a second, of two products, walking up and down."""
    return [
        Message(
            "in",
            product,
            codec.encode(
                Tick(
                    product=product,
                    event_time_ns=(1_700_000_000 + second) * NS,
                    price=f"{100 + second % 7}.5",
                    bid=f"{100 + second % 7}.5",
                    ask=f"{100 + second % 7}.6",
                )
            ),
        )
        for second in range(n)
        for product in ("BTC-USD", "ETH-USD")
    ]


def test_features_and_predictions_are_the_same_bytes_after_any_deaths(tmp_path):
    scoring = Route(
        group="scorers", source="out", target="said", dead_letters="dead", stamp="scored_time_ns"
    )
    left = []
    for i, deaths in enumerate([[], [0], [1, 0, 3], [5, 2, 2, 0, 1]]):
        log = new_log(tmp_path / str(i))
        log.create(Topic(name="said", partitions=3))
        log.append(ticks(1000))
        for machine, route in ((Featurizer, ROUTE), (Scorer, scoring)):

            def step(machine, route=route, log=log):
                quick = {"clock_ns": lambda: 7, "until": when_idle, "timeout_s": 0.0, "limit": 97}
                work(log, route, machine, **quick)

            for death in deaths:
                with pytest.raises(CrashError):
                    step(crashing(death, machine))
            step(machine)
        left.append((written(log, "out"), written(log, "said")))
        log.close()
    assert [len(values) for values in left[0]] == [2 * 999, 2 * 999]
    assert all(each == left[0] for each in left)
