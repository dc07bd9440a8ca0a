"""Evidently's comparison of two spans as a page; needs the extra `report`."""

import warnings

import polars as pl

from barograph import environment
from barograph.errors import MissingExtraError

FILE = "evidently.html"
"""File name of the page in the registry."""


def page(before: pl.DataFrame, after: pl.DataFrame, columns: tuple[str, ...]) -> str:
    """Drift and summary presets of numeric columns, as HTML without requests to anywhere.

    Raises MissingExtraError without the extra.
    """
    environment.for_profiling()
    # Evidently and what it imports warn of their own deprecated calls.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import pandas as pd  # noqa: PLC0415
            from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415 - half a minute
            from evidently.presets import DataDriftPreset, DataSummaryPreset  # noqa: PLC0415
        except ImportError as error:
            raise MissingExtraError("a page by Evidently", "report") from error
        definition = DataDefinition(
            numerical_columns=list(columns), categorical_columns=["product"]
        )
        named = ["product", *columns]
        current, reference = (
            Dataset.from_pandas(
                pd.DataFrame({name: side[name].to_numpy() for name in named}),
                data_definition=definition,
            )
            for side in (after, before)
        )
        report = Report([DataDriftPreset(), DataSummaryPreset()]).run(current, reference)
        html: str = report.get_html_str(as_iframe=False)
    return html
