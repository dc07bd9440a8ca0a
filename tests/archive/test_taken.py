from hypothesis import given
from hypothesis import strategies as st

from barograph.archive.taken import REPLAY, Passed, Taken, connection_named
from barograph.files.lines import BadLine
from barograph.types import Fault

LONG = BadLine(Fault.TOO_LONG, "a line of 9 bytes", b"begin")


def passed(lines):
    taken = Taken()
    for number, line in enumerate(lines, 1):
        taken.add(number, line)
    return taken.passed()


@given(st.lists(st.sampled_from([b"a", b"", b" ", b"b", LONG])))
def test_blank_lines_do_not_count_and_all_others_do(lines):
    there = [line for line in lines if isinstance(line, BadLine) or line.strip()]
    assert passed(lines).sha256 == passed(there).sha256
    assert passed([*there, b"more"]) != passed(there)


def test_a_long_line_counts_by_its_length_and_beginning():
    other = LONG._replace(detail="a line of 10 bytes")
    assert passed([LONG]) != passed([other])
    assert passed([LONG]).lines == 1
    assert isinstance(passed([]), Passed)


def test_connections_are_named_by_the_beginning_of_a_hash():
    assert connection_named("0123456789abcdef") == f"{REPLAY}0123456789ab/"


@given(st.lists(st.sampled_from([b"a", b"{}", b"b c"]), min_size=1), st.integers(1, 9))
def test_lines_count_the_same_one_by_one_and_together(lines, first):
    alone, together = Taken(), Taken()
    for number, line in enumerate(lines, first):
        alone.add(number, line)
    together.add_all(first + len(lines) - 1, lines)
    assert together.passed() == alone.passed()
