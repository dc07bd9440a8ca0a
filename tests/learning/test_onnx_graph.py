"""Graphs node by node: what is put together can be run."""

import numpy as np
import onnx
import pytest

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


def theirs(opset, ml=3):
    """A model of another program: ReduceSum over the columns of its input, kept as a column."""
    nodes = [onnx.helper.make_node("ReduceSum", ["x", "axes"], ["sum"], keepdims=1, name="sum")]
    given, out = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.DOUBLE, ["n", width])
        for name, width in (("x", 2), ("sum", 1))
    )
    axes = onnx.numpy_helper.from_array(np.array([1], np.int64), "axes")
    whole = onnx.helper.make_graph(nodes, "theirs", [given], [out], [axes])
    versions = [onnx.helper.make_opsetid("", opset), onnx.helper.make_opsetid("ai.onnx.ml", ml)]
    return onnx.helper.make_model(whole, opset_imports=versions)


@pytest.mark.parametrize("opset", [13, 17, 21])
def test_a_whole_model_becomes_a_part_as_often_as_it_is_wanted(opset):
    graph = Graph(2)
    once = graph.embed(theirs(opset), graph.wide(), "sum")
    other = graph.embed(theirs(opset), graph.add("Neg", graph.wide()), "sum")
    output = OnnxModel(finished(graph, graph.add("Sub", once, other)), 2).predict(ROWS)
    assert output == pytest.approx(2 * ROWS.astype(np.float64).sum(axis=1), rel=1e-12)


def test_a_graph_keeps_its_versions_where_nothing_changes_and_else_takes_those_of_the_part():
    for opset, kept in ((13, 21), (18, 21)):
        graph = Graph(2)
        model = finished(graph, graph.embed(theirs(opset), graph.wide(), "sum"))
        versions = {
            one.domain: one.version for one in onnx.load_model_from_string(model).opset_import
        }
        assert versions == {"": kept, "ai.onnx.ml": 5}
    old = theirs(17)
    old.graph.node.append(onnx.helper.make_node("Cast", ["sum"], ["narrow"], to=1))
    graph = Graph(2)
    model = finished(graph, graph.widened(graph.embed(old, graph.wide(), "narrow")))
    versions = {one.domain: one.version for one in onnx.load_model_from_string(model).opset_import}
    assert versions[""] == 17
