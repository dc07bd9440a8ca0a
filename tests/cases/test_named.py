"""Cases by name: those of the house, and a user's own."""

from dataclasses import replace

import pytest

from barograph.cases.churn import CHURN
from barograph.cases.named import NAMED, case_named, name_of
from barograph.cases.spikes import SPIKES
from barograph.errors import BadInputError


def test_the_cases_of_the_house_are_known_by_their_names():
    assert (case_named("spikes"), case_named("churn")) == (SPIKES, CHURN)
    assert [case_named(name).name for name in NAMED] == list(NAMED)


WRONG_CASES = {
    "weather": "there is no such case. Use spikes, spikes-10s, spikes-5m, spikes-15m, churn, ",
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
def test_a_case_that_is_none_is_refused_with_what_is_wrong(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "needs_more.py").write_text("import nobody_has_this")
    (tmp_path / "broken.py").write_text("def f():\n    return 1\nf() + 'x'\n")
    (tmp_path / "unwritten.py").write_text("CASE = (")
    (tmp_path / "other.py").write_text("OTHER = 'spikes'")
    with pytest.raises(BadInputError) as refused:
        case_named(name)
    assert WRONG_CASES[name] in str(refused.value)


def test_an_installed_package_names_cases_of_its_own(tmp_path, monkeypatch):
    info = tmp_path / "theirs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    entries = "theirs = theirs_case:CASE", "spikes = theirs_case:CASE", "lost = theirs_lost:CASE"
    (info / "entry_points.txt").write_text("\n".join(["[barograph.cases]", *entries]))
    (tmp_path / "theirs_case.py").write_text(
        "from dataclasses import replace\nfrom barograph.cases.churn import CHURN\n"
        "CASE = replace(CHURN, name='theirs')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert case_named("theirs").name == "theirs"
    assert case_named("spikes") is SPIKES, "names of the house come first"
    with pytest.raises(BadInputError, match="there is no module theirs_lost"):
        case_named("lost")
    with pytest.raises(BadInputError, match=r"Use spikes.* theirs, "):
        case_named("weather")


def test_a_case_that_was_named_is_found_by_that_name_again(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "cancelled.py").write_text(
        "from dataclasses import replace\nfrom barograph.cases.churn import CHURN\n"
        "CASE = replace(CHURN, name='cancelled')\n"
    )
    assert name_of(SPIKES) == "spikes"
    assert name_of(case_named("cancelled:CASE")) == "cancelled:CASE"
    assert name_of(replace(CHURN, name="made-here")) == ""
    assert name_of(replace(CHURN)) == "", "it is called churn, and is another one"
