import builtins

import polars as pl
import pytest

from barograph.app.reports.profile_page import page
from barograph.errors import MissingExtraError

ROWS = pl.DataFrame(
    {
        "product": ["a", "b"] * 150,
        "x": [None if n % 3 == 0 else float(n % 17) for n in range(300)],
    }
)


@pytest.mark.slow
def test_a_profile_names_each_column_and_its_missing_values(capfd):
    pytest.importorskip("ydata_profiling", exc_type=ImportError)
    html = page(ROWS, "queues: 300 rows")
    for part in ("queues: 300 rows", "product", "33.3%"):
        assert part in html
    assert capfd.readouterr().err == ""


def test_without_the_extra_the_cure_names_it(monkeypatch):
    known = builtins.__import__

    def absent(name, *more):
        if name == "ydata_profiling":
            raise ImportError(name)
        return known(name, *more)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingExtraError, match=r"needs the extra 'report'. Install it"):
        page(ROWS, "queues")
