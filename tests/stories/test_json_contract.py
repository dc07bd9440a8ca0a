"""Every verb with --json prints one object on one line, and it is of the verb's schema."""

import json
import shutil

import pytest
from jsonschema import Draft202012Validator

from barograph.app.contract import schema_of
from verb_words import HOMELESS, WORDS, Door, words_of

AT_ONCE = 3
REFUSING = {"demo", "feed"}
"""An hour is too short for a training, and nobody listens where the feed looks."""

pytestmark = pytest.mark.slow


def valid(out, verb):
    """The one object of an output, after it was held against the verb's schema."""
    line = out.removesuffix(b"\n")
    assert out == line + b"\n"
    assert b"\n" not in line
    answer = json.loads(line)
    assert isinstance(answer, dict)
    Draft202012Validator(schema_of(verb)).validate(answer)
    return answer


def ends(names, words):
    """(verb, how it ended) of each, some at a time."""
    names = list(names)
    for first in range(0, len(names), AT_ONCE):
        begun = [(verb, Door((*words(verb), "--json"))) for verb in names[first : first + AT_ONCE]]
        for verb, door in begun:
            yield verb, *door.end()


def test_each_answer_is_of_its_schema(full_home, inputs, tmp_path):
    def words(verb):
        return words_of(verb, shutil.copytree(full_home, tmp_path / verb), inputs)

    for verb, code, out, err in ends(WORDS, words):
        answer = valid(out, verb)
        assert (code == 2, "error" in answer) == (verb in REFUSING,) * 2, (verb, err.decode())


@pytest.mark.usefixtures("full_home")  # which makes the inputs
def test_each_refusal_is_an_object_with_a_cure(inputs, tmp_path):
    """The home is a file."""
    (tmp_path / "file").touch()
    without_home = HOMELESS | {"settings", "doctor"}

    def words(verb):
        return words_of(verb, tmp_path / "file", inputs)

    for verb, code, out, err in ends(WORDS.keys() - without_home, words):
        assert code == 2, verb
        refusal = valid(out, verb)
        assert set(refusal) == {"error", "cure"}, verb
        assert err.decode().endswith(f"barograph: {refusal['error']} {refusal['cure']}\n"), verb


def test_an_option_that_nobody_knows_is_such_an_object_too():
    for verb, code, out, _ in ends(WORDS, lambda verb: (*verb.split(), "--unknown")):
        assert code == 2, verb
        assert f"barograph {verb} --help" in valid(out, verb)["cure"]
