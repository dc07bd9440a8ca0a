"""One limit for several parts that end one after the other."""

import math

import pytest

from barograph.deadline import Deadline, Start, StartStopped


def test_each_part_has_its_own_limit_until_the_common_one_has_begun():
    deadline = Deadline(lambda: 1000.0)
    assert deadline.left_s(2.0, 0.5) == 2.0
    assert deadline.left_s(math.inf, 1.0) == math.inf


def test_a_part_gets_what_is_left_of_its_share_and_never_less_than_nothing():
    now_s = [1000.0]
    deadline = Deadline(lambda: now_s[0])
    deadline.begin(4.0)
    assert deadline.left_s(3.0, 0.5) == 2.0
    now_s[0] += 1.0
    assert deadline.left_s(3.0, 0.5) == 1.0
    assert deadline.left_s(0.25, 1.0) == 0.25
    now_s[0] += 2.0
    assert deadline.left_s(3.0, 0.5) == 0.0
    assert deadline.left_s(3.0, 1.0) == 1.0
    now_s[0] += 10.0
    assert deadline.left_s(3.0, 1.0) == 0.0


def test_the_first_begin_counts():
    now_s = [1000.0]
    deadline = Deadline(lambda: now_s[0])
    deadline.begin(4.0)
    now_s[0] += 3.0
    deadline.begin(4.0)
    assert deadline.left_s(math.inf, 1.0) == 1.0


def test_a_start_is_interrupted_once_and_leaves_with_code_0():
    start = Start()
    with pytest.raises(StartStopped) as left:
        start.interrupt()
    assert left.value.code == 0
    start.interrupt()


def test_a_start_that_is_over_is_not_interrupted():
    start = Start()
    start.over()
    start.interrupt()
