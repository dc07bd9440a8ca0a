"""The pages of the documentation's site: what becomes of links, pictures and the navigation."""

import json
import re
import runpy
import subprocess
import sys

import pytest
import yaml


@pytest.fixture(scope="module")
def site(root):
    """What docs/build_site.py defines."""
    return runpy.run_path(str(root / "docs" / "build_site.py"))


@pytest.fixture(scope="module")
def pages(site, tmp_path_factory):
    """Path on the site → text of every page."""
    folder = tmp_path_factory.mktemp("site") / "pages"
    site["stage"](folder)
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*.md")
    }


def places(nav):
    """All pages of a part of the navigation."""
    for entry in nav:
        target = next(iter(entry.values())) if isinstance(entry, dict) else entry
        yield from [target] if isinstance(target, str) else places(target)


def test_every_page_stands_in_the_navigation_once(root, pages):
    """Decisions stand in a list of their own."""
    text = (root / "docs" / "mkdocs.yml").read_text(encoding="utf-8")
    navigation = text[text.index("\nnav:") : text.index("\nnot_in_nav:")]  # no tags of Python
    shown = list(places(yaml.safe_load(navigation)["nav"]))
    listed = {name for name in pages if name.startswith("decisions/0")}
    assert sorted(shown) == sorted(set(pages) - listed)
    assert all(f"({name})" in pages["decisions.md"] for name in listed)


@pytest.mark.parametrize(
    ("source", "written", "on_site"),
    [
        ("README.md", "[a](docs/cli.md#up)", "[a](cli.md#up)"),
        ("README.md", "[a](docs/decisions/)", "[a](decisions.md)"),
        ("docs/page.md", "[a](../README.md#figures)", "[a](index.md#figures)"),
        ("docs/runbooks/down.md", "[a](../operations.md)", "[a](../operations.md)"),
        ("docs/operations.md", "[a](../deploy/README.md)", "[a](deploy.md)"),
        ("README.md", "![a](docs/page.png)", "![a](page.png)"),
        (
            "README.md",
            "see [the licence](LICENSE), [b](#figures)",
            "see the licence, [b](#figures)",
        ),
        ("docs/page.md", "[a\nb](../README.md)", "[a\nb](index.md)"),
        ("docs/page.md", "[a](https://example.org/x)", "[a](https://example.org/x)"),
        ("docs/page.md", "```\n[a](nowhere.md)\n```", "```\n[a](nowhere.md)\n```"),
    ],
)
def test_links_follow_their_pages(site, source, written, on_site):
    assert site["staged"](source, written, site["sources"]()) == on_site


def test_each_page_of_the_gallery_offers_itself_as_a_notebook(site, tmp_path):
    site["stage"](tmp_path / "pages")
    pages = sorted((tmp_path / "pages" / "gallery").glob("*.md"))
    assert pages
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert f"[This page as a notebook]({page.stem}.ipynb)" in text
        offered = json.loads(page.with_suffix(".ipynb").read_text(encoding="utf-8"))
        code = [cell for cell in offered["cells"] if cell["cell_type"] == "code"]
        assert len(code) == len(re.findall("^```(?:python|sh)$", text, re.MULTILINE))
        assert ".md" not in "".join(cell["source"][0] for cell in offered["cells"])


def test_a_link_that_leads_nowhere_ends_the_build(site):
    with pytest.raises(site["BrokenLinkError"], match=r"docs/page.md: nowhere.md leads nowhere"):
        site["staged"]("docs/page.md", "[a](nowhere.md)", site["sources"]())


def test_a_drawing_becomes_a_part_of_its_page_and_takes_its_colours(pages):
    [figure] = [line for line in pages["architecture.md"].splitlines() if "<svg" in line]
    assert figure.startswith(
        '<figure class="drawing" role="img" tabindex="0" aria-label="Frames become'
    )
    assert "<style>" not in figure


def test_the_drawings_are_as_their_code_draws_them(root):
    done = subprocess.run(
        [sys.executable, "docs/pictures.py", "--check"],
        cwd=root,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
