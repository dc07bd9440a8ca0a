"""Verbs about the command line: help, settings, completion."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from barograph.app.contract import schema_of


@pytest.mark.slow
def test_help_of_a_verb_is_what_its_option_prints(run):
    for words in ((), ("replay",), ("models", "show"), ("topics",)):
        code, out, err = run("help", *words)
        assert (code, err) == (0, "")
        assert out == run(*words, "--help")[1]


def test_help_of_an_unknown_verb_names_a_near_one(run):
    code, out, err = run("help", "replya")
    assert (code, out) == (2, "")
    assert err == "barograph: replya: there is no such verb. Did you mean replay.\n"
    assert "`barograph --help` lists all" in run("help", "models", "xyzzy")[2]


def test_help_in_json_has_the_schema_of_the_answer(run):
    answer = json.loads(run("help", "models", "show", "--json")[1])
    assert answer["verb"] == "models show"
    assert answer["usage"].startswith("Usage: barograph models show [VERSION] [OPTIONS]")
    assert "--hours" in answer["options"]
    assert answer["schema"] == schema_of("models show")


def test_settings_say_what_set_them(run, monkeypatch):
    Path("barograph.toml").write_text("# mine\n\nfolds = 6\nseed = 3\n")
    monkeypatch.setenv("BAROGRAPH_SEED", "4")
    code, out, err = run("settings", "--home", "h", "--json")
    assert (code, err) == (0, "")
    told = {each["name"]: each for each in json.loads(out)["settings"]}
    place = str(Path("barograph.toml").absolute())
    assert told["home"] == {"name": "home", "value": "h", "source": "option", "where": "--home"}
    assert told["folds"] == {
        "name": "folds", "value": 6, "source": "file", "where": f"{place}, line 3"
    }  # fmt: skip
    assert told["seed"]["value"] == 4
    assert (told["seed"]["source"], told["seed"]["where"]) == ("environment", "BAROGRAPH_SEED")
    assert told["partitions"] == {
        "name": "partitions", "value": 3, "source": "default", "where": ""
    }  # fmt: skip


def test_settings_are_a_line_each(run):
    _, out, _ = run("settings")
    assert [line.split()[0] for line in out.splitlines()][:3] == ["home", "registry", "partitions"]
    assert "default" in out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_asks_for_completions(run, shell):
    code, out, err = run("completion", shell)
    assert (code, err) == (0, "")
    assert "_BAROGRAPH_COMPLETE" in out
    assert json.loads(run("completion", shell, "--json")[1]) == {
        "shell": shell, "script": out.removesuffix("\n")
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_verbs_and_options(tmp_path, run):
    barograph = tmp_path / "barograph"
    import sys  # noqa: PLC0415 - of this test alone

    barograph.write_text(
        f"#!{sys.executable}\nfrom barograph.app.cli import main\nmain()\n", encoding="utf-8"
    )
    barograph.chmod(0o755)
    script = tmp_path / "script"
    script.write_text(run("completion", "bash")[1])
    for words, wanted in (
        ("barograph rep", {"replay", "report"}),
        ("barograph train --fol", {"--folds", "--follow"}),
    ):
        asked = (
            f'PATH="{tmp_path}:$PATH"; source {script}; COMP_WORDS=({words}); '
            f"COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _barograph_completion barograph; "
            'printf "%s\\n" "${COMPREPLY[@]}"'
        )
        done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=False)
        assert set(done.stdout.split()) == wanted, done.stderr
