"""Settings, cases and logs as the command line takes them."""

import textwrap

import pytest

from barograph.app.cli.options import CASES, case_named, read_bytes
from barograph.cases.churn import CHURN
from barograph.cases.spikes import SPIKES
from barograph.errors import BadInputError


def test_a_setting_that_cannot_be_is_refused_by_name(run, monkeypatch):
    monkeypatch.setenv("BAROGRAPH_FOLDS", "1")
    code, _, err = run("verify")
    assert code == 2
    assert "folds" in err


def test_a_settings_file_that_is_no_toml_is_refused(run, tmp_path):
    (tmp_path / "barograph.toml").write_text("folds = = 3")
    code, _, err = run("verify")
    assert (code, err.count("\n")) == (2, 1)
    assert "barograph.toml" in err


def test_the_cases_of_the_house_are_known_by_their_names():
    assert (case_named("spikes"), case_named("churn")) == (SPIKES, CHURN)
    assert [case_named(name).name for name in CASES] == list(CASES)


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
    code, out, _ = run("models", "list", "--case", "ours.leavers:LEAVERS", "--home", "h")
    assert (code, "no version of leavers yet" in " ".join(out.split())) == (0, True)


WRONG_CASES = {
    "weather": "there is no such case. Use spikes, churn, or package.module:NAME.",
    "weather:": "there is no such case",
    ":CASE": "there is no such case",
    "nowhere_at_all:CASE": "there is no module nowhere_at_all",
    "needs_more:CASE": "there is no module nobody_has_this",
    "broken:CASE": "broken.py, line 3)",
    "unwritten:CASE": "(unwritten.py, line 1)",
    "other:CASE": "nothing is called that",
    "other:OTHER": "OTHER is a str, not a barograph.cases.Case",
    "json.:CASE": "there is no module json.",
    "..:CASE": "there is no such case",
}


@pytest.mark.parametrize("name", WRONG_CASES)
def test_a_case_that_is_none_is_refused_with_what_is_wrong(name, tmp_path):
    (tmp_path / "needs_more.py").write_text("import nobody_has_this")
    (tmp_path / "broken.py").write_text("def f():\n    return 1\nf() + 'x'\n")
    (tmp_path / "unwritten.py").write_text("CASE = (")
    (tmp_path / "other.py").write_text("OTHER = 'spikes'")
    with pytest.raises(BadInputError) as refused:
        case_named(name)
    assert WRONG_CASES[name] in str(refused.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(BadInputError, match="nowhere: No such file"):
        read_bytes(tmp_path / "nowhere")
