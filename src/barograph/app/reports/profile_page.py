"""A dataset's profile by ydata-profiling as a page; needs the extra `report`."""

import contextlib
import io
import warnings

import polars as pl

from barograph import environment
from barograph.errors import MissingExtraError

FILE = "profile.html"
"""File name of the page in the registry."""


def page(rows: pl.DataFrame, title: str) -> str:
    """Distributions, missing values and warnings of each column, as one HTML page.

    Raises MissingExtraError without the extra.
    """
    environment.for_profiling()
    # It writes progress to standard error, whatever it is told, and warns of its own name.
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            import pandas as pd  # noqa: PLC0415
            from ydata_profiling import ProfileReport  # noqa: PLC0415 - half a minute
        except ImportError as error:
            raise MissingExtraError("a profile", "report") from error
        frame = pd.DataFrame({name: rows[name].to_numpy() for name in rows.columns})
        report = ProfileReport(frame, title=title, minimal=True, progress_bar=False)
        html: str = report.to_html()
    return html
