"""One-hot encoding of categories, in training and in the ONNX graph."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from barograph.arrays import Bool, Float32, Float64, Int64
from barograph.learning.onnx_graph import Graph


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """Features (n, f) → inputs (n, m): numbers stay, a category of k values becomes k columns.

    source: (m,) int64, index of the feature of each column; code: (m,) float64, the code that the
    column marks with 1, NaN for a number. An unknown code is 0 in all columns.
    """

    source: Int64
    code: Float64

    @classmethod
    def of(cls, categories: Sequence[int]) -> "Encoding":
        """The encoding for features with these numbers of categories, 0 for a number."""
        columns = [
            (feature, float(code) if count else np.nan)
            for feature, count in enumerate(categories)
            for code in range(count or 1)
        ]
        source, code = zip(*columns, strict=True) if columns else ((), ())
        return cls(np.array(source, np.int64), np.array(code, np.float64))

    @property
    def numbers(self) -> Bool:
        """(m,) mask of the columns that are numbers."""
        return np.isnan(self.code)

    def apply(self, x: Float32) -> Float32:
        """Encode x (n, f) as (n, m) float32, C-contiguous."""
        gathered = x[:, self.source]
        seen = np.where(self.numbers, gathered, gathered == self.code)
        return np.ascontiguousarray(seen, np.float32)

    def nodes(self, graph: Graph, given: str) -> str:
        """Add the encoding of `given`, float64 (n, f), to a graph; return the output's name."""
        from onnx import TensorProto  # noqa: PLC0415 - only who exports needs it

        gathered = graph.add("Gather", given, graph.constant(self.source), axis=1)
        hit = graph.add("Equal", gathered, graph.constant(self.code))
        zero_or_one = graph.add("Cast", hit, to=TensorProto.DOUBLE)
        return graph.add("Where", graph.constant(self.numbers), gathered, zero_or_one)
