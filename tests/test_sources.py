"""Hashes of the sources."""

import re
import shutil

import pytest

from barograph import sources


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The package's sources, as a copy that a test may change."""
    copy = tmp_path / "barograph"
    shutil.copytree(sources.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(sources, "PACKAGE", copy)
    return copy


def test_a_hash_is_sixteen_digits_wherever_the_package_lies(package):
    here = sources.code_hash(), sources.kernels_hash()
    moved = package.rename(package.with_name("moved"))
    sources.PACKAGE = moved
    assert (sources.code_hash(), sources.kernels_hash()) == here
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in here)


def test_any_source_is_of_the_code(package):
    before = sources.code_hash()
    (package / "errors.py").write_text("")
    changed = sources.code_hash()
    assert changed != before
    (package / "errors.py").rename(package / "refusals.py")
    assert sources.code_hash() not in {before, changed}


def test_sources_that_compile_something_are_of_the_kernels(package):
    before = sources.kernels_hash()
    (package / "errors.py").write_text("")
    assert sources.kernels_hash() == before
    with (package / "feature_set" / "window.py").open("a") as kernel:
        kernel.write("# changed\n")
    assert sources.kernels_hash() != before


@pytest.mark.parametrize("name", ["types.py", "codec.py", "feature_set/catalogue.py"])
def test_sources_of_constants_that_are_compiled_in_are_of_the_kernels(package, name):
    before = sources.kernels_hash()
    with (package / name).open("a") as constants:
        constants.write("# changed\n")
    assert sources.kernels_hash() != before


def test_files_of_the_callers_own_count_by_their_contents(tmp_path):
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    one.write_text("a")
    other.write_text("a")
    assert sources.code_hash([one]) == sources.code_hash([other]) != sources.code_hash()
    other.write_text("b")
    assert sources.code_hash([one]) != sources.code_hash([other])
