import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.evaluation.drift_statistics import memory_s, psi, shares_of, shift


@given(st.lists(st.integers(0, 50), min_size=2, max_size=10), st.data())
def test_the_statistics_are_those_of_the_formulas(counts, data):
    others = data.draw(st.lists(st.integers(0, 50), min_size=len(counts), max_size=len(counts)))
    p, q = (np.array(one) / max(1, sum(one)) for one in (counts, others))
    whole = 1 + 0.01 * len(p)
    pairs = [((a + 0.01) / whole, (b + 0.01) / whole) for a, b in zip(p, q, strict=True)]
    assert psi(p, q) == pytest.approx(
        math.fsum((a - b) * math.log(a / b) for a, b in pairs), abs=1e-12
    )
    apart = [abs(math.fsum(p[: k + 1]) - math.fsum(q[: k + 1])) for k in range(len(p))]
    assert shift(p, q) == pytest.approx(max(apart) ** 2, abs=1e-12)


def test_shares_of_no_row_are_zero():
    np.testing.assert_allclose(shares_of(np.array([[1, 3], [0, 0]])), [[0.25, 0.75], [0, 0]])


def test_what_alternates_remembers_less_than_what_stays():
    alternating = np.array([[5, 5], [5, 5]])
    staying = np.array([[10, 0], [0, 10]])
    total = np.array([10, 10])
    assert memory_s(alternating, total, 60) == pytest.approx(0.0, abs=1e-12)
    assert memory_s(staying, total, 60) == pytest.approx(60.0, rel=1e-12)
    assert memory_s(np.array([[10, 0]]), np.array([10, 0]), 60) == pytest.approx(0.0, abs=1e-12)
