"""Answers are kept byte for byte, and found by what they answer."""

import pytest

from barograph.archive.candles import AnswerFacts, CandleArchive, KeptAnswer, kept_answers
from barograph.errors import BadInputError
from barograph.venues.candle_pages import Hours

UNTIL_S = 1_750_003_200
HOURS = Hours(UNTIL_S - 7200, UNTIL_S)
BODY = b"[[1,2]]\n\n\x00 whatever it was\r\n"


@pytest.fixture
def archive(tmp_path):
    return CandleArchive(tmp_path, "coinbase", "BTC-USD", UNTIL_S)


def facts(hours=HOURS):
    return AnswerFacts(
        source="coinbase", product="BTC-USD", from_s=hours.from_s, to_s=hours.to_s,
        until_s=UNTIL_S, url="https://h/p", receive_time_ns=UNTIL_S * 10**9,
    )  # fmt: skip


def test_an_answer_comes_back_as_it_was(archive, tmp_path):
    assert archive.find(HOURS) is None
    archive.keep(facts(), BODY)
    assert archive.find(HOURS) == KeptAnswer(facts(), BODY)
    assert list(kept_answers(tmp_path)) == [KeptAnswer(facts(), BODY)]
    (path,) = tmp_path.rglob("*.gz")
    assert path.relative_to(tmp_path).parts == (
        "candles", "coinbase", "BTC-USD", "20250615T160000Z",
        "20250615T140000Z-20250615T160000Z.gz",
    )  # fmt: skip


def test_another_moment_has_other_answers(archive, tmp_path):
    archive.keep(facts(), BODY)
    assert CandleArchive(tmp_path, "coinbase", "BTC-USD", UNTIL_S + 3600).find(HOURS) is None


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08", b"{}\n[]", b"\xff"])
def test_a_damaged_file_is_named(archive, tmp_path, content):
    archive.keep(facts(), BODY)
    (path,) = tmp_path.rglob("*.gz")
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=path.name):
        archive.find(HOURS)
