"""Where a log stands in an archive, and what of it the log has."""

from hypothesis import given
from hypothesis import strategies as st

from barograph.archive.files import Place
from barograph.archive.standing import WHOLE, ArchivePosition, ended_at, numbers_in, with_file


@given(st.lists(st.integers(1, 4)))
def test_the_files_of_a_log_are_those_that_it_took(steps):
    has, numbers, number = (), [], 0
    for step in steps:
        number += step
        numbers.append(number)
        has = with_file(has, number)
        assert with_file(has, number) == has
    assert numbers_in(has) == numbers
    assert len(has) <= len(numbers)


def test_a_log_has_a_file_whole_or_up_to_a_place():
    has = with_file(with_file(with_file((), 1), 2), 4)
    standing = ArchivePosition(file=4, size=9, lines=1, has=has)
    assert standing.end_in(1) == Place(1, WHOLE)
    assert standing.end_in(3) is None
    assert standing.end_in(4) == Place(4, 9, 1)
    left = ArchivePosition(file=5, has=ended_at(has, standing.place))
    assert left.end_in(4) == Place(4, 9, 1)
    taken = ArchivePosition(file=6, has=with_file(left.has, 4))
    assert taken.end_in(4) == Place(4, WHOLE)
