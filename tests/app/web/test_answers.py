"""What the API answers: every verdict has its reason in words."""

import msgspec

from barograph.app.web.answers import REASONS, Refusal
from barograph.types import Verdict


def test_every_verdict_has_a_reason_in_words():
    assert set(REASONS) == set(Verdict)
    assert all(reason and "{" not in reason for reason in REASONS.values())


def test_a_refusal_has_facts_and_a_cure():
    assert msgspec.json.decode(msgspec.json.encode(Refusal("a", "b"))) == {
        "error": "a",
        "cure": "b",
    }
