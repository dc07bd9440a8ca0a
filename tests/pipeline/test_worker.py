"""The worker: crash anywhere, restart, and the log looks as if nothing had happened."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph import codec
from barograph.errors import OffsetGapError
from barograph.feature_set.featurizer import Featurizer
from barograph.log import MAX_VALUE_BYTES, Topic, open_log
from barograph.log.sqlite import SqliteLog
from barograph.pipeline.worker import NEXT, Route, Tally, dead_letter, when_idle, work
from barograph.types import Fault, Message, Outcome, Record
from market_stages import MarketScorer
from numbered_ticks import NS, ticks

ROUTE = Route(
    group="counters", source="in", target="out", dead_letters="dead", stamp="counted_time_ns"
)


class Counter:
    """A machine with memory: each value is its key's count so far; "bad" is refused."""

    def __init__(self):
        self.counts, self.changed = {}, set()

    def receive(self, records):
        values, dead = [], []
        for record in records:
            if record.value == b"bad":
                dead.append(codec.dead(record, Fault.WRONG_SHAPE, "bad"))
                continue
            count = self.counts[record.key] = self.counts.get(record.key, 0) + 1
            self.changed.add(record.key)
            values.append((record.key, b"%d" % count))
        return Outcome(values, dead)

    def snapshot(self):
        changed, self.changed = self.changed, set()
        return {key: b"%d" % self.counts[key] for key in changed}

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
    how = {"until": when_idle, **more}
    return work(log, ROUTE, machine, clock_ns=lambda: 7, timeout_s=0.0, **how)


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


deaths = st.lists(
    st.tuples(st.sampled_from(["before", "after", "asleep"]), st.integers(0, 5), st.integers(1, 9)),
    max_size=8,
)
"""How each worker dies: before or after which commit or replaced in its sleep, and its batches."""


@pytest.mark.slow
@settings(max_examples=60)
@given(st.lists(st.sampled_from("abcdef"), max_size=60), deaths, st.integers(1, 30))
def test_a_worker_that_dies_anywhere_leaves_what_one_that_lives_leaves(
    tmp_path_factory, keys, deaths, every
):
    lives = new_log(tmp_path_factory.mktemp("lives"))
    home = tmp_path_factory.mktemp("dies")
    now_ns = [0]
    dies, other = (
        SqliteLog(home / "log.sqlite", lease_clock_ns=lambda: now_ns[0]) for _ in range(2)
    )
    for name in ("in", "out", "dead"):
        dies.create(Topic(name=name, partitions=3))
    for log in (lives, dies):
        log.append([Message("in", key, b"x") for key in keys])
    for how, after, limit in deaths:
        steps = {"limit": limit, "checkpoint_every": every}
        with suppress(CrashError):
            if how == "before":
                run(dies, crashing(after), **steps)
            elif how == "after":
                run(dies, Counter, until=crash_after(after + 1), **steps)
            else:
                run(dies, sleeping(after, now_ns, other), **steps)
    run(dies, Counter, limit=3, checkpoint_every=every)
    run(lives, Counter)
    assert written(dies, "out") == written(lives, "out")
    for log in (lives, dies, other):
        log.close()


def crash_after(steps):
    """An `until` that dies after so many steps that committed something."""

    def until(tally, idle):
        if tally.commits >= steps:
            raise CrashError
        return idle

    return until


def sleeping(after, now_ns, other):
    """A machine type that once, in its batch number `after`, sleeps while another does a part."""
    left = [after]

    class Sleeping(Counter):
        def receive(self, records):
            outcome = super().receive(records)
            left[0] -= 1
            if left[0] == -1:
                now_ns[0] += 3600 * NS
                with suppress(CrashError):
                    run(other, Counter, until=crash_after(2), limit=2)
            return outcome

    return Sleeping


class Listed(Counter):
    """A counter that lists the offsets of the records it received."""

    offsets: list[int]

    def receive(self, records):
        self.offsets += [record.offset for record in records]
        return super().receive(records)


def listed():
    return type("Listed", (Listed,), {"offsets": []})


def one_partition(tmp_path, records=0):
    log = open_log(tmp_path)
    for name in ("in", "out", "dead"):
        log.create(Topic(name=name, retention_bytes=10 if name == "in" else None))
    log.append([Message("in", "a", b"x")] * records)
    return log


@pytest.mark.parametrize(("limit", "snapshots"), [(1, [10, 20]), (4, [12, 24])])
def test_checkpoints_are_committed_every_so_many_records(tmp_path, limit, snapshots):
    log = one_partition(tmp_path, 25)
    machine, taken = listed(), []
    machine.snapshot = lambda self: taken.append(len(self.offsets)) or {}
    with pytest.raises(CrashError):
        run(log, machine, limit=limit, checkpoint_every=10, until=crash_after(-(-25 // limit)))
    assert taken == snapshots
    log.close()


def test_after_a_crash_what_its_checkpoints_lack_is_read_again_and_no_more(tmp_path):
    log = one_partition(tmp_path, 25)
    with pytest.raises(CrashError):
        run(log, Counter, limit=1, checkpoint_every=10, until=crash_after(25))
    log.append([Message("in", "a", b"x")])
    again = listed()
    run(log, again, checkpoint_every=10)
    assert again.offsets == list(range(20, 26))
    assert [int(value) for _, _, value in written(log, "out")] == list(range(1, 27))
    log.close()


def test_after_a_stop_nothing_is_read_again(tmp_path):
    log = one_partition(tmp_path, 25)
    run(log, Counter, limit=1)
    log.append([Message("in", "a", b"x")])
    log.retain()
    again = listed()
    run(log, again)
    assert again.offsets == [25]
    assert written(log, "out")[-1][2] == b"26"
    log.close()


def test_a_machine_without_memory_receives_nothing_twice(tmp_path):
    log = one_partition(tmp_path, 25)
    machine = listed()
    with pytest.raises(CrashError):
        run(log, machine, limit=1, checkpoint_every=None, until=crash_after(20))
    run(log, machine, checkpoint_every=None)
    assert machine.offsets == list(range(25))
    assert checkpoints_of(log) == {}
    log.close()


def test_a_log_from_before_sparse_checkpoints_goes_on_as_it_stands(tmp_path):
    log = one_partition(tmp_path, 7)
    member = log.join("counters", ["in"])
    place = next(iter(member.poll(7, 0.0).assigned))
    member.commit(checkpoints={place: {"a": b"7"}})
    member.leave()
    log.append([Message("in", "a", b"x")] * 3)
    with pytest.raises(CrashError):
        run(log, Counter, limit=1, until=crash_after(2))
    run(log, Counter)
    assert [value for _, _, value in written(log, "out")] == [b"8", b"9", b"10"]
    log.close()


def checkpoints_of(log):
    member = log.join("counters", ["in"])
    saved = member.poll(1, 0.0).assigned
    member.leave()
    return next(iter(saved.values()))


def test_where_a_group_began_stands_in_its_first_commit(tmp_path):
    log = one_partition(tmp_path, 30)
    log.retain()
    oldest = log.extents("in")[0].oldest
    with pytest.raises(CrashError):
        run(log, Counter, limit=1, until=crash_after(1))
    assert checkpoints_of(log) == {NEXT: b"%d" % oldest}
    log.close()


def test_records_that_would_be_read_again_and_are_gone_are_not_passed_over(tmp_path):
    log = one_partition(tmp_path, 25)
    with pytest.raises(CrashError):
        run(log, Counter, limit=1, checkpoint_every=10, until=crash_after(25))
    log.append([Message("in", "a", b"x")] * 8)
    log.retain()
    with pytest.raises(OffsetGapError):
        run(log, Counter)
    log.close()


def test_values_carry_what_the_machine_took_for_each_of_the_batch(tmp_path):
    log = one_partition(tmp_path, 4)
    now_ns = [0]

    class Slow(Counter):
        def receive(self, records):
            now_ns[0] += 1000 * len(records)
            return super().receive(records)

    route = msgspec.structs.replace(ROUTE, cost="inference_ns")
    work(
        log,
        route,
        Slow,
        clock_ns=lambda: 7,
        until=when_idle,
        timeout_s=0.0,
        timer_ns=lambda: now_ns[0],
    )
    headers = [record.headers for record in log.read("out", 0, 0, 10)]
    assert [(each["counted_time_ns"], each["inference_ns"]) for each in headers] == [
        ("7", "1000")
    ] * 4
    log.close()


def test_a_worker_tells_what_it_gave_away_and_what_is_left_to_read(tmp_path):
    log, other = new_log(tmp_path), open_log(tmp_path)
    log.append([Message("in", key, b"x") for key in "abcdefgh" * 5])
    member = other.join("counters", ["in"])
    lags = []

    def until(tally, _idle):
        lags.append(tally.lag)
        member.poll(1, 0.0)
        return tally.revoked > 0 or len(lags) > 100

    tally = run(log, Counter, limit=10, until=until)
    assert (tally.assigned, tally.revoked) == (3, 1)
    assert lags[0] == 30
    for each in (log, other):
        each.close()


def test_a_worker_without_a_partition_waits_for_one(tmp_path):
    log, other = one_partition(tmp_path, 5), open_log(tmp_path)
    member = other.join("counters", ["in"])
    member.poll(1, 0.0)
    idles = []

    def until(_tally, idle):
        idles.append(idle)
        if len(idles) == 3:
            member.leave()
        return idle

    assert run(log, Counter, until=until).values == 5
    assert idles.count(True) == 1
    assert len(idles) > 3
    for each in (log, other):
        each.close()


def test_a_dead_letter_too_large_for_the_log_keeps_its_beginning_and_says_so():
    record = Record("in", 2, 9, "k", b"\xff" * MAX_VALUE_BYTES)
    message = dead_letter("dead", codec.dead(record, Fault.NOT_UTF8, "no text"))
    letter = codec.decode_dead_letter(message.value)
    assert len(message.value) <= MAX_VALUE_BYTES
    assert record.value.startswith(letter.original)
    assert len(letter.original) == MAX_VALUE_BYTES // 2
    assert letter.detail.startswith("no text (here are the first 4,194,304 of 8,388,608 bytes")
    assert letter.detail.endswith("all stand in in at 2:9)")


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


@pytest.mark.slow
def test_features_and_predictions_are_the_same_bytes_after_any_deaths(tmp_path):
    scoring = Route(
        group="scorers",
        source="out",
        target="predictions",
        dead_letters="dead",
        stamp="scored_time_ns",
    )
    left = []
    for i, deaths in enumerate([[], [0], [1, 0, 3], [5, 2, 2, 0, 1]]):
        log = new_log(tmp_path / str(i))
        log.create(Topic(name="predictions", partitions=3))
        log.append(ticks(1000))
        for machine, route in ((Featurizer, ROUTE), (MarketScorer, scoring)):

            def step(machine, route=route, log=log):
                quick = {"clock_ns": lambda: 7, "until": when_idle, "timeout_s": 0.0, "limit": 97}
                work(log, route, machine, checkpoint_every=150, **quick)

            for death in deaths:
                with pytest.raises(CrashError):
                    step(crashing(death, machine))
            step(machine)
        left.append((written(log, "out"), written(log, "predictions")))
        log.close()
    assert [len(values) for values in left[0]] == [2 * 999, 2 * 999]
    assert all(each == left[0] for each in left)


@pytest.mark.parametrize("damage", ["state", "place", "beyond"])
def test_a_state_whose_checkpoint_cannot_be_used_is_made_again_from_the_log(tmp_path, damage):
    """As after an upgrade that changes the layout: no row differs from those without it."""
    lives, upgraded = one_partition(tmp_path / "lives"), one_partition(tmp_path / "upgraded")
    messages = ticks(400)
    for log in (lives, upgraded):
        log.append(messages[:500])
        run(log, Featurizer)
        log.append(messages[500:])
    member = upgraded.join("counters", ["in"])
    place = next(iter(member.poll(1, 0.0).assigned))
    member.leave()
    member = upgraded.join("counters", ["in"])
    member.poll(0, 0.0)
    bad = {"state": {"BTC-USD": b"of another layout", "GONE-USD": b"of another layout"},
           "place": {NEXT: b"x" * 16}, "beyond": {NEXT: b"9" * 15}}[damage]  # fmt: skip
    member.commit(checkpoints={place: bad})
    member.leave()
    run(lives, Featurizer)
    run(upgraded, Featurizer)
    assert written(upgraded, "out") == written(lives, "out")
    assert len(written(lives, "out")) == 2 * 399
    # And it stays so: the next start needs no record of before.
    upgraded.retain()
    upgraded.append(ticks(401)[-2:])
    assert run(upgraded, Featurizer).values == 2
    for log in (lives, upgraded):
        log.close()


def test_tallies_add_up_and_the_lag_is_the_later_one():
    first, then = Tally(records=1, values=2, lag=9), Tally(records=10, fenced=1, lag=3)
    assert first.plus(then) == Tally(records=11, values=2, fenced=1, lag=3)
