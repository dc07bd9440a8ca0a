"""Rows of a market's dataset on their way into one table: by product, in files of bounded size."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from barograph.arrays import Float64, Records
from barograph.cases.live_series import LiveSeries
from barograph.codec import NAT
from barograph.evaluation import labels
from barograph.feature_set.catalogue import NAMES
from barograph.files import parquet

_ROWS_OF_A_PART = 50_000


class ProductFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One product of a dataset; first and last closed second since 1970, inclusive."""

    rows: int
    labelled: int
    first_second: int
    last_second: int


class Parts:
    """Writes rows by product to files of bounded size, once their labels are final."""

    def __init__(self, folder: Path, live: LiveSeries) -> None:
        self._folder, self._horizon_s = folder, live.horizon_s
        self._value_now = live.places[live.value_now]
        self._waiting: dict[int, list[Records]] = {}
        self._paths: dict[int, list[Path]] = {}
        self._facts: dict[int, list[ProductFacts]] = {}
        self._unsorted: set[int] = set()
        """The products of which an older session came after a later one."""

    @property
    def paths(self) -> list[Path]:
        """The written files, by product and, once finished, by second."""
        return [path for product in sorted(self._paths) for path in self._paths[product]]

    def add(self, rows: Records, product_name: Callable[[int], str]) -> None:
        """Add rows of any products, each session in the order of its seconds.

        product_name: of a row's `product`.
        """
        for product in np.unique(rows["product"]).tolist():
            of_product = rows[rows["product"] == product]
            steps_back = np.flatnonzero(np.diff(of_product["second"]) <= 0) + 1
            for some in np.split(of_product, steps_back):
                waiting = self._waiting.setdefault(product, [])
                if waiting and len(waiting[-1]) and some["second"][0] <= waiting[-1]["second"][-1]:
                    self._unsorted.add(product)
                    self._write(product, product_name(product), last=True)
                    waiting = self._waiting[product]
                waiting.append(some)
                if sum(map(len, waiting)) >= _ROWS_OF_A_PART:
                    self._write(product, product_name(product), last=False)

    def finish(self, product_name: Callable[[int], str]) -> dict[str, ProductFacts]:
        """Write the remaining rows and return the facts of each product by name."""
        products = {}
        for product in sorted(self._waiting):
            name = product_name(product)
            self._write(product, name, last=True)
            if product in self._unsorted:
                self._sort(product)
            facts = self._facts[product]
            products[name] = ProductFacts(
                rows=sum(part.rows for part in facts),
                labelled=sum(part.labelled for part in facts),
                first_second=min(part.first_second for part in facts),
                last_second=max(part.last_second for part in facts),
            )
        return products

    def _sort(self, product: int) -> None:
        """Bring the rows of a product's sessions into one order, as one file."""
        whole = self._folder / f"{product:06d}-sorted.parquet"
        frame = pl.concat([pl.read_parquet(path) for path in self._paths[product]]).sort("second")
        parquet.write(frame, whole)
        self._paths[product] = [whole]

    def _write(self, product: int, name: str, *, last: bool) -> None:
        rows = np.concatenate(self._waiting[product])
        values = rows["values"][:, self._value_now]
        outcome = labels.later(rows["second"], values, horizon_s=self._horizon_s)
        # An outcome is final once its horizon has passed.
        settled = last | (rows["second"] <= rows["second"][-1] - self._horizon_s)
        self._waiting[product] = [rows[~settled]]
        rows, outcome = rows[settled], outcome[settled]
        if len(rows):
            paths = self._paths.setdefault(product, [])
            paths.append(self._folder / f"{product:06d}-{len(paths):06d}.parquet")
            parquet.write(frame_of(rows, outcome, name), paths[-1])
            self._facts.setdefault(product, []).append(
                ProductFacts(
                    rows=len(rows),
                    labelled=int((~np.isnan(outcome)).sum()),
                    first_second=int(rows["second"][0]),
                    last_second=int(rows["second"][-1]),
                )
            )


def frame_of(rows: Records, outcome: Float64, product: str) -> pl.DataFrame:
    """Convert a product's rows (n,) of `catalogue.ROW` and their outcomes (n,) to a table."""
    digits = np.ascontiguousarray(rows["reasons"] + ord("0")).view(f"S{len(NAMES)}")
    frame = pl.DataFrame(
        {
            "product": pl.Series([product] * len(rows), dtype=pl.String),
            "second": rows["second"],
            "receive_time_ns": rows["receive_time_ns"],
            "log_mid_e9": rows["log_mid_e9"],
            "return_e9": rows["return_e9"],
            **{name: rows["values"][:, place] for place, name in enumerate(NAMES)},
            "reasons": digits.ravel().astype(str).tolist(),
            "outcome": outcome,
        }
    )
    return frame.with_columns(
        pl.col("receive_time_ns", "return_e9").replace(int(NAT), None),
        pl.col(*NAMES, "outcome").fill_nan(None),
    )
