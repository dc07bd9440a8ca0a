"""Categories as the zeros and ones that a model adds up, in training and in its graph."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from barograph.arrays import Bool, Float32, Float64, Int64
from barograph.learning.onnx_graph import Graph


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """Features (n, f) → what a model sees (n, m): a number stays, a category of k values becomes k.

    source: (m,) int64, the feature that each column is made of; code: (m,) float64, the code whose
    rows have 1 there, NaN for a number. A code beyond the known ones is 0 everywhere.
    """

    source: Int64
    code: Float64

    @classmethod
    def of(cls, categories: Sequence[int]) -> "Encoding":
        """The encoding of features with so many categories each, 0 for a number."""
        columns = [
            (feature, float(code) if count else np.nan)
            for feature, count in enumerate(categories)
            for code in range(count or 1)
        ]
        source, code = zip(*columns, strict=True) if columns else ((), ())
        return cls(np.array(source, np.int64), np.array(code, np.float64))

    @property
    def numbers(self) -> Bool:
        """(m,) which columns are numbers."""
        return np.isnan(self.code)

    def apply(self, x: Float32) -> Float32:
        """(n, m) float32, C-contiguous, of (n, f)."""
        gathered = x[:, self.source]
        seen = np.where(self.numbers, gathered, gathered == self.code)
        return np.ascontiguousarray(seen, np.float32)

    def nodes(self, graph: Graph, given: str) -> str:
        """The same as nodes of a graph, from the value `given` float64 (n, f)."""
        from onnx import TensorProto  # noqa: PLC0415 - only who exports needs it

        gathered = graph.add("Gather", given, graph.constant(self.source), axis=1)
        hit = graph.add("Equal", gathered, graph.constant(self.code))
        zero_or_one = graph.add("Cast", hit, to=TensorProto.DOUBLE)
        return graph.add("Where", graph.constant(self.numbers), gathered, zero_or_one)
