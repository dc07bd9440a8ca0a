"""The JSON contract: a schema for each verb, which holds for what msgspec writes."""

import json
import math

import msgspec
import pytest
import typer
from jsonschema import Draft202012Validator

from barograph.app.cli import app
from barograph.app.cli.answers import as_json
from barograph.app.contract import ANSWERS, DRAFT, schema_of
from barograph.cases.sampled import SampleFacts
from barograph.pipeline.worker import Tally
from barograph.training.due import Due
from rehearsals import training_report


def verbs(group, prefix=""):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from verbs(command, f"{prefix}{name} ")
        else:
            yield prefix + name, command


VERBS = dict(verbs(typer.main.get_command(app)))


def is_valid(value, verb):
    return Draft202012Validator(schema_of(verb)).is_valid(value)


def test_every_verb_answers_in_json_and_has_a_schema():
    assert set(ANSWERS) == set(VERBS)
    for verb, command in VERBS.items():
        assert any("--json" in each.opts for each in command.params), verb


@pytest.mark.slow
@pytest.mark.parametrize("verb", ANSWERS)
def test_each_schema_is_one_and_takes_a_refusal(verb):
    schema = schema_of(verb)
    assert schema["$schema"] == DRAFT
    Draft202012Validator.check_schema(schema)
    assert is_valid({"error": "x: it is bad.", "cure": "Mend it."}, verb)
    assert not is_valid({"error": "x: it is bad."}, verb)
    assert not is_valid([], verb)
    assert not is_valid({}, verb)


def test_a_schema_takes_an_answer_and_refuses_one_with_another_key():
    tally = json.loads(as_json(Tally()))
    assert is_valid(tally, "score")
    assert not is_valid({**tally, "more": 1}, "score")
    assert not is_valid({key: tally[key] for key in list(tally)[1:]}, "score")
    assert not is_valid({**tally, "records": "many"}, "score")
    assert is_valid({"feed": None, "featurizer": tally, "scorer": tally}, "replay") is False


def test_a_number_that_is_not_defined_is_null_and_the_schema_takes_it():
    report = training_report()
    undefined = msgspec.structs.replace(report, seconds={"train": math.nan})
    value = json.loads(as_json(undefined))
    assert value["seconds"] == {"train": None}
    assert is_valid(value, "train")


def test_an_answer_of_several_kinds_takes_each_of_them():
    assert is_valid({"trained": []}, "train")
    assert is_valid(json.loads(as_json(Due(due=False, why="it is young"))), "train")
    assert not is_valid({"due": False}, "train")
    assert is_valid({"records": [{"offset": 1}]}, "produce")


def test_every_answer_is_an_object():
    for answer in ANSWERS.values():
        for kind in answer if isinstance(answer, tuple) else (answer,):
            assert isinstance(kind, dict) or issubclass(kind, msgspec.Struct)


def test_a_key_that_may_be_unset_is_not_required():
    definitions = schema_of("train")["$defs"]
    assert "sample" in definitions["DataFacts"]["properties"]
    assert "sample" not in definitions["DataFacts"]["required"]
    assert "unused" in definitions["DataFacts"]["required"]
    assert {*definitions["SampleFacts"]["required"]} == {*SampleFacts.__struct_fields__}
