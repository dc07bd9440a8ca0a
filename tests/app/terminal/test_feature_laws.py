"""Laws on a screen of 80 columns: which hold, which do not and where, which could not be shown."""

from barograph.app.terminal.feature_laws import page
from barograph.app.terminal.terminal import text_of
from barograph.cases.feature_laws import FeatureCheck, Law


def test_each_law_has_its_mark_and_what_broke_it():
    check = FeatureCheck(
        features=("waiting",), records=1200, dead_letters=0, keys=2, rows=1100,
        known={"waiting": 1000},
        laws=[
            Law(law="first", holds=True),
            Law(law="second", holds=False, broken="row 7\x1b[2J " + "x" * 90),
            Law(law="third", holds=True, broken="too few", shown=False),
        ],
    )  # fmt: skip
    shown = text_of(page(check))
    assert max(map(len, shown.splitlines())) <= 80
    assert [shown.count(mark) for mark in "✓✗?"] == [1, 1, 1]
    assert "row 7" in shown
    assert "\x1b[2J" not in shown
    assert "1,200 records, 1,100 rows of 2 keys; known: waiting 1,000" in shown
