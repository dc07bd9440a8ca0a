"""What the tests of the rooms above share: a process that has chosen nothing yet."""

import pytest

from barograph.app.terminal import detail


@pytest.fixture(autouse=True)
def _summary(monkeypatch):
    """The detail is one per process: what a test chooses ends with it."""
    monkeypatch.setattr(detail, "_chosen", detail.Detail.SUMMARY)
