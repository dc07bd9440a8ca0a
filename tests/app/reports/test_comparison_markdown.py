import re

from markdown_it import MarkdownIt

from barograph.app.reports.comparison_markdown import markdown
from barograph.training.comparison import Change
from made_comparisons import MADE, changed, pair
from page_reader import Reader


def shown(text):
    """As GitHub shows it: text, and tags."""
    return Reader(MarkdownIt("gfm-like", {"linkify": False}).render(text))


def test_the_verdict_stands_first():
    assert markdown(MADE).startswith(
        "### ✅ Candidate storms/2 is not worse than champion storms/1"
    )
    assert markdown(changed(verdict="refused")).startswith("### ❌ ")


def test_it_is_two_tables_a_drawing_and_the_reasons():
    reader = shown(markdown(MADE))
    assert reader.tags.count("table") == 2
    assert reader.tags.count("pre") == 1
    for part in ("log_loss ↓", "+0.1000 [+0.0500, +0.2000]", "0ld", "must not be worse"):
        assert part in reader.text


def test_without_a_change_there_is_no_second_table():
    assert shown(markdown(changed(changes=[]))).tags.count("table") == 1


def test_the_charts_are_shown_where_they_have_an_address():
    assert ("src", "c.png") in shown(markdown(MADE, "c.png")).attributes
    assert "img" not in shown(markdown(MADE)).tags


def drawn(line_of):
    line = next(line for line in markdown(line_of).splitlines() if line.startswith("log_loss  "))
    return line.removeprefix("log_loss").strip("\n")[3:]


def test_an_interval_is_drawn_on_the_side_of_who_is_better():
    """A lower log loss is better: the candidate's side is on the right for every score."""
    better = changed(scores=[pair("log_loss", (-0.02, -0.04, -0.01))])
    worse = changed(scores=[pair("log_loss", (0.02, 0.01, 0.04))])
    for comparison, side in ((better, 1), (worse, -1)):
        line = re.sub(r"^log_loss", "", drawn(comparison))
        middle, point = line.index("│"), line.index("●")
        assert (point - middle) * side > 0


def test_an_interval_around_zero_crosses_the_line():
    assert "┼" in drawn(changed(scores=[pair("log_loss", (0.01, -0.02, 0.04))]))


def test_no_difference_is_a_point_on_the_line():
    line = drawn(changed(scores=[pair("log_loss", (0.0, 0.0, 0.0))]))
    assert "●" in line
    assert "─" not in line


def test_names_of_other_people_are_text():
    """A case's name or a feature's may hold anything; a comment is rendered by GitHub."""
    wild = "x|y](http://z) <img src=a> `code` @someone *b*"
    change = Change(of="model", name="features", champion=wild, candidate="")
    reader = shown(markdown(changed(changes=[change], candidate=wild)))
    assert not {"a", "img", "code"} & {tag for tag in reader.tags if tag != "code"}
    assert reader.tags.count("code") == 1  # the drawing's
    assert "x|y](http://z) <img src=a> `code`" in reader.text
    assert "@someone" not in reader.text  # nobody is mentioned
