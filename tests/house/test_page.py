"""The files of the live page: the library is the release, and nothing comes from elsewhere."""

import hashlib
import re
from pathlib import Path

import pytest

MAX_LINES = 400
MAX_KB = 250

UPLOT = {  # of `npm pack uplot@1.6.32`, dist/ and LICENSE
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
}
OWN = (".js", ".css", ".html")


@pytest.fixture(scope="module")
def static(root):
    return root / "src" / "barograph" / "app" / "web" / "static"


@pytest.fixture(scope="module")
def own(static):
    """Path below static/ → text, of the files that are written here."""
    return {
        path.relative_to(static): path.read_text(encoding="utf-8")
        for path in sorted(static.rglob("*"))
        if path.suffix in OWN and "vendor" not in path.parts
    }


def test_the_chart_library_is_the_release_on_npm(static):
    vendored = sorted((static / "vendor").rglob("*"))
    digests = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in vendored
        if path.is_file()
    }
    assert digests == UPLOT


def test_no_file_of_the_page_names_an_address_elsewhere(own):
    """An XML namespace is a name and no address."""
    addresses = [
        f"{path}: {found}"
        for path, text in own.items()
        for found in re.findall(r"(?:https?:)?//[a-z][\w.-]*\.[a-z]{2,}\S*", text)
    ]
    assert addresses == []


def test_the_page_needs_no_inline_script_or_style(own):
    """What the content security policy forbids would be missing without a word."""
    page = own[Path("index.html")]
    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:", page) == []
    assert [tag for tag in re.findall(r"<script[^>]*>", page) if " src=" not in tag] == []
    for path, text in own.items():
        assert re.findall(r"\.innerHTML|\.outerHTML|insertAdjacentHTML|\beval\(", text) == [], path


def test_every_module_that_is_imported_exists_and_is_used(own):
    modules = {path.name for path in own if path.suffix == ".js"}
    imported = {
        name
        for text in own.values()
        for name in re.findall(
            r"^\}? ?(?:import\b[^;]*?)?from \"\./([\w.]+)\";", text, re.MULTILINE
        )
    }
    loaded = set(re.findall(r"static/(\w+\.js)", own[Path("index.html")]))
    assert imported | loaded == modules


def test_every_element_that_the_modules_look_up_is_on_the_page(own):
    ids = set(re.findall(r"\bid=\"([\w-]+)\"", own[Path("index.html")]))
    looked_up = {
        name for text in own.values() for name in re.findall(r"byId\(\"([\w-]+)\"\)", text)
    }
    assert looked_up - ids == set()


def test_the_files_of_the_page_are_small(static, own):
    assert [str(path) for path, text in own.items() if text.count("\n") > MAX_LINES] == []
    size = sum(path.stat().st_size for path in static.rglob("*") if path.is_file())
    assert size <= MAX_KB * 1024
