from contextlib import closing

from barograph.log.kafka.checkpoints import Owner, Restoring, outgoing, restored
from barograph.log.kafka.transactions import Transactions
from waiting import until

OURS, THEIRS = Owner("g", "ticks", 0), Owner("g", "ticks", 1)


def write(topics, owner, states):
    Transactions(topics.cluster, "w", "w", 30).append(outgoing(topics, owner, states))


def test_the_last_of_each_key_comes_back_to_its_owner_only(topics):
    write(topics, OURS, {"a": b"1", "b": b""})
    write(topics, THEIRS, {"a": b"theirs"})
    write(topics, OURS, {"a": b"2"})
    assert restored(topics, OURS) == {"a": b"2", "b": b""}
    assert restored(topics, THEIRS) == {"a": b"theirs"}
    assert restored(topics, Owner("nobody")) == {}


def test_several_owners_come_back_together(topics):
    owners = [Owner("g", "ticks", number) for number in range(12)]
    for owner in owners:
        write(topics, owner, {"at": str(owner.partition).encode()})
    with closing(Restoring(topics, owners)) as restoring:
        until(lambda: restoring.step(0.1))
        assert restoring.found == {owner: {"at": str(owner.partition).encode()} for owner in owners}


def test_an_open_transaction_is_waited_for_whichever_way_it_ends(topics, half_done):
    write(topics, OURS, {"a": b"1"})
    for end, expected in (("abort_transaction", b"1"), ("commit_transaction", b"2")):
        producer = half_done(outgoing(topics, OURS, {"a": b"2"}))
        with closing(Restoring(topics, [OURS])) as restoring:
            for _ in range(5):
                assert not restoring.step(0.05)
            getattr(producer, end)()
            until(lambda each=restoring: each.step(0.1))
            assert restoring.found[OURS] == {"a": expected}


def test_what_is_written_later_is_not_waited_for(topics, half_done):
    write(topics, OURS, {"a": b"1"})
    with closing(Restoring(topics, [OURS])) as restoring:
        half_done(outgoing(topics, OURS, {"a": b"2"}))
        until(lambda: restoring.step(0.1))
        assert restoring.found[OURS] == {"a": b"1"}
