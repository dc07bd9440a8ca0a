"""A notebook is stored as it was written: what it showed belongs to whoever ran it."""

import json


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
