import pytest

from barograph.app.reports.comparison_page import page
from barograph.training.comparison import Change
from made_comparisons import MADE, changed
from page_reader import Reader

pytestmark = pytest.mark.slow


def test_verdict_scores_charts_and_changes_are_on_the_page():
    reader = Reader(page(MADE))
    assert reader.tags.count("svg") == 3
    assert reader.tags.count("table") == 2
    for part in ("is not worse than", "It may pass.", "log_loss ↓", "0ld", "1,234 rows"):
        assert part in reader.text


def test_a_refusal_says_by_whom_and_why():
    text = Reader(page(changed(verdict="refused", reasons=("log loss is worse",)))).text
    assert "The gate refuses it." in text
    assert "log loss is worse" in text


def test_a_name_is_text_and_nothing_is_fetched():
    change = Change(of="model", name="<script>", champion="<b>", candidate="")
    made = page(changed(changes=[change]))
    assert "script" not in Reader(made).tags
    assert "http://" not in made.replace("http://www.w3.org", "")
