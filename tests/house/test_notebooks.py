"""A notebook is stored as it was written: what it showed belongs to whoever ran it."""

import json
import re
import runpy

import nbformat
import pytest


@pytest.fixture(scope="module")
def pages(root):
    """What docs/notebook_files.py defines."""
    return runpy.run_path(str(root / "docs" / "notebook_files.py"))


def test_notebooks_are_stored_without_what_they_showed(texts):
    notebooks = {path: text for path, text in texts.items() if path.suffix == ".ipynb"}
    assert notebooks
    shown = [
        f"{path}, cell {number}"
        for path, text in notebooks.items()
        for number, cell in enumerate(json.loads(text)["cells"])
        if cell.get("outputs") or cell.get("execution_count") is not None
    ]
    assert shown == []


def test_a_notebook_can_be_given_its_parameters(texts):
    """By the tag that papermill and its like look for, once."""
    for path, text in texts.items():
        if path.suffix == ".ipynb":
            cells = json.loads(text)["cells"]
            tags = [tag for cell in cells for tag in cell["metadata"].get("tags", [])]
            assert tags == ["parameters"], path


PAGE = """\
# Why?

Since [this](../features.md#ticks), and [that](02-that.md), `x`.

```python
x = 1

print(x)
```

```sh
barograph doctor
```

```text
no code
```

```python
%%writefile a.py
y = 2
```
"""


def test_a_page_becomes_a_notebook_cell_by_cell(pages):
    made = pages["notebook"](PAGE)
    nbformat.validate(made)
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in made["cells"]]
    assert [kind for kind, _ in cells] == ["markdown", "code", "code", "markdown", "code"]
    assert cells[1][1] == "x = 1\n\nprint(x)"
    assert cells[2][1] == "%%sh\nbarograph doctor"
    assert cells[3][1] == "```text\nno code\n```"
    assert cells[4][1] == "%%writefile a.py\ny = 2"


def test_notebooks_are_written_with_links_to_the_pages_of_the_repository(pages, root, tmp_path):
    led = pages["led_from_build"](PAGE)
    assert "[this](../../docs/features.md#ticks)" in led
    assert "[that](02-that.ipynb)" in led
    written = pages["write"](tmp_path)
    assert len(written) == len(list((root / "docs" / "gallery").glob("*.md")))
    for path in written:
        for target in re.findall(r"\]\(\.\./\.\./([^)#]+)", path.read_text(encoding="utf-8")):
            assert (root / target).exists(), (path.name, target)
