"""Every verb with --json prints one object on one line, and it is of the verb's schema."""

import json
import shutil

import pytest
from jsonschema import Draft202012Validator

from barograph.app.contract import schema_of
from command_line import call
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


@pytest.fixture
def refused(monkeypatch, capfdbinary):
    """The object with which a command of this process is refused, and its standard error."""

    def call_it(*words):
        code, out, err = call(monkeypatch, capfdbinary, *words, "--json")
        assert code == 2, words
        return valid(out.encode(), verb_of(words)), err

    return call_it


def verb_of(words):
    """The longest start of a command line that is a verb."""
    lengths = (2, 1)
    return next(verb for n in lengths if (verb := " ".join(map(str, words[:n]))) in WORDS)


def test_each_answer_is_of_its_schema(full_home, inputs, tmp_path):
    verbs = list(WORDS)
    for first in range(0, len(verbs), AT_ONCE):
        begun = {
            verb: Door(
                (*words_of(verb, shutil.copytree(full_home, tmp_path / verb), inputs), "--json")
            )
            for verb in verbs[first : first + AT_ONCE]
        }
        for verb, door in begun.items():
            code, out, err = door.end()
            answer = valid(out, verb)
            assert (code == 2, "error" in answer) == (verb in REFUSING,) * 2, (verb, err.decode())


@pytest.mark.usefixtures("full_home")  # which makes the inputs
def test_each_refusal_is_an_object_with_a_cure(refused, inputs, tmp_path):
    """The home is a file."""
    (tmp_path / "file").touch()
    for verb in WORDS.keys() - HOMELESS - {"settings", "doctor"}:
        refusal, err = refused(*words_of(verb, tmp_path / "file", inputs))
        assert set(refusal) == {"error", "cure"}, verb
        assert err.endswith(f"barograph: {refusal['error']} {refusal['cure']}\n"), verb


def test_an_option_that_nobody_knows_is_such_an_object_too(refused):
    for verb in WORDS:
        assert f"barograph {verb} --help" in refused(*verb.split(), "--unknown")[0]["cure"]
