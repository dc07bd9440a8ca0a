"""What the archive has not, while the log is away: kept within bounds."""

import pytest

from barograph.feed import unarchived
from barograph.feed.unarchived import Unarchived
from barograph.log.topics import DEAD_LETTERS, STATUS
from barograph.types import Message


def letter(number, size_bytes=10):
    return Message(DEAD_LETTERS, str(number), b"x" * size_bytes)


def test_of_statuses_the_last_of_each_venue_is_kept():
    kept = Unarchived()
    for venue, value in (("a", b"1"), ("b", b"2"), ("a", b"3")):
        kept.add(Message(STATUS, venue, value))
    assert [(each.key, each.value) for each in kept.messages()] == [("a", b"3"), ("b", b"2")]


@pytest.mark.slow
def test_of_letters_the_newest_are_kept_and_the_others_counted():
    kept, count = Unarchived(), 3 * unarchived.MAX_LETTERS
    for number in range(count):
        kept.add(letter(number))
        assert len(kept.messages()) <= unarchived.MAX_LETTERS
    newest = [each.key for each in kept.messages()]
    assert newest == [str(number) for number in range(kept.dropped, count)]


def test_letters_are_bounded_in_bytes_however_few_they_are():
    kept = Unarchived()
    for number in range(100):
        kept.add(letter(number, 1 << 20))
        assert sum(len(each.value) for each in kept.messages()) <= unarchived.MAX_BYTES
    assert kept.dropped + len(kept.messages()) == 100
    assert kept.warning().startswith(f"{kept.dropped:,} dead letters ")
    kept.clear()
    assert (kept.messages(), kept.dropped) == ([], 0)
