import builtins

import polars as pl
import pytest

from barograph.app.reports.evidently_page import page
from barograph.errors import MissingExtraError

ROWS = pl.DataFrame({"product": ["a"] * 300, "x": [float(n % 17) for n in range(300)]})


@pytest.mark.slow
def test_evidently_compares_the_spans_on_a_page_without_requests():
    pytest.importorskip("evidently", exc_type=ImportError)
    html = page(ROWS, ROWS.with_columns(pl.col("x") * 2), ("x",))
    assert "Drift" in html
    assert "<script src=" not in html


def test_without_the_extra_the_cure_names_it(monkeypatch):
    known = builtins.__import__

    def absent(name, *more):
        if name.split(".")[0] == "evidently":
            raise ImportError(name)
        return known(name, *more)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingExtraError, match=r"needs the extra 'report'. Install it"):
        page(ROWS, ROWS, ("x",))
