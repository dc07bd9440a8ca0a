"""Elements and text: what is put in comes out escaped, and nothing else."""

import re

from hypothesis import given
from hypothesis import strategies as st

from barograph.app.reports.markup import document, el, html
from barograph.foreign import spelled_out
from page_reader import Reader

texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"))


@given(texts, texts, texts)
def test_whatever_stands_in_a_text_is_text(before, inside, after):
    page = Reader(html(el("p", before, el("b", inside, title=after), after)))
    assert page.tags == ["p", "b"]
    assert page.text == spelled_out(f"\n{before}{inside}{after}\n")
    assert page.attributes == [("title", spelled_out(after))]


def test_names_of_attributes_are_those_of_html():
    assert html(el("i", class_="a", stroke_width=1.5, viewBox="0 0")) == (
        '<!doctype html>\n<i class="a" stroke-width="1.5" viewBox="0 0"></i>\n'
    )


def test_a_document_carries_its_style_and_its_title():
    page = Reader(document("<t>", [el("p", "x")]))
    assert page.tags[:2] == ["html", "head"]
    assert page.tags[-2:] == ["main", "p"]
    assert "<t>" in page.text
    assert ":root" in page.text


CHARTS = {"--vermilion", "--green"}
"""Of pictures alone."""


def test_every_colour_of_a_page_is_there_in_light_in_dark_and_on_paper():
    css = document("t", [])
    themes = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    assert len(themes) == 3
    for theme in themes:
        assert (
            set(re.findall(r"(--\w+):", theme)) == set(re.findall(r"var\((--\w+)\)", css)) | CHARTS
        )


def test_what_a_screen_would_obey_is_spelled_out():
    page = html(el("p", "\x1b[2J\u202e<script>", el("b", "x"), "\x07", title="\x1b]0;pwned\x07"))
    assert not set("\x1b\x07\u202e") & set(page)
    assert "<script" not in page
    assert r"\x1b[2J\u202e&lt;script&gt;" in page
