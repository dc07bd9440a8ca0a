from barograph.app.reports.comparison_words import (
    about,
    cells_of,
    change_cells,
    headline,
    unchanged,
)
from made_comparisons import MADE, changed


def test_each_verdict_is_a_sentence():
    sentences = {headline(changed(verdict=one)) for one in ("better", "not worse", "refused")}
    assert sentences == {
        "Candidate storms/2 is better than champion storms/1",
        "Candidate storms/2 is not worse than champion storms/1",
        "Candidate storms/2 is refused beside champion storms/1",
    }


def test_rows_positives_and_blocks_are_counted_and_the_span_is_named():
    text = about(MADE)
    for part in ("1,234 rows", "31 independent positives", "0.120", "42 bootstrap blocks"):
        assert part in text
    assert "2023-11-14 22:13 to 2023-11-15 22:13 UTC" in text


def test_without_time_no_span_is_named():
    assert "UTC" not in about(changed(start_ns=0, end_ns=0))


def test_a_difference_has_signs_and_the_name_its_better_direction():
    cells = cells_of(MADE.scores[0])
    assert cells[0] == "log_loss ↓"
    assert cells[3] == "-0.0200 [-0.0400, +0.0100]"


def test_a_score_that_is_not_defined_says_so():
    assert "n/d" in cells_of(MADE.scores[3])[3]


def test_what_changed_and_what_did_not():
    assert list(change_cells(MADE)) == [("code", "hash", "0ld", "c0de")]
    assert unchanged(MADE) == "The same in both: data, model, training."
    assert unchanged(changed(changes=[])).startswith("The same in both: data, code")
