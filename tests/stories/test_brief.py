"""The scoping brief becomes a PDF that says what the page says."""

import os
import re
import runpy
from pathlib import Path

import pytest
from pypdf import PdfReader

ROOT = Path(__file__).parents[2]


@pytest.fixture
def brief():
    """What docs/brief.py defines, or a skip where the PDF cannot be drawn; in CI a failure."""
    script = runpy.run_path(str(ROOT / "docs" / "brief.py"))
    if absent := script["missing"]():
        reason = f"no {', '.join(absent)} to draw a PDF with. {script['ADVICE']}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return script


def test_the_pdf_has_the_headings_in_their_order_on_two_to_three_pages_of_a4(brief, tmp_path):
    target = tmp_path / "new" / "brief.pdf"
    brief["draw"](target)
    reader = PdfReader(target)
    title, parts = reader.outline
    source = brief["SOURCE"].read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", source, re.MULTILINE)
    assert [title.title, *(part.title for part in parts)] == headings
    assert 2 <= len(reader.pages) <= 3
    for number, page in enumerate(reader.pages, 1):
        assert (round(page.mediabox.width), round(page.mediabox.height)) == (595, 842)
        assert f"{number} / {len(reader.pages)}" in page.extract_text()


def test_no_link_of_the_pdf_leads_into_somebodys_files(brief):
    html = brief["page"]("# T\n\n[there](evaluation.md#gate) and [far](https://example.org/a)")
    assert re.findall(r'href="([^"]*)"', html) == ["https://example.org/a"]
    assert "there" in html


def test_without_the_libraries_and_the_right_to_install_them_one_line_says_what_to_do(
    brief, monkeypatch
):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit, match=r"^The PDF is drawn with Pango.*apt-get install") as left:
        brief["install"]()
    assert "\n" not in str(left.value)
