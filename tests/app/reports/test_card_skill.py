"""The skill by part on the page of a card: sentences, two pictures and a table."""

import msgspec
import pytest

from barograph.app.reports.card_skill import skill
from cards import interval, made, replaced


def texts(parts, tag):
    return ["".join(each.itertext()) for part in parts for each in part.iter(tag)]


@pytest.mark.slow
def test_sentences_pictures_and_a_table_of_keys_and_thirds_stand_on_it():
    card = made()
    parts = list(skill(card))
    assert texts(parts, "h2") == ["Where it has skill"]
    assert texts(parts, "li") == card.skill != []
    assert texts(parts, "h3") == ["PR-AUC less that of late", "log loss less that of late"]
    drawn = [each.get("aria-label") for part in parts for each in part.iter("svg")]
    assert drawn == [
        "PR-AUC of each part less a baseline's",
        "log loss of each part less a baseline's",
    ]
    heads = [
        row.find("th").text
        for part in parts
        for row in part.iter("tr")
        if row.find("td") is not None
    ]
    assert heads == [
        row.name for row in card.training.tested.skill if row.by in ("all", "key", "regime")
    ]


@pytest.mark.slow
def test_each_part_has_its_line_in_a_picture_and_only_the_largest_sessions_do():
    card = made()
    names = [row.name for row in card.training.tested.skill]
    labels = texts(list(skill(card)), "text")
    assert all(labels.count(name) == 2 for name in names)
    whole = card.training.tested.skill[0]
    sessions = [
        msgspec.structs.replace(whole, by="session", name=f"session {n}", rows=n) for n in range(14)
    ]
    labels = texts(list(skill(replaced(card, skill=[whole, *sessions]))), "text")
    assert [n for n in range(14) if f"session {n}" in labels] == [*range(2, 14)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bounds", "styles"),
    [
        ((0.1, 0.05, 0.2), ("--blue", "--vermilion")),
        ((-0.1, -0.2, -0.05), ("--vermilion", "--blue")),
    ],
)
def test_a_difference_is_drawn_as_better_or_worse_by_what_its_score_means(bounds, styles):
    card = made()
    row = card.training.tested.skill[0]
    paired = msgspec.structs.replace(row.log_loss, difference=interval(*bounds))
    row = msgspec.structs.replace(row, pr_auc=paired, log_loss=paired)
    parts = list(skill(replaced(card, skill=[row])))
    pictures = [each for part in parts for each in part.iter("svg")]
    for picture, style in zip(pictures, styles, strict=True):
        looks = " ".join(value for each in picture.iter() for value in each.attrib.values())
        assert [name for name in ("--blue", "--vermilion") if name in looks] == [style]


def test_a_card_without_parts_has_nothing_of_it():
    assert list(skill(replaced(made(), skill=[]))) == []
