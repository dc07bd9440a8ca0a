"""Tables of a card: a row for each thing that there is, and the chosen one stands out."""

import math

import msgspec
import pytest

from barograph.app.reports.card_tables import (
    acting,
    control,
    folds,
    goals,
    pairs,
    sessions,
    span,
    table,
    taus,
    tried,
)
from barograph.figures import NOT_DEFINED
from barograph.training.card_words import Goal
from barograph.training.levels import LevelScores
from barograph.training.walkforward import CHOSEN
from barograph.types import NS_PER_S
from cards import interval, made, replaced


def rows_of(parts):
    """The cells of each row of each table."""
    return [
        [" ".join(cell.itertext()) for cell in row]
        for part in parts
        for row in part.iter("tr")
        if row.find("td") is not None
    ]


@pytest.mark.slow
def test_every_candidate_has_its_row_and_the_chosen_one_stands_out():
    parts = list(tried(made()))
    names = [row[0] for row in rows_of(parts)]
    assert names == ["late (baseline)", "level", CHOSEN, "level", CHOSEN]
    marked = [row[0].text for part in parts for row in part.iter("tr") if row.get("class")]
    assert marked == [CHOSEN, CHOSEN]


@pytest.mark.slow
def test_what_acting_was_worth_has_a_column_for_each_figure_or_is_left_out():
    assert [len(row) for row in rows_of(acting(made()))] == [2, 2, 2]
    assert [len(row) for row in rows_of(acting(made(timed=False)))] == [4] * 4
    silent = [msgspec.structs.replace(row, acting={}) for row in made().training.tested.scores]
    assert list(acting(replaced(made(), scores=silent))) == []


@pytest.mark.slow
def test_each_session_and_each_fold_has_its_row():
    training = made().training
    assert [row[1] for row in rows_of(sessions(made()))] == [
        f"{one.rows:,}" for one in training.tested.sessions
    ]
    rows = rows_of(folds(made()))
    assert [row[5] for row in rows] == [one.chosen for one in training.tested.folds]
    assert all("2023-11-1" in row[1] for row in rows)
    assert {row[0] for row in rows_of(sessions(made(timed=False)))} == {"all"}


@pytest.mark.parametrize(
    ("over", "sentence"),
    [
        (interval(0.01, -0.02, 0.04), "It found no signal, as it should."),
        (interval(0.03, 0.01, 0.05), "It found a signal where none exists."),
    ],
)
def test_the_control_says_whether_it_found_something(over, sentence):
    changed = msgspec.structs.replace(made().training.control, over=over)
    text = "".join("".join(part.itertext()) for part in control(replaced(made(), control=changed)))
    assert sentence in text


def test_a_control_that_was_not_run_is_named_with_its_reason():
    card = replaced(made(), control=None, control_left_out="not asked for")
    text = "".join("".join(part.itertext()) for part in control(card))
    assert "was not run: not asked for." in text


def test_names_head_their_rows():
    assert rows_of([table("t", ("a", "b"), [("x", "1")])]) == [["x", "1"]]
    assert rows_of([pairs([("x", "1")])]) == [["x", "1"]]


def test_a_goal_that_its_interval_leaves_open_is_not_shown_as_reached():
    all_goals = [
        Goal(goal="a", result="1", reached=True, why=()),
        Goal(goal="b", result="2", reached=False, why=("own", "shared"), undecided=True),
        Goal(goal="c", result="3", reached=False, why=("shared",)),
    ]
    parts = list(goals(msgspec.structs.replace(made(), goals=all_goals)))
    assert rows_of(parts) == [
        ["a", "1", "✓ reached", ""],
        ["b", "2", "? undecided", "own"],
        ["c", "3", "✗ not reached", ""],
    ]
    styles = [cell.get("class") for part in parts for cell in part.iter("td")]
    assert [style for style in styles if "goal" in style] == ["goal yes", "goal open", "goal no"]
    assert [item.text for part in parts for item in part.iter("li")] == ["shared"]


def test_a_case_without_goals_has_no_table_of_them():
    assert list(goals(msgspec.structs.replace(made(), goals=[]))) == []


def test_a_score_says_which_way_is_better():
    heads = [head.text for part in tried(made()) for head in part.iter("th") if head.text]
    assert {"ROC-AUC\u00a0↑", "log loss\u00a0↓"} <= set(heads)


def test_a_cell_knows_its_heads_for_a_page_that_shows_it_as_a_list():
    made_table = table("t", ("", "a", "b"), [("x", "1", "2")], [("", 1), ("g", 2)])
    assert [cell.get("data-label") for cell in made_table.iter("td")] == ["g a", "g b"]
    assert [head.get("colspan") for head in made_table.iter("th")][:2] == ["1", "2"]


def test_a_long_cell_may_wrap_and_a_figure_may_not():
    figures = table("t", ("", "a", "b"), [("x", "-0.0137 [-0.0387, +0.0114]", "word " * 10)])
    assert [cell.get("class") for cell in figures.iter("td")] == ["figure", "text"]


def test_a_span_names_its_day_once():
    assert span(0, 60 * NS_PER_S) == "1970-01-01 00:00 to 00:01"
    assert span(0, 86_400 * NS_PER_S) == "1970-01-01 00:00 to 1970-01-02 00:00"


def test_tau_is_shown_in_the_unit_of_the_outcome():
    assert taus(made(), {"A": 0.25, "B": 1e-5}) == "A 0.25, B 1e-05"


def test_a_case_of_values_has_a_table_of_them_with_coverage_by_year_and_part_of_the_day():
    level = LevelScores(
        **dict.fromkeys(("rmse", "r2", "mae", "mape", "pinball"), interval(0.25, 0, 1)),
        coverage=interval(0.901, 0.896, 0.906), width=4.46,
        coverage_by_year={"2023": 0.897, "2024": 0.902}, coverage_by_slot=[0.899, 0.901],
        coverage_by_hour=[0.911, *[math.nan] * 22, 0.889],
        coverage_by_regime=[0.9, 0.905, 0.9, 0.87],
    )  # fmt: skip
    card = made()
    scores = [
        msgspec.structs.replace(row, level=level if row.name == CHOSEN else None)
        for row in card.training.tested.scores
    ]
    parts = list(tried(replaced(card, scores=scores)))
    (values,) = [row for row in rows_of(parts) if "90.2%" in row]
    assert values[0] == CHOSEN
    assert values[-5:] == ["90.1% [89.6%, 90.6%]", "89.7%", "90.2%", "89.9%", "90.1%"]
    assert ["00:00", "91.1%", *[NOT_DEFINED] * 5] in rows_of(parts)
    assert ["18:00", *[NOT_DEFINED] * 5, "88.9%"] in rows_of(parts)
    assert ["90.0%", "90.5%", "90.0%", "87.0%"] in rows_of(parts)
    captions = " ".join(part.findtext(".//caption", "") for part in parts)
    assert "the choice is made by QLIKE on held-out rows" in captions
