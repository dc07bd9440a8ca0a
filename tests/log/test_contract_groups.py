"""What a consumer group is: the part of the contract in `test_contract.py` that has members."""

import threading
import time
from collections import defaultdict

import pytest

from barograph.errors import BadInputError, FencedError, UnknownTopicError
from barograph.log import MAX_VALUE_BYTES, Topic, partition_of
from barograph.types import Message, TopicPartition
from log_consumer import ONE, Consumer, contents, messages, numbers
from waiting import LIMIT_S, until

# One member.


def test_a_new_group_starts_at_the_oldest_record(ticks):
    ticks.append(messages(5))
    consumer = Consumer(ticks)
    assert numbers(consumer.poll_records(5)) == [0, 1, 2, 3, 4]
    assert consumer.held == {ONE: {}}
    assert numbers(Consumer(ticks, "another").poll_records(5)) == [0, 1, 2, 3, 4]


def test_where_a_group_stands_can_be_seen_from_beside(ticks, open_again):
    ticks.append(messages(10))
    assert ticks.positions("g", "ticks") == {}
    consumer = Consumer(ticks)
    consumer.poll_records(10)
    assert open_again().positions("g", "ticks") == {}
    consumer.commit()
    assert open_again().positions("g", "ticks") == {0: contents(ticks, "ticks")[-1].offset + 1}
    assert ticks.positions("another", "ticks") == {}
    with pytest.raises(UnknownTopicError):
        ticks.positions("g", "nowhere")


def test_polling_goes_on_without_a_commit_and_keeps_to_its_limit(ticks):
    ticks.append(messages(10))
    consumer = Consumer(ticks)
    until(lambda: len(consumer.poll(limit=3).records) <= 3 and len(consumer.records) == 10)
    assert numbers(consumer.records) == list(range(10))


def test_a_poll_without_records_ends_at_its_time_out(ticks):
    consumer = Consumer(ticks)
    consumer.poll_until(lambda: consumer.held)
    start_s = time.monotonic()
    assert not consumer.poll(timeout_s=0.2).records
    assert 0.19 <= time.monotonic() - start_s < LIMIT_S


def test_a_waiting_poll_returns_when_another_handle_appends(ticks, open_again):
    consumer = Consumer(ticks)
    until(lambda: consumer.poll() and consumer.held)
    writer = threading.Thread(target=open_again().append, args=(messages(1),))
    writer.start()
    start_s = time.monotonic()
    until(lambda: consumer.poll(timeout_s=LIMIT_S).records)
    assert time.monotonic() - start_s < LIMIT_S / 2
    writer.join()


def test_the_next_member_goes_on_after_what_was_committed(ticks, open_again):
    ticks.append(messages(10))
    first = Consumer(ticks)
    until(lambda: first.poll(limit=4).records)
    done = numbers(first.records)
    first.commit()
    first.poll(limit=4)
    first.member.leave()
    rest = Consumer(open_again()).poll_records(10 - len(done))
    assert numbers(rest) == list(range(len(done), 10))


def test_what_was_polled_and_not_committed_is_read_again_by_the_next_owner(ticks, open_again):
    ticks.append(messages(5))
    first = Consumer(ticks)
    first.poll_records(5)
    first.member.leave()
    assert numbers(Consumer(open_again()).poll_records(5)) == [0, 1, 2, 3, 4]


def test_a_commit_writes_outputs_checkpoints_and_position_together(ticks, open_again):
    ticks.create(Topic(name="rows"))
    ticks.append(messages(3))
    first = Consumer(ticks)
    first.poll_records(3)
    first.commit(messages(2, "rows"), {ONE: {"state": b"sum 3", "model": b"m"}})
    other = open_again()
    assert numbers(contents(other, "rows")) == [0, 1]
    first.member.leave()
    second = Consumer(other)
    until(lambda: second.poll() and second.held)
    assert second.held == {ONE: {"state": b"sum 3", "model": b"m"}}
    assert second.records == []


def test_checkpoints_are_merged_by_key_and_belong_to_their_group_and_partition(log, open_again):
    log.create(Topic(name="ticks", partitions=2))
    zero, one = TopicPartition("ticks", 0), TopicPartition("ticks", 1)
    for group in ("g", "h"):
        consumer = Consumer(log, group)
        until(lambda each=consumer: each.poll() and len(each.held) == 2)
        consumer.commit(checkpoints={zero: {"a": b"1", "b": b"1"}, one: {"a": group.encode()}})
        consumer.commit(checkpoints={zero: {"b": b"2", "c": b""}})
        consumer.member.leave()
    again = Consumer(open_again(), "h")
    until(lambda: again.poll() and len(again.held) == 2)
    assert again.held == {zero: {"a": b"1", "b": b"2", "c": b""}, one: {"a": b"h"}}


def test_a_commit_with_an_output_to_an_unknown_topic_writes_nothing(ticks, open_again):
    ticks.create(Topic(name="rows"))
    ticks.append(messages(3))
    first = Consumer(ticks)
    first.poll_records(3)
    bad = [*messages(2, "rows"), Message("tocks", "k", b"v")]
    with pytest.raises(UnknownTopicError, match="tocks"):
        first.commit(bad, {ONE: {"state": b"x"}})
    other = open_again()
    assert contents(other, "rows") == []
    first.member.leave()
    second = Consumer(other)
    assert numbers(second.poll_records(3)) == [0, 1, 2]
    assert second.held == {ONE: {}}


def test_a_commit_can_be_tried_again_after_it_failed(ticks):
    ticks.append(messages(3))
    consumer = Consumer(ticks)
    consumer.poll_records(3)
    with pytest.raises(UnknownTopicError):
        consumer.commit(messages(1, "rows"))
    ticks.create(Topic(name="rows"))
    consumer.commit(messages(1, "rows"))
    assert numbers(contents(ticks, "rows")) == [0]


def test_what_was_passed_over_goes_with_the_next_commit(ticks, open_again):
    ticks.append(messages(5))
    first = Consumer(ticks)
    first.poll_records(5)
    first.member.pass_over()
    ticks.append(messages(1, start=5))
    first.poll_records(6)
    first.commit()
    first.member.leave()
    ticks.append(messages(1, start=6))
    assert numbers(Consumer(open_again()).poll_records(1)) == [6]


def test_a_commit_of_nothing_is_nothing(ticks):
    consumer = Consumer(ticks)
    until(lambda: consumer.poll() and consumer.held)
    consumer.commit()
    ticks.append(messages(2))
    assert numbers(consumer.poll_records(2)) == [0, 1]


def test_a_checkpoint_that_is_none_is_removed_with_the_commit(ticks, open_again):
    consumer = Consumer(ticks)
    consumer.poll_until(lambda: consumer.held)
    consumer.commit(checkpoints={ONE: {"a": b"1", "b": b"2"}})
    consumer.commit(checkpoints={ONE: {"a": None, "c": b""}})
    consumer.member.leave()
    heir = Consumer(open_again())
    heir.poll_until(lambda: heir.held)
    assert heir.held == {ONE: {"b": b"2", "c": b""}}


def test_a_checkpoint_of_a_group_has_the_bound_of_a_value_and_nothing_is_written(ticks):
    ticks.append(messages(1))
    consumer = Consumer(ticks)
    consumer.poll_records(1)
    with pytest.raises(BadInputError, match=r"checkpoint 'state' of group g at ticks/0.*allowed"):
        consumer.commit(messages(1, start=7), {ONE: {"state": bytes(MAX_VALUE_BYTES + 1)}})
    assert numbers(contents(ticks, "ticks")) == [0]
    consumer.commit(messages(1, start=1), {ONE: {"state": b"small"}})
    assert numbers(contents(ticks, "ticks")) == [0, 1]


def test_a_checkpoint_for_a_foreign_partition_is_fenced(ticks):
    ticks.create(Topic(name="rows"))
    ticks.append(messages(3))
    consumer = Consumer(ticks)
    consumer.poll_records(3)
    with pytest.raises(FencedError):
        consumer.commit(messages(1, "rows"), {TopicPartition("rows", 0): {"state": b"x"}})
    assert contents(ticks, "rows") == []


def test_lag_counts_what_is_still_to_be_polled(ticks):
    consumer = Consumer(ticks)
    until(lambda: consumer.poll() and consumer.held)
    assert consumer.member.lag() == {ONE: 0}
    ticks.append(messages(7))
    assert consumer.member.lag()[ONE] >= 7
    consumer.poll_records(7)
    ticks.append(messages(3, start=7))
    assert consumer.member.lag()[ONE] >= 3
    consumer.poll_records(10)
    assert consumer.member.lag()[ONE] <= 1  # a transaction may end in a marker


def test_a_member_reads_all_its_topics(log):
    log.create(Topic(name="ticks"))
    log.create(Topic(name="rows", partitions=2))
    log.append([*messages(4), *messages(4, "rows", "a"), *messages(4, "rows", "b")])
    consumer = Consumer(log, topics=["ticks", "rows"])
    consumer.poll_records(12)
    assert {place.topic for place in consumer.held} == {"ticks", "rows"}
    for key in ("BTC-USD", "a", "b"):
        assert numbers(r for r in consumer.records if r.key == key) == [0, 1, 2, 3]


def test_a_busy_partition_does_not_starve_a_quiet_one(log):
    log.create(Topic(name="busy"))
    log.create(Topic(name="quiet"))
    log.append([*messages(2000, "busy"), *messages(1, "quiet")])
    consumer = Consumer(log, topics=["busy", "quiet"])
    until(lambda: consumer.poll() and len(consumer.held) == 2)
    seen = list(consumer.records)
    until(
        lambda: (
            seen.extend(consumer.poll(limit=100).records)
            or any(record.topic == "quiet" for record in seen)
        )
    )
    assert len(seen) < 2000 or len(seen) == len(consumer.records)


# Several members.


@pytest.fixture
def shared(log):
    """A topic of four partitions with twenty records of each of twelve keys."""
    log.create(Topic(name="ticks", partitions=4))
    log.append(Message("ticks", f"k{n % 12}", str(n).encode()) for n in range(240))
    return log


def settle(consumers, partitions=4):
    """Poll and commit, all in turn, until they hold all partitions, spread evenly."""

    def even():
        for each in consumers:
            each.poll()
            each.commit()
        sizes = sorted(len(each.held) for each in consumers)
        return sum(sizes) == partitions and sizes[-1] - sizes[0] <= 1

    until(even)
    held = [place for each in consumers for place in each.held]
    assert len(held) == len(set(held)) == partitions


def test_members_share_partitions_evenly_and_take_over_when_one_leaves(shared, open_again):
    first = Consumer(shared)
    settle([first])
    second = Consumer(open_again())
    settle([first, second])
    third = Consumer(open_again())
    settle([first, second, third])
    second.member.leave()
    settle([first, third])
    first.member.leave()
    settle([third])


def test_members_beyond_the_partitions_wait_for_their_turn(ticks, open_again):
    first = Consumer(ticks)
    settle([first], partitions=1)
    spare = Consumer(open_again())
    settle([first, spare], partitions=1)
    first.member.leave()
    settle([spare], partitions=1)


@pytest.mark.slow
def test_each_record_is_committed_once_while_members_come_and_go(shared, open_again):
    shared.create(Topic(name="rows", partitions=4))
    consumers = [Consumer(shared)]

    def work():
        for each in consumers:
            batch = each.poll(limit=7)
            each.commit([Message("rows", r.key, r.value) for r in batch.records])
        return sum(len(contents(shared, "rows", n)) for n in range(4))

    until(lambda: work() >= 60)
    consumers.append(Consumer(open_again()))
    until(lambda: work() >= 120)
    consumers.append(Consumer(open_again()))
    until(lambda: work() >= 180)
    consumers.pop(0).member.leave()
    until(lambda: work() >= 240)
    by_key = defaultdict(list)
    for partition in range(4):
        for record in contents(shared, "rows", partition):
            by_key[record.key].append(int(record.value))
    assert by_key == {f"k{n}": list(range(n, 240, 12)) for n in range(12)}


def test_partitions_that_stay_are_read_on_during_a_rebalance(shared, open_again):
    first = Consumer(shared)
    settle([first])
    second = Consumer(open_again())
    settle([first, second])
    stayed = set(first.held)
    shared.append(Message("ticks", f"k{n % 12}", str(n).encode()) for n in range(240, 480))
    expected = sum(
        partition_of(f"k{n % 12}", 4) in {p.partition for p in stayed} for n in range(240)
    )
    assert all(int(record.value) >= 240 for record in first.poll_records(expected))


def test_a_partition_whose_records_were_passed_over_goes_without_a_fence(shared, open_again):
    first = Consumer(shared)
    settle([first])
    shared.append(Message("ticks", f"k{n % 12}", str(n).encode()) for n in range(240, 480))
    first.poll_records(240)
    first.member.pass_over()
    settle([first, Consumer(open_again())])  # its commits raise no FencedError


def test_a_checkpoint_moves_with_its_partition(shared, open_again):
    first = Consumer(shared)
    settle([first])
    first.commit(checkpoints={place: {"at": str(place.partition).encode()} for place in first.held})
    second = Consumer(open_again())
    settle([first, second])
    assert second.held == {p: {"at": str(p.partition).encode()} for p in second.held}
    assert second.held


def test_groups_do_not_know_of_each_other(shared, open_again):
    one, two = Consumer(shared, "one"), Consumer(open_again(), "two")
    settle([one])
    settle([two])
    assert len(one.held) == len(two.held) == 4


def test_leaving_twice_is_leaving_once(ticks):
    consumer = Consumer(ticks)
    until(lambda: consumer.poll() and consumer.held)
    consumer.member.leave()
    consumer.member.leave()


def test_closing_a_log_takes_its_members_out_and_can_be_repeated(ticks, open_again):
    other = open_again()
    gone = Consumer(other)
    until(lambda: gone.poll() and gone.held)
    other.close()
    other.close()
    settle([Consumer(ticks)], partitions=1)


# Fences.


@pytest.fixture
def replaced(open_again):
    """A member that polled three records and slept; and the one that has its partition now."""
    log = open_again(lease_s=0.3)
    log.create(Topic(name="ticks"))
    log.create(Topic(name="rows"))
    log.append(messages(3))
    zombie = Consumer(log)
    zombie.poll_records(3)
    heir = Consumer(open_again())
    until(lambda: heir.poll() and heir.held)
    return log, zombie, heir


def test_a_member_that_slept_too_long_is_replaced_and_commits_nothing(replaced):
    log, zombie, heir = replaced
    with pytest.raises(FencedError, match="ticks/0"):
        zombie.commit(messages(3, "rows"), {ONE: {"state": b"zombie"}})
    assert contents(log, "rows") == []
    assert numbers(heir.poll_records(3)) == [0, 1, 2]
    heir.commit(messages(3, "rows", start=10), {ONE: {"state": b"heir"}})
    assert numbers(contents(log, "rows")) == [10, 11, 12]


def test_a_fence_met_in_a_poll_still_voids_the_commit(replaced):
    log, zombie, heir = replaced
    heir.poll_records(3)
    heir.commit(messages(1, "rows"))
    heir.member.leave()
    until(lambda: zombie.poll().revoked)
    with pytest.raises(FencedError):
        zombie.commit(messages(3, "rows", start=10))
    assert numbers(contents(log, "rows")) == [0]


def test_a_fenced_member_starts_again_from_what_was_committed(replaced):
    log, zombie, heir = replaced
    heir.poll_records(3)
    heir.commit(checkpoints={ONE: {"state": b"heir"}})
    heir.member.leave()
    with pytest.raises(FencedError):
        zombie.commit()
    zombie.records = []
    until(lambda: zombie.poll() and zombie.held == {ONE: {"state": b"heir"}})
    log.append(messages(1, start=3))
    assert numbers(zombie.poll_records(1)) == [3]
    zombie.commit(messages(1, "rows"))
    assert numbers(contents(log, "rows")) == [0]
