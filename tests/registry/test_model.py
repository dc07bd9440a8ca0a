import pickle
from copy import deepcopy
from dataclasses import replace

import msgspec
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from onnx import TensorProto, helper

from barograph.errors import ExportRefusedError, TooLittleDataError, UnsoundModelError
from barograph.learning.candidates import Boosting, Slices, lightgbm
from barograph.learning.examples import Examples
from barograph.learning.fitted import Fitted, Trees
from barograph.learning.trees import TreeTable
from barograph.registry.model import ModelFacts, OnnxModel, export, sha256_of
from model_kinds import ALL, KINDS, each, examples, slices

WIDTH = 12
NAMES = tuple(f"f{i}" for i in range(WIDTH))

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


def part(seed: int, rows: int = 4000) -> Examples:
    """Amounts of many sizes; the last column holds one value in half of the rows."""
    rng = np.random.default_rng(seed)
    x = rng.lognormal(-10, 1.5, (rows, WIDTH)).astype(np.float32)
    x[:, -1] = np.where(rng.random(rows) < 0.5, 0.25, x[:, -1])
    score = x[:, 0] * rng.lognormal(0, 0.3, rows)
    return Examples(x, score > np.quantile(score, 0.9))


@pytest.fixture(scope="module", params=each())
def fitted(request):
    candidate = KINDS[request.param]
    return candidate.fit(slices(candidate), seed=1)


@pytest.fixture(scope="module")
def trees() -> Fitted:
    """A model of many trees that sees its features as they are."""
    whole, one, other = (part(seed) for seed in range(3))
    how = Boosting(rounds=300, least_rows_in_leaf=20, l2=0.0, threads=1)
    return lightgbm(NAMES, how).fit(Slices(whole, ((one, other),)), seed=1)


def table_of(fitted: Fitted) -> TreeTable:
    assert isinstance(fitted.core, Trees)
    return fitted.core.table


def thresholds(trees: TreeTable) -> list[tuple[int, float]]:
    return list(zip(trees.feature, trees.threshold, strict=True))


def around(trees: TreeTable, rows: np.ndarray) -> np.ndarray:
    """A row for each threshold at it, and one ulp of float32 below and above."""
    marks = thresholds(trees)
    made = np.repeat(rows[: len(marks)], 3, axis=0)
    for i, (feature, threshold) in enumerate(marks[: len(rows)]):
        at = np.float32(threshold)
        near = np.nextafter(at, np.float32([-np.inf, np.inf]), dtype=np.float32)
        made[3 * i : 3 * i + 3, feature] = [at, *near]
    return made


def hostile(width: int) -> np.ndarray:
    largest, least = np.finfo(np.float32).max, np.finfo(np.float32).smallest_subnormal
    values = [0.0, -0.0, least, -least, 1e-35, -1e-35, 1e-7, 1.0, -1.0, 0.25, largest, -largest]
    rows = [np.full(width, value) for value in values]
    rng = np.random.default_rng(5)
    rows += [rng.choice(values, width) for _ in range(2000)]
    return np.array(rows, np.float32)


@pytest.mark.slow
def test_an_export_says_what_the_model_says_on_random_and_hostile_rows(fitted):
    width = len(fitted.features)
    x = np.concatenate([examples(fitted.features, 11, rows=20_000).x, hostile(width)])

    probability = OnnxModel(export(fitted, x), width).predict(x)

    assert probability.dtype == np.float64
    assert probability.shape == (len(x),)
    assert np.abs(probability - fitted.predict(x)).max() < 1e-12


@pytest.mark.slow
def test_a_value_one_ulp_from_a_threshold_falls_on_the_same_side(trees):
    table = table_of(trees)
    marks = thresholds(table)
    assert len(marks) > 1000
    x = around(table, part(11, rows=len(marks)).x)

    probability = OnnxModel(trees.to_onnx(), WIDTH).predict(x)

    assert np.abs(probability - trees.predict(x)).max() < 1e-12
    assert len(np.unique(probability)) > 500


@pytest.mark.slow
def test_trees_stay_exact_where_probabilities_are_extreme(trees):
    steep = replace(trees, slope=40 * trees.slope, bias=3.0)
    x = part(11, rows=20_000).x
    expected = steep.predict(x)
    assert expected.min() < 1e-50
    assert expected.max() > 1 - 1e-9

    probability = OnnxModel(steep.to_onnx(), WIDTH).predict(x)

    assert np.abs(probability - expected).max() < 1e-11


@pytest.mark.slow
@given(x=hnp.arrays(np.float32, (5, len(ALL)), elements=finite))
@settings(max_examples=60)
def test_any_finite_row_gives_the_same_probability_in_the_graph(exported, x):
    fitted, graph = exported
    x = np.ascontiguousarray(x[:, : len(fitted.features)])
    assert np.abs(graph.predict(x) - fitted.predict(x)).max() < 1e-12


@pytest.fixture(scope="module")
def exported(fitted):
    """A model and its graph, one session for all examples."""
    return fitted, OnnxModel(fitted.to_onnx(), len(fitted.features))


@pytest.mark.slow
def test_a_row_alone_differs_from_the_batch_in_its_last_bits_at_most(fitted):
    width = len(fitted.features)
    graph = OnnxModel(fitted.to_onnx(), width)
    x = examples(fitted.features, 12, rows=300).x

    alone = np.concatenate([graph.predict(x[i : i + 1]) for i in range(len(x))])

    assert np.abs(alone - graph.predict(x)).max() < 1e-14
    again = np.concatenate([graph.predict(x[i : i + 1]) for i in range(len(x))])
    assert alone.tobytes() == again.tobytes()  # exact: a session repeats itself on the same row


def test_the_same_model_is_exported_as_the_same_bytes(fitted):
    assert sha256_of(fitted.to_onnx()) == sha256_of(fitted.to_onnx())


class Liar(msgspec.Struct):
    """A fitted model whose graph says something else than itself."""

    honest: Fitted
    shift: float

    name = "liar"
    features = NAMES

    def predict(self, x):
        return self.honest.predict(x)

    def volatility(self, x):
        return self.honest.volatility(x)

    def to_onnx(self, *, median=False):
        return replace(self.honest, bias=self.honest.bias + self.shift).to_onnx(median=median)


@pytest.mark.parametrize("shift", [1e-4, np.nan, np.inf])
def test_an_export_that_says_something_else_is_refused(trees, shift):
    with pytest.raises(ExportRefusedError, match="liar: the ONNX export differs"):
        export(Liar(trees, shift), part(11, rows=200).x)


def test_one_flipped_row_is_enough_to_refuse_an_export(trees):
    feature, threshold = thresholds(table_of(trees))[0]
    rounded = np.nextafter(np.float32(threshold), np.float32(np.inf), dtype=np.float32)
    model = onnx.load_model_from_string(trees.to_onnx())
    (node,) = (node for node in model.graph.node if node.op_type == "TreeEnsemble")
    splits = next(a for a in node.attribute if a.name == "nodes_splits")
    values = onnx.numpy_helper.to_array(splits.t).copy()
    values[0] = rounded
    splits.t.CopyFrom(onnx.numpy_helper.from_array(values))
    flipped = model.SerializeToString()
    x = part(11, rows=200).x
    x[77, feature] = rounded

    class Rounded(Liar):
        def to_onnx(self, **_outputs):
            return flipped

    with pytest.raises(ExportRefusedError):
        export(Rounded(trees, 0.0), x)


class Doubling(Liar):
    """A fitted model whose graph has twice its medians."""

    features = KINDS["har"].features

    def volatility(self, x):
        return self.honest.volatility(x) / 2


def test_an_export_whose_medians_differ_is_refused():
    candidate = KINDS["har"]
    honest = candidate.fit(slices(candidate), seed=1)
    x = examples(candidate.features, 11, rows=200).x
    with pytest.raises(ExportRefusedError, match=r"differs .* by 1\.00e\+00"):
        export(Doubling(honest, 0.0), x, median=True)
    export(Doubling(honest, 0.0), x)  # nothing is wrong with its probabilities


@pytest.mark.parametrize("name", each("persistence", "har", "relative", "lightgbm_regression"))
def test_a_graph_has_the_median_beside_the_probability_where_it_is_asked_for(name):
    candidate = KINDS[name]
    fitted = candidate.fit(slices(candidate), seed=1)
    x, width = examples(candidate.features, 11, rows=500).x, len(candidate.features)
    plain, whole = (OnnxModel(export(fitted, x, median=asked), width) for asked in (False, True))

    probability, median = whole.forecast(x)

    assert np.abs(probability - plain.predict(x)).max() < 1e-14
    assert np.abs(median / fitted.volatility(x) - 1).max() < 1e-12
    assert plain.forecast(x)[1] is None
    assert (plain.has_median, whole.has_median) == (False, True)


def test_a_classifier_has_no_median_to_export(trees):
    x = part(11, rows=200).x
    assert export(trees, x, median=True) == export(trees, x)


def test_an_export_without_a_row_to_prove_it_on_is_refused(trees):
    with pytest.raises(TooLittleDataError):
        export(trees, np.empty((0, WIDTH), np.float32))


def graph(nodes, *, inputs=None, outputs=None, domains=("",), initializers=(), functions=()):
    """A graph that deviates from the contract in what is given."""
    value = helper.make_tensor_value_info
    made = helper.make_graph(
        nodes,
        "g",
        inputs or [value("features", TensorProto.FLOAT, ["n", 2])],
        outputs or [value("probability", TensorProto.DOUBLE, ["n"])],
        list(initializers),
    )
    imports = [helper.make_opsetid(domain, 1 if domain == "evil" else 21) for domain in domains]
    return helper.make_model(made, opset_imports=imports, ir_version=10, functions=functions)


def good_nodes():
    return [
        helper.make_node("Cast", ["features"], ["x"], to=TensorProto.DOUBLE),
        helper.make_node("ReduceSum", ["x", "axis"], ["probability"], keepdims=0),
    ]


AXIS = helper.make_tensor("axis", TensorProto.INT64, [1], [1])


def external() -> TensorProto:
    tensor = TensorProto(name="axis", data_type=TensorProto.INT64, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "secrets.bin"
    return tensor


def controlled():
    branch = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "b",
        [],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, ["n", 2])],
    )
    cast, total = good_nodes()
    total.input[0] = "z"
    yes = helper.make_tensor("yes", TensorProto.BOOL, [], [True])
    node = helper.make_node("If", ["yes"], ["z"], then_branch=branch, else_branch=branch)
    return graph([cast, node, total], initializers=[AXIS, yes])


def wrong(kind: str, name: str, element: int, shape: list) -> onnx.ModelProto:
    value = helper.make_tensor_value_info(name, element, shape)
    nodes = good_nodes()
    nodes[0 if kind == "inputs" else 1].__getattribute__(kind[:-1])[0] = name
    if element == TensorProto.FLOAT and kind == "outputs":
        nodes[0].attribute[0].i = TensorProto.FLOAT
    return graph(nodes, initializers=[AXIS], **{kind: [value]})


REFUSED = {
    "another input name": (
        lambda: wrong("inputs", "rows", TensorProto.FLOAT, ["n", 2]),
        "its input is not",
    ),
    "another width": (
        lambda: wrong("inputs", "features", TensorProto.FLOAT, ["n", 3]),
        "its input is not",
    ),
    "a fixed batch": (
        lambda: wrong("inputs", "features", TensorProto.FLOAT, [1, 2]),
        "its input is not",
    ),
    "another output type": (
        lambda: wrong("outputs", "probability", TensorProto.FLOAT, ["n"]),
        "its output is not",
    ),
    "another output name": (
        lambda: wrong("outputs", "label", TensorProto.DOUBLE, ["n"]),
        "its output is not",
    ),
    "operators of a foreign domain": (
        lambda: graph(good_nodes(), initializers=[AXIS], domains=("", "evil")),
        "operators of evil",
    ),
    "data in another file": (
        lambda: graph(good_nodes(), initializers=[external()]),
        r"secrets\.bin",
    ),
    "control flow": (controlled, "control flow"),
}


def test_the_plain_graph_of_these_tests_is_accepted():
    plain = graph(good_nodes(), initializers=[AXIS]).SerializeToString()
    # exact: a small integer
    assert OnnxModel(plain, 2).predict(np.array([[1, 2]], np.float32)).tolist() == [3.0]


@pytest.mark.parametrize("what", REFUSED)
def test_a_graph_outside_of_the_contract_is_refused(what):
    make, why = REFUSED[what]
    with pytest.raises(UnsoundModelError, match=why) as refused:
        OnnxModel(make().SerializeToString(), 2, "spikes/3")
    assert str(refused.value).startswith("model spikes/3: ")
    assert "barograph train" in str(refused.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a graph",
        pickle.dumps({"weights": [1.0]}),
        pickle.dumps({"weights": [1.0]}, protocol=0),
        bytes(64 * 2**20 + 1),
    ],
    ids=["empty", "text", "pickle", "old pickle", "too large"],
)
def test_bytes_that_are_no_graph_are_refused(content):
    with pytest.raises(UnsoundModelError, match=r"not a valid ONNX graph|more than the"):
        OnnxModel(content, 2)


def test_a_truncated_graph_is_refused_or_lacks_nothing(fitted):
    # What stands last in the bytes, such as an operator set that is not used, may go unnoticed
    # here; the registry compares the hash as well.
    whole, width = fitted.to_onnx(), len(fitted.features)
    x = examples(fitted.features, 12, rows=50).x
    refused = 0
    for end in np.linspace(0, len(whole) - 1, 40).astype(int):
        try:
            probability = OnnxModel(whole[:end], width).predict(x)
        except UnsoundModelError:
            refused += 1
        else:
            assert np.abs(probability - OnnxModel(whole, width).predict(x)).max() < 1e-14
    assert refused >= 38


def test_a_tree_that_asks_for_a_feature_beyond_the_row_is_refused(trees):
    table = deepcopy(table_of(trees))
    table.feature[5] = 4000
    grown = replace(trees, core=Trees(table.total, table))

    with pytest.raises(UnsoundModelError, match="a feature beyond"):
        OnnxModel(grown.to_onnx(), WIDTH)


def test_facts_survive_their_json():
    facts = ModelFacts(
        case="spikes",
        candidate="lightgbm",
        features=NAMES,
        feature_set="0" * 16,
        tau={"BTC-USD": 5.6e-5},
        threshold=0.4,
        horizon_s=60,
        train_start_ns=1,
        train_end_ns=2,
        data_hash="d",
        seed=7,
        sha256="s",
        scores={"test": {"pr_auc": 0.31, "lead_time_s": None}},
        created_time_ns=3,
    )
    assert msgspec.json.decode(msgspec.json.encode(facts), type=ModelFacts) == facts
