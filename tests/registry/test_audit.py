"""Who was champion before, by a record of promotions and rollbacks."""

from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from barograph.registry.audit import Promotion, former

VERSIONS = st.lists(st.integers(1, 5), max_size=12)


def entry(action, version):
    return Promotion(time_ns=0, action=action, version=version, previous=None, reason="")


def promoted(versions):
    return [entry("promote", version) for version in versions]


@given(VERSIONS)
def test_rollbacks_walk_back_through_the_champions_and_end(versions):
    history, champion, visited = promoted(versions), versions[-1] if versions else None, []
    while (before := former(history, champion)) is not None:
        assert before != champion
        visited.append(before)
        history.append(entry("rollback", before))
        champion = before
    reigns = [version for version, _ in groupby(versions)]
    assert visited == reigns[-2::-1]


@given(VERSIONS, st.integers(0, 12), st.integers(6, 9))
def test_a_promotion_after_rollbacks_is_taken_back_to_where_they_had_led(versions, back, new):
    history, champion = promoted(versions), versions[-1] if versions else None
    for _ in range(back):
        before = former(history, champion)
        if before is None:
            break
        history.append(entry("rollback", before))
        champion = before
    assert former([*history, entry("promote", new)], new) == champion


def test_an_alias_that_moved_without_a_word_is_taken_back_to_the_last_one_that_had_one():
    assert former(promoted([1]), 2) == 1
    assert former([], 2) is None
