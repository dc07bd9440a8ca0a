"""One limit for several parts that end one after the other."""

import math

from barograph.deadline import Deadline


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
