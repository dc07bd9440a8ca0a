"""What a person reads of a log: counts, letters, originals; and nothing that steers a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.app.terminal import listing
from barograph.log.browse import Holding
from barograph.pipeline.deadletters import LetterLine, LetterList, LetterShown, Redriven
from screen_text import text_of

HOSTILE = "\x1b[2J[bold]red[/bold]\x07"


def wide(answer):
    return text_of(answer, width=100)


def line(**changed):
    facts = {
        "identity": "t@0:1", "fault": "late", "detail": "too late", "key": "k", "size": 3,
        "appended_time_ns": 0, "redriven_time_ns": None,
    }  # fmt: skip
    return facts | changed


def test_topics_are_listed_with_their_limits():
    held = Holding(name="t", partitions=3, records_at_most=1234, replicas=3, in_sync=2,
                   retention_s=86_400, retention_bytes=1 << 30, compacted=False)  # fmt: skip
    shown = wide(listing.topics([held]))
    for part in ("t", "1,234", "2 of 3", "1 d, 1,024 MiB"):
        assert part in shown
    assert "topics create" in wide(listing.topics([]))


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"retention_s": None, "retention_bytes": None, "compacted": False}, "no limit"),
        ({"retention_s": 0, "retention_bytes": None, "compacted": False}, "0 s"),
        ({"retention_s": None, "retention_bytes": None, "compacted": True}, "last of each key"),
    ],
)
def test_a_topic_says_what_it_keeps(limits, expected):
    held = Holding(name="t", partitions=1, records_at_most=0, replicas=1, in_sync=1, **limits)
    assert expected in wide(listing.topics([held]))


def test_letters_are_listed_with_their_counts():
    letters = LetterList(
        topic="d", counts={"late": 7}, redriven=1,
        letters=[LetterLine(**line()), LetterLine(**line(redriven_time_ns=60 * 10**9))],
    )  # fmt: skip
    shown = " ".join(wide(listing.letters(letters)).split())
    assert "d: 7 dead letters, 1 re-driven (late 7)" in shown
    assert "too late" in shown
    assert "1970-01-01 00:01:00Z" in shown
    none = LetterList(topic="d", counts={}, redriven=0, letters=[])
    assert "no dead letters in d" in wide(listing.letters(none))


def test_what_others_wrote_does_not_steer_the_terminal():
    hostile = line(identity=HOSTILE, detail=HOSTILE, key=HOSTILE)
    letter = LetterShown(
        **hostile, source=HOSTILE, position="1", receive_time_ns=1, original=HOSTILE.encode()
    )
    letters = LetterList(topic="d", counts={"late": 1}, redriven=0, letters=[LetterLine(**hostile)])
    for answer in (listing.letter(letter, full=True), listing.letters(letters)):
        shown = wide(answer)
        assert "\x1b" not in shown
        assert "\x07" not in shown
        assert "[bold]" in shown  # no markup either: it is text


def test_a_long_original_is_cut_unless_in_full():
    original = b"x" * 5000
    letter = LetterShown(
        **line(size=5000), source="t", position="0:1", receive_time_ns=None, original=original
    )
    cut, full = (wide(listing.letter(letter, full=full)) for full in (False, True))
    assert (cut.count("x"), full.count("x")) == (2048, 5000)
    assert "2,952 more characters" in cut


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        (b'{"a":1.10}', '{\n  "a": 1.10\n}'),
        ("né".encode(), "né"),
        (b"\xff\x00A", "00000000  ff 00 41" + " " * 41 + "..A"),
        (b"", ""),
    ],
)
def test_an_original_is_shown_as_what_it_is(original, expected):
    assert listing.readable(original) == expected


@given(st.binary())
def test_any_bytes_can_be_shown(original):
    assert isinstance(listing.readable(original), str)


def test_a_redrive_says_what_went_and_what_stayed():
    nothing = {"sent": {}, "sent_before": 0, "no_topic": 0, "no_tick": 0, "refused_again": {}}
    none = Redriven(topic="d", dry_run=False, damaged=0, **nothing)
    done = Redriven(
        topic="d", dry_run=False, sent={"t": 2}, sent_before=3, no_topic=4, no_tick=6,
        refused_again={"late": 7}, damaged=5,
    )  # fmt: skip
    shown = wide(listing.redriven(done))
    for part in (
        "sent to t: 2", "left, re-driven before: 3", "left, from a", "without a tick: 6",
        "refused again, late: 7", "damaged: 5",
    ):  # fmt: skip
        assert part in shown
    assert "nothing to send in d" in wide(listing.redriven(none))
