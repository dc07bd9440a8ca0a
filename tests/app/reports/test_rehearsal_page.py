"""The page of a rehearsal: all that was found stands on it, and nothing on it is foreign markup."""

import msgspec
import pytest

from barograph.app.reports.rehearsal_page import page
from page_reader import Reader
from rehearsals import HOSTILE, rehearsal


@pytest.fixture(scope="module")
def done():
    """A rehearsal of a case whose every text is hostile."""
    return rehearsal()


def test_what_others_wrote_is_text_wherever_it_stands(done):
    read = Reader(page(done))
    assert "script" not in read.tags
    assert "link" not in read.tags
    assert {name for name, _ in read.attributes}.isdisjoint({"src", "href", "onclick"})
    assert read.text.count(HOSTILE) > 10


def test_it_needs_nothing_from_elsewhere(done):
    text = page(msgspec.structs.replace(done, case="c", log="l", file="f"))
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_what_was_found_stands_on_it(done):
    text = " ".join(Reader(page(done)).text.split())
    for phrase in (
        "The counts add up.", "8,006 records in, 8,005 predictions out, 1 refused",
        "1,234/s", "81.5 µs", "0.610", "4,321 records", "700 records", "alert threshold 25.0%",
        "too_long", "2 ×", "c.raw@1:44", "5,000 bytes", "c.raw/1@22", "c.said/1@33", "37.7%",
        "4.56 ms", "77.7 µs", "2001-09-09 01:46 UTC",
    ):  # fmt: skip
        assert phrase in text, phrase


def test_a_loss_is_reported_first(done):
    bad = msgspec.structs.replace(done, ok=False, problems=["stream: 1 lost: 1 record of K"])
    text = Reader(page(bad)).text
    assert "The counts do not add up.stream: 1 lost: 1 record of K" in text
    assert "add up." not in text.replace("do not add up.", "")


def test_invented_records_are_called_so(done):
    sentence = "These records are generated."
    assert sentence not in page(done)
    assert sentence in page(msgspec.structs.replace(done, invented_records=True))


def test_without_a_champion_it_says_why_there_is_no_probability(done):
    refused = msgspec.structs.replace(done, champion=None, reliability=[])
    text = page(refused)
    assert "The gate promoted no model" in text
    assert "too few records" in text


def test_the_command_for_the_refused_records_is_there_unless_their_log_was_temporary(done):
    assert done.dead_letters_command in Reader(page(done)).text
    text = page(msgspec.structs.replace(done, dead_letters_command=None))
    assert "barograph deadletters" not in text
    assert "in a temporary log; with --home the log is kept" in text
