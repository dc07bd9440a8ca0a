"""Letters of a job without a log of its own are where `deadletters list` finds them."""

from contextlib import closing

from barograph.log import open_log
from barograph.pipeline.kept_letters import KeptLetters
from barograph.types import DeadLetter, Fault
from log_contents import letters


def letter(number):
    return DeadLetter(
        fault=Fault.NOT_JSON,
        detail="no JSON",
        source="a.ndjson",
        position=str(number),
        key="",
        original=b"x",
    )


def test_all_letters_are_in_the_log_in_their_order(tmp_path):
    kept = KeptLetters(lambda: open_log(tmp_path), 1)
    for number in range(1201):
        kept.add(letter(number))
    kept.close()
    kept.close()
    with closing(open_log(tmp_path)) as log:
        assert letters(log) == [letter(number) for number in range(1201)]


def test_without_a_letter_no_log_is_made(tmp_path):
    KeptLetters(lambda: open_log(tmp_path), 1).close()
    assert list(tmp_path.iterdir()) == []
