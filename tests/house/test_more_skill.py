"""The forecasts of docs/more_skill.py: none knows an outcome before it has come."""

import sys

import numpy as np
import pytest


@pytest.fixture(scope="module")
def scripts(root):
    """The scripts docs/more_skill.py and docs/more_columns.py, which import each other by name."""
    sys.path.insert(0, str(root / "docs"))
    try:
        import more_columns  # noqa: PLC0415 - from docs/
        import more_skill  # noqa: PLC0415 - from docs/

        yield more_skill, more_columns
    finally:
        sys.path.remove(str(root / "docs"))


def test_a_loss_counts_from_when_its_outcome_is_known(scripts):
    more_skill, _ = scripts
    second = np.delete(np.arange(1000, 1400), slice(100, 160))  # with a hole of a minute
    loss = np.random.default_rng(1).random((2, len(second)))
    total, count = more_skill._discounted(loss, second, 300)
    for place in (0, 59, 60, 61, 200, len(second) - 1):
        known = second <= second[place] - 60
        share = 0.5 ** ((second[place] - second[known]) / 300) / 60
        assert total[:, place] == pytest.approx(loss[:, known] @ share, abs=1e-12)
        assert count[place] == pytest.approx(share.sum(), abs=1e-12)


def test_a_column_of_the_others_is_their_mean_of_the_same_second(scripts):
    _, more_columns = scripts
    second = np.array([1, 2, 3, 1, 2, 1])
    column = np.array([1.0, 2.0, 3.0, 5.0, np.nan, 9.0])
    others = more_columns._of_others(second, column)
    np.testing.assert_allclose(others, [7.0, np.nan, np.nan, 5.0, 2.0, 3.0])


def test_a_season_that_does_not_change_says_nothing(scripts):
    _, more_columns = scripts
    second = np.arange(0, 7200, 600)
    assert more_columns._ahead(np.full(24, 0.7), second) == pytest.approx(np.zeros(12), abs=1e-12)
    rising = np.arange(24) / 10
    # The windows' middles lie 7 minutes back on average, the minute half a minute ahead.
    assert more_columns._ahead(rising, second[3:] + 3600) == pytest.approx(
        np.full(9, 0.1 * (30 + np.mean(more_columns.RMS_S) / 2) / 3600), rel=1e-9
    )
