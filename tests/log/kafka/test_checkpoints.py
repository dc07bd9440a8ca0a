import os
from contextlib import closing

import pytest

from barograph.errors import OpenTransactionError
from barograph.log.kafka import reader
from barograph.log.kafka.checkpoints import (
    CHECKPOINTS,
    CheckpointOwner,
    Restoring,
    outgoing,
    restored,
)
from barograph.log.kafka.transactions import Transactions
from barograph.log.kafka.watch import Identities
from log_consumer import contents
from waiting import until

OURS, THEIRS = CheckpointOwner("g", "ticks", 0), CheckpointOwner("g", "ticks", 1)


def write(topics, owner, states):
    Transactions(topics.cluster, "w", "w", 30).append(outgoing(topics, owner, states))


def test_the_last_of_each_key_comes_back_to_its_owner_only(topics):
    write(topics, OURS, {"a": b"1", "b": b""})
    write(topics, THEIRS, {"a": b"theirs"})
    write(topics, OURS, {"a": b"2"})
    assert restored(topics, OURS) == {"a": b"2", "b": b""}
    assert restored(topics, THEIRS) == {"a": b"theirs"}
    assert restored(topics, CheckpointOwner("nobody")) == {}


def test_several_owners_come_back_together(topics):
    owners = [CheckpointOwner("g", "ticks", number) for number in range(12)]
    for owner in owners:
        write(topics, owner, {"at": str(owner.partition).encode()})
    with closing(Restoring(topics, owners)) as restoring:
        until(lambda: restoring.step(0.1))
        assert restoring.checkpoints == {
            owner: {"at": str(owner.partition).encode()} for owner in owners
        }


def test_an_open_transaction_is_waited_for_whichever_way_it_ends(topics, half_done):
    write(topics, OURS, {"a": b"1"})
    for end, expected in (("abort_transaction", b"1"), ("commit_transaction", b"2")):
        producer = half_done(outgoing(topics, OURS, {"a": b"2"}))
        with closing(Restoring(topics, [OURS])) as restoring:
            for _ in range(5):
                assert not restoring.step(0.05)
            getattr(producer, end)()
            until(lambda each=restoring: each.step(0.1))
            assert restoring.checkpoints[OURS] == {"a": expected}


def test_what_is_written_later_is_not_waited_for(topics, half_done):
    write(topics, OURS, {"a": b"1"})
    with closing(Restoring(topics, [OURS])) as restoring:
        half_done(outgoing(topics, OURS, {"a": b"2"}))
        until(lambda: restoring.step(0.1))
        assert restoring.checkpoints[OURS] == {"a": b"1"}


def test_a_removed_one_is_gone_and_may_come_back(topics):
    write(topics, OURS, {"a": b"1", "b": b"2"})
    write(topics, OURS, {"a": None})
    assert restored(topics, OURS) == {"b": b"2"}
    write(topics, OURS, {"a": b"3"})
    assert restored(topics, OURS) == {"a": b"3", "b": b"2"}


def test_what_speaks_of_a_topic_that_is_gone_is_left_out(topics):
    ours = Identities(topics, "g")
    ours.learn(["ticks"])
    writer = Transactions(topics.cluster, "w", "w", 30)
    writer.append(outgoing(topics, OURS, {"a": b"old"}, "another"))
    writer.append(outgoing(topics, OURS, {"b": b"new"}, ours.of("ticks")))
    writer.append(outgoing(topics, OURS, {"c": b"of an older version"}))
    with closing(Restoring(topics, [OURS], ours)) as restoring:
        until(lambda: restoring.step(0.1))
        assert restoring.checkpoints[OURS] == {"b": b"new", "c": b"of an older version"}


def test_a_writer_that_never_ends_is_not_waited_for_without_limit(topics, half_done, monkeypatch):
    monkeypatch.setattr(reader, "LIMIT_S", 0.5)
    monkeypatch.setattr(reader, "_LOOK_S", 0.2)
    half_done(outgoing(topics, OURS, {"a": b"2"}))
    with pytest.raises(OpenTransactionError, match=r"^g: .*__checkpoints/\d .*--start-offset 0`"):
        restored(topics, OURS)


def test_the_topic_shrinks_while_it_is_written(topics, log):
    write(topics, OURS, {"a": b"first"})
    for _ in range(6):
        write(topics, OURS, {"a": os.urandom(7 << 20)})
    write(topics, OURS, {"a": b"last"})
    number = next(n for n in range(CHECKPOINTS.partitions) if contents(log, CHECKPOINTS.name, n))
    until(lambda: len(contents(log, CHECKPOINTS.name, number)) < 6)
    assert restored(topics, OURS) == {"a": b"last"}
