"""What counting keeps; that it is removed from a broker, the contract tests."""

from hypothesis import given
from hypothesis import strategies as st

from barograph.log.kafka.retention import _Counted

sizes = st.lists(st.integers(0, 50), max_size=60)


@given(sizes, st.integers(0, 400))
def test_what_is_kept_is_the_longest_end_that_fits(sizes, keep_bytes):
    counted = _Counted()
    for offset, size in enumerate(sizes):
        counted.add(offset, size, 0)
    cut = counted.cut(0, keep_bytes)
    assert sum(sizes[cut:]) <= keep_bytes
    assert cut == 0 or sum(sizes[cut - 1 :]) > keep_bytes or sizes[cut - 1] == 0


@given(sizes, st.integers(0, 400), st.integers(1, 60))
def test_counting_neighbours_together_costs_at_most_one_part(sizes, keep_bytes, part_bytes):
    counted = _Counted()
    for offset, size in enumerate(sizes):
        counted.add(offset, size, part_bytes)
    cut = counted.cut(0, keep_bytes)
    assert sum(sizes[cut:]) <= keep_bytes
    assert cut == 0 or sum(sizes[cut:]) + max(part_bytes, *sizes) >= min(keep_bytes, sum(sizes))


@given(sizes, st.integers(0, 60), st.integers(0, 400))
def test_what_others_removed_is_not_counted(sizes, oldest, keep_bytes):
    counted, rest = _Counted(), _Counted()
    for offset, size in enumerate(sizes):
        counted.add(offset, size, 0)
        if offset >= oldest:
            rest.add(offset, size, 0)
    counted.forget_before(oldest)
    assert counted.next == max(oldest, len(sizes))
    assert counted.cut(oldest, keep_bytes) == rest.cut(oldest, keep_bytes)
