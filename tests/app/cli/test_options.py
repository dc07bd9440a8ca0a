"""Settings, cases and logs as the command line takes them."""

import json
import textwrap

import pytest
import typer

from barograph.app.cli import app
from barograph.app.cli.options import read_bytes
from barograph.app.settings import Settings
from barograph.errors import BadInputError

READS = {
    "models list": (), "models history": (), "models show": (), "models promote": ("1",),
    "models rollback": (), "report card": ("1",), "report compare": (), "report drift": (),
    "report profile": (),
    "archive list": (), "archive verify": (), "archive compact": (), "alerts list": (),
    "archive push": ("store",),
    "deadletters list": (), "deadletters show": ("{letter}",), "topics list": (),
    "topics dump": ("ticks.raw",), "check": (), "verify": (), "serve": ("--port", "0"),
    "recover": (),
}  # fmt: skip
"""What each verb that works on what a home holds is called with."""


def test_a_setting_that_cannot_be_is_refused_by_name(run, monkeypatch):
    monkeypatch.setenv("BAROGRAPH_FOLDS", "1")
    code, _, err = run("verify")
    assert code == 2
    assert "folds" in err


@pytest.mark.slow
def test_a_settings_file_that_is_no_toml_is_refused(run, tmp_path):
    (tmp_path / "barograph.toml").write_text("folds = = 3")
    code, _, err = run("verify")
    assert (code, err.count("\n")) == (2, 1)
    assert "barograph.toml" in err


WRONG = {
    "a value": ("seed = 2\nfolds = 1\n", "line 2: folds: Input should be greater than"),
    "a type": ('lease_s = "soon"', "line 1: lease_s: Input should be a valid number"),
    "a near key": ("\n\nfold = 3", "line 3: fold: there is no such setting. Did you mean folds."),
    "a far key": ("colour = 3", "line 1: colour: there is no such setting. Remove it."),
    "a table": ("[kafka]\nhost = 1", "line 1: kafka: there is no such setting. Remove it."),
}


@pytest.mark.parametrize(("content", "line"), WRONG.values(), ids=WRONG)
def test_a_wrong_setting_names_file_line_and_key(run, tmp_path, content, line):
    (tmp_path / "barograph.toml").write_text(content)
    code, out, err = run("settings")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"{tmp_path / 'barograph.toml'}, {line}" in err


def test_settings_that_are_not_utf8_name_their_file(run, tmp_path):
    (tmp_path / "barograph.toml").write_bytes(b"\xff\xfef\x00")
    code, out, err = run("settings")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"{tmp_path / 'barograph.toml'}: it is not UTF-8 (byte 0)" in err


@pytest.mark.parametrize("home", ["file", "file/below", "/dev/null"])
@pytest.mark.parametrize("verb", [["check"], ["models", "list"], ["score"]])
def test_a_home_that_is_a_file_is_refused_by_its_name(run, tmp_path, home, verb):
    (tmp_path / "file").touch()
    code, out, err = run(*verb, "--home", home)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "it is no directory, so it can hold no home. Name another (--home)." in err


def test_a_wrong_variable_is_named(run, monkeypatch):
    monkeypatch.setenv("BAROGRAPH_FOLDS", "1")
    code, _, err = run("settings")
    assert (code, err.count("\n")) == (2, 1)
    assert "BAROGRAPH_FOLDS: folds: Input should be greater than" in err


def test_a_misspelt_variable_is_named_with_the_one_that_is_meant(run, monkeypatch):
    monkeypatch.setenv("BAROGRAPH_PARTITION", "7")
    code, out, err = run("settings", "--json")
    assert code == 0
    values = {each["name"]: each["value"] for each in json.loads(out)["settings"]}
    assert values["partitions"] == 3
    assert err == (
        "barograph: BAROGRAPH_PARTITION is no setting and is ignored. "
        "Did you mean BAROGRAPH_PARTITIONS?\n"
    )


def test_a_case_of_a_users_own_is_found_in_the_working_directory(run, tmp_path):
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "leavers.py").write_text(
        textwrap.dedent(
            """
            import dataclasses
            from barograph.cases.churn import CHURN
            LEAVERS = dataclasses.replace(CHURN, name="leavers")
            """
        )
    )
    (tmp_path / "h").mkdir()
    code, out, _ = run("models", "list", "--case", "ours.leavers:LEAVERS", "--home", "h")
    out = " ".join(out.split())
    assert (code, "no version of leavers yet" in out) == (0, True)
    assert "`barograph train --case ours.leavers:LEAVERS`" in out
    code, _, err = run("train", "--case", "ours.leavers:LEAVERS", "--home", "h")
    assert (code, "FILE… --case ours.leavers:LEAVERS`" in err) == (2, True)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(BadInputError, match="nowhere: No such file"):
        read_bytes(tmp_path / "nowhere")


def numbers():
    """Each option and argument of any verb that is a number, by verb and name."""

    def within(group, prefix):
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from within(command, f"{prefix}{name} ")
            else:
                yield from ((f"{prefix}{name}", each) for each in command.params)

    for verb, option in within(typer.main.get_command(app), ""):
        if option.type_descriptor.annotation in (int, float):
            yield verb, option


def test_every_number_has_bounds():
    """One that overflows somewhere would end in a traceback."""
    found = list(numbers())
    assert len(found) > 20
    assert [f"{verb} {option.name}" for verb, option in found if option.max is None] == []


FAR = ("nan", "inf", "1e300", str(10**30), str(2**64))


@pytest.mark.slow
@pytest.mark.parametrize("value", FAR)
def test_a_number_beyond_its_bounds_is_refused(run, value):
    for words in (
        ("up", "--minutes"), ("demo", "--hours"), ("demo", "--seed"), ("train", "--seed"),
        ("train", "--minutes"), ("produce", "x", "--case", "churn", "--rate"),
        ("produce", "x", "--case", "churn", "--batch-size"), ("models", "show", "--hours"),
        ("consume", "--case", "churn", "--seconds"), ("topics", "create", "--partitions"),
        ("rehearse", "--case", "churn", "--seconds"),
    ):  # fmt: skip
        code, out, err = run(*words, value)
        assert (code, out, "Traceback" in err) == (2, "", False), words
        assert words[-1] in err


@pytest.mark.slow
@pytest.mark.parametrize("value", FAR)
def test_a_number_of_the_settings_has_bounds_too(run, monkeypatch, value):
    fields = Settings.model_fields.items()
    for name in [name for name, field in fields if field.annotation in (int, float)]:
        with monkeypatch.context() as now:
            now.setenv(f"BAROGRAPH_{name.upper()}", value)
            code, _, err = run("verify")
            assert (code, err.count("\n"), name in err) == (2, 1, True), err


@pytest.mark.parametrize("version", ["²", "٣", "9" * 30, "-1", ""])
def test_a_version_that_is_none_is_one_line(run, version):
    for verb in ("models show", "report card"):
        code, out, err = run(*verb.split(), "--home", "h", "--", version)
        assert (code, out, err.count("\n")) == (2, "", 1), err


@pytest.mark.parametrize("log", ["sqlite:///", "sqlite:///.", "sqlite:////"])
def test_an_address_that_names_no_file_is_one_line(run, log):
    code, out, err = run("check", "--log", log)
    assert (code, out, err.count("\n")) == (2, "", 1), err


@pytest.mark.parametrize("verb", sorted(READS))
def test_a_home_that_is_not_there_is_refused_by_each_verb_that_reads(run, tmp_path, verb):
    """A mistyped name is no home in which nothing was done yet, and is not made either."""
    words = [word.format(letter="ticks.deadletter/0@1") for word in READS[verb]]
    code, out, err = run(*verb.split(), *words, "--home", "mistyped")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "mistyped" in err
    assert not (tmp_path / "mistyped").exists()
