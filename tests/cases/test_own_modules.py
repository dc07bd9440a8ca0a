"""Code of one's own, named on a command line."""

import pytest

from barograph.cases.own_modules import defined, failed, imported, own_files
from barograph.errors import BadInputError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_a_module_here_defines_is_found_and_its_file_remembered(folder):
    (folder / "ours_found.py").write_text("SEVEN = 7\n")
    assert defined("a number", "ours_found:SEVEN") == 7
    assert folder / "ours_found.py" in [path.resolve() for path in own_files()]


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("ours_without_colon", "", "it is not package.module:NAME"),
        (".relative:NAME", "", "it is not package.module:NAME"),
        ("ours_absent:NAME", None, "there is no module ours_absent"),
        ("ours_empty:NAME", "", "has nothing called NAME"),
        ("ours_broken:NAME", "x = 1\nx / 0\n", "ZeroDivisionError: .*line 2"),
        ("ours_odd:NAME", "def\n", "SyntaxError"),
    ],
)
def test_what_is_not_there_or_fails_says_so_about_what_was_asked(folder, name, text, why):
    if text is not None:
        (folder / f"{name.partition(':')[0].strip('.')}.py").write_text(text)
    with pytest.raises(BadInputError, match=f"^a thing: .*{why}"):
        defined("a thing", name)


def test_a_failure_names_file_and_line():
    with pytest.raises(AttributeError) as raised:
        imported("x", "json").nothing  # noqa: B018 - it raises
    assert "test_own_modules.py, line" in str(failed("a thing", raised.value, "Correct it"))
