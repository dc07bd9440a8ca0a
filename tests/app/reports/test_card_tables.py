"""Tables of a card: a row for each thing that there is, and the chosen one stands out."""

import msgspec
import pytest

from barograph.app.reports.card_tables import (
    acting,
    control,
    folds,
    pairs,
    sessions,
    table,
    tried,
)
from barograph.training.walkforward import CHOSEN
from cards import interval, made, replaced


def rows_of(parts):
    """The cells of each row of each table."""
    return [
        [" ".join(cell.itertext()) for cell in row]
        for part in parts
        for row in part.iter("tr")
        if row.find("td") is not None
    ]


def test_every_candidate_has_its_row_and_the_chosen_one_stands_out():
    parts = list(tried(made()))
    names = [row[0] for row in rows_of(parts)]
    assert names == ["late (baseline)", "level", CHOSEN, "level", CHOSEN]
    marked = [row[0].text for part in parts for row in part.iter("tr") if row.get("class")]
    assert marked == [CHOSEN, CHOSEN]


def test_what_acting_was_worth_has_a_column_for_each_figure_or_is_left_out():
    assert [len(row) for row in rows_of(acting(made()))] == [2, 2, 2]
    assert [len(row) for row in rows_of(acting(made(timed=False)))] == [4] * 4
    silent = [msgspec.structs.replace(row, acting={}) for row in made().training.tested.scores]
    assert list(acting(replaced(made(), scores=silent))) == []


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
