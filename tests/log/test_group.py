"""Which partitions a member of a group has to take and to give back."""

from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.log.database import Database
from barograph.log.group import Claim, Lease, share, survey
from barograph.log.presence import Presence
from barograph.types import TopicPartition

PARTITIONS = {TopicPartition("ticks", number): number + 1 for number in range(4)}
LATER_NS = 1 << 60


@given(st.integers(0, 100), st.integers(1, 20))
def test_shares_are_all_partitions_and_differ_by_one_at_most(partitions, members):
    shares = [share(partitions, members, rank) for rank in range(members)]
    assert sum(shares) == partitions
    assert max(shares) - min(shares) <= 1
    assert shares == sorted(shares, reverse=True)


class Group:
    """Members of a group, of which the first is looked at."""

    def __init__(self, folder):
        self.database = Database(folder / "log.sqlite", wait_s=5)
        self.lease = Lease(folder / "members", 30.0, lambda: 0)
        self.members = []
        self.held = {}

    def join(self):
        member = Presence(self.lease.folder, LATER_NS)
        with self.database.write():
            self.database.change("add_member", member.id, "g", "[]")
        self.members.append(member)
        return member

    def hold(self, *places, position=0, done=0):
        for place in places:
            partition = PARTITIONS[place]
            with self.database.write():
                (epoch, _) = self.database.rows("take", "g", partition, self.members[0].id)[0]
            self.held[place] = claim = Claim(partition, epoch, position)
            claim.done = done

    def survey(self):
        first = self.members[0].id
        return survey(self.database, "g", self.lease, first, self.held, PARTITIONS)


@pytest.fixture
def group(tmp_path):
    group = Group(tmp_path)
    with closing(group.database):
        group.join()
        yield group
        for member in group.members:
            member.withdraw()


def test_who_is_not_in_the_group_has_nothing_to_do(group):
    with group.database.write():
        group.database.change("remove_member", group.members[0].id)
    assert group.survey() is None


def test_who_is_alone_takes_all(group):
    todo = group.survey()
    assert todo.take == list(PARTITIONS)
    assert not todo.is_settled
    group.hold(*PARTITIONS)
    assert group.survey().is_settled


def test_of_too_many_the_last_are_given_back(group):
    group.hold(*PARTITIONS)
    group.join()
    todo = group.survey()
    assert todo.give == list(PARTITIONS)[:1:-1]
    assert not todo.owes


def test_what_was_polled_and_not_committed_is_owed(group):
    group.hold(*PARTITIONS, position=5, done=4)
    group.join()
    todo = group.survey()
    assert todo.give == []
    assert todo.owes
    assert todo.is_settled


def test_what_a_member_left_by_its_end_is_taken(group):
    other = group.join()
    group.hold(*list(PARTITIONS)[:2])
    with group.database.write():
        group.database.change("take", "g", 3, other.id)
    assert group.survey().is_settled
    other.withdraw()
    todo = group.survey()
    assert todo.dead == [other.id]
    assert todo.take == list(PARTITIONS)[2:]


def test_a_partition_that_another_took_meanwhile_is_lost(group):
    group.hold(*PARTITIONS)
    with group.database.write():
        group.database.change("take", "g", 2, "somebody")
    assert group.survey().lost == [TopicPartition("ticks", 1)]
