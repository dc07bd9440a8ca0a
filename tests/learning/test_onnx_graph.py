"""Graphs node by node: what is put together can be run."""

import numpy as np
import onnx

from barograph.learning.onnx_graph import Graph
from barograph.registry.model import OnnxModel

ROWS = np.array([[1.0, 0.1], [-2.0, 3.0]], np.float32)


def finished(graph, column):
    """Column (n, 1) → the whole."""
    return graph.finished("g", graph.add("Squeeze", column, graph.constant(np.array([1]))))


def test_the_input_comes_out_in_float64_column_by_column():
    for place in (0, 1):
        graph = Graph(2)
        model = finished(graph, graph.column(graph.wide(), place))
        output = OnnxModel(model, 2).predict(ROWS)
        assert output.dtype == np.float64
        # exact: float32 widened
        assert output.tolist() == ROWS[:, place].astype(np.float64).tolist()


def test_what_is_narrowed_has_the_bits_of_float32():
    graph = Graph(2)
    third = graph.add("Div", graph.column(graph.wide(), 0), graph.constant(3.0))
    output = OnnxModel(finished(graph, graph.narrowed(third)), 2).predict(ROWS)
    # exact: one division, rounded once
    assert output.tolist() == (ROWS[:, 0] / np.float64(3)).astype(np.float32).tolist()


def test_values_and_constants_have_names_of_their_own():
    graph = Graph(2)
    names = [graph.wide(), graph.constant(1.0), graph.constant(1.0), graph.add("Neg", "features")]
    assert len(set(names)) == 4


def test_the_same_steps_make_the_same_bytes_under_the_name_that_was_given():
    made = []
    for _ in range(2):
        graph = Graph(2)
        made.append(finished(graph, graph.column(graph.wide(), 1)))
    assert made[0] == made[1]
    assert onnx.load_model_from_string(made[0]).graph.name == "g"
