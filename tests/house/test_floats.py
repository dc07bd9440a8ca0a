"""Which tests compare floats to the bit, and why each may.

numpy, BLAS, LAPACK, libm and ONNX Runtime choose their instructions by the processor and the order
of their sums by the shape of what they get, so one formula on two paths differs in its last bits.
Such a comparison has a tolerance. One that is exact gives its reason: `# exact: …` on one of the
statement's lines or on the line above it.
"""

import ast
import io
import os
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import numpy as np
import pytest

import narrow

REASON = re.compile(r"# exact: \S")
MARK = re.compile(r"#\s*exact\b")


def words(text):
    return frozenset(text.split())


COMPUTES = words(
    """
    predict volatility z grow fit platt sigmoid to_onnx softmax log_loss brier pr_auc roc_auc
    qlike log_r2 lift base_rate calibration_error log_above mean nanmean average median
    nanmedian quantile nanquantile percentile std var cov corrcoef exp expm1 exp2 log log1p
    log2 log10 sqrt cbrt sin cos tan tanh arctan hypot power pow fsum logaddexp erf expit dot
    matmul einsum inner outer norm solve lstsq inv cholesky eigh svd convolve interp trapezoid
    interval wide importance compare judge over
    """
)
"""Calls, of numpy, of math or of our own, whose answer is a rounded float."""

HOLDS = words(
    """
    estimate probability selection slope bias log_loss brier pr_auc roc_auc qlike log_r2 lift
    base_rate calibration_error
    """
)
"""Attributes that hold such an answer."""

ENDS = {"T", "values", "low", "high"}
"""Attributes that hold one if what they are of does."""

IMAGES = {"tobytes"}
PASSES = {"list", "tuple", "float", "sorted", "map", "zip", "max", "min", "sum"}
"""Functions whose answer has the floats of their arguments."""

KEEPS = {"tolist", "item", "copy", "astype", "max", "min", "sum"}
"""Methods whose answer has the floats of their object."""

EXACT_CALLS = {"array_equal", "array_equiv", "assert_array_equal", "assert_equal", "equals"}
BLURS = {"approx", "allclose", "isclose", "round"}


def last_name(node):
    """`f` of `f`, `a.f`, `a[0].f` and of a call of them."""
    if isinstance(node, ast.Call):
        return last_name(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def is_rounded_literal(node):
    """0.1 and 5.6e-5, no float has their value; not 0.5 and 4.0, which sums keep exactly."""
    if not (isinstance(node, ast.Constant) and isinstance(node.value, float)):
        return False
    value = abs(node.value)
    return value < np.inf and not (value * 2**16).is_integer()


class File:
    """One file of tests: which of its functions and names hold computed floats."""

    def __init__(self, text, tree=None):
        self.tree = tree or ast.parse(text)
        # Reading tokens takes longer than all else, and most files give no reason.
        tokens = tokenize.generate_tokens(io.StringIO(text).readline) if MARK.search(text) else ()
        self.comments = {
            token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT
        }
        self.helpers = set()
        self.functions = [n for n in ast.walk(self.tree) if isinstance(n, ast.FunctionDef)]
        functions = [node for node in self.functions if not node.name.startswith("test_")]
        while names := {f.name for f in functions if self._returns(f)} - self.helpers:
            self.helpers |= names
        self.exact = list(self._comparisons())

    def _comparisons(self):
        """Statement and line of each exact comparison of computed floats."""
        seen = set()
        for scope in [self.tree, *self.functions]:
            names = self._names(scope)
            for statement in statements(scope):
                for node in parts(statement):
                    if id(node) not in seen and self._is_exact(node, names):
                        seen.add(id(node))
                        yield statement, node.lineno

    def without_reason(self):
        return sorted(
            {
                line
                for statement, line in self.exact
                if not any(REASON.match(self.comments.get(n, "")) for n in lines_of(statement))
            }
        )

    def needless(self):
        """Lines that give a reason for nothing, or none."""
        needed = {n for statement, _ in self.exact for n in lines_of(statement)}
        return [
            line
            for line, comment in self.comments.items()
            if MARK.match(comment) and (line not in needed or not REASON.match(comment))
        ]

    def _returns(self, function):
        names = self._names(function)
        return any(
            isinstance(node, ast.Return) and node.value and self._computed(node.value, names)
            for node in ast.walk(function)
        )

    def _names(self, scope):
        """Names that the scope binds to what it computes."""
        names = set()
        for statement in statements(scope):
            if isinstance(statement, ast.Assign) and self._computed(statement.value, names):
                for target in statement.targets:
                    names |= {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}
        return names

    def _is_exact(self, node, names):
        if isinstance(node, ast.Call):
            return last_name(node) in EXACT_CALLS and any(
                self._computed(operand, names) or isinstance(node.func, ast.Attribute)
                for operand in node.args
            )
        if not isinstance(node, ast.Compare):
            return False
        if not all(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
            return False
        operands = [node.left, *node.comparators]
        if any(blurred(operand) for operand in operands):
            return False
        if all(isinstance(o, ast.Tuple) and len(o.elts) == len(operands[0].elts) for o in operands):
            sides = list(zip(*(operand.elts for operand in operands), strict=True))
        else:
            sides = [operands]
        return any(
            any(self._computed(operand, names) for operand in side)
            and not any(is_no_float(operand) for operand in side)
            for side in sides
        )

    def _computed(self, node, names):
        """Whether the value of an expression is, or holds, a computed float."""
        match node:
            case ast.Constant():
                return is_rounded_literal(node)
            case ast.Name():
                return node.id in names
            case ast.Attribute() if node.attr in HOLDS:
                return True
            case ast.Call() if last_name(node) in COMPUTES | IMAGES | self.helpers:
                return True
        return any(self._computed(part, names) for part in values_of(node))


def values_of(node):
    """The parts of an expression whose floats are in its value."""
    match node:
        case ast.Attribute():
            held = [node.value] if node.attr in ENDS else []
        case ast.Call(func=ast.Name()):
            held = node.args if node.func.id in PASSES else []
        case ast.Call(func=ast.Attribute()):
            held = [node.func.value] if node.func.attr in KEEPS else []
        case ast.Call() | ast.Compare() | ast.BoolOp() | ast.Lambda():
            held = []
        case ast.Subscript() | ast.DictComp():
            held = [node.value]
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
            held = [node.elt]
        case ast.Dict():
            held = node.values
        case _:
            held = ast.iter_child_nodes(node)
    return held


def is_no_float(node):
    return (isinstance(node, ast.Dict) and not node.keys) or (
        isinstance(node, ast.Constant)
        and (node.value is None or isinstance(node.value, bool | str | bytes))
    )


def blurred(node):
    return any(isinstance(n, ast.Call) and last_name(n) in BLURS for n in ast.walk(node))


def statements(scope):
    """The statements of a scope without those of functions in it."""
    for node in ast.iter_child_nodes(scope):
        if isinstance(node, ast.stmt) and not isinstance(node, ast.FunctionDef):
            yield node
        if not isinstance(node, ast.expr | ast.FunctionDef):
            yield from statements(node)


def parts(statement):
    """The expressions of a statement itself, not of statements in it."""
    for node in ast.iter_child_nodes(statement):
        if isinstance(node, ast.expr):
            yield from ast.walk(node)
        elif not isinstance(node, ast.stmt | ast.excepthandler):
            yield from parts(node)


def lines_of(statement):
    """Where the reason may stand: the line above, and the statement's head or all its lines."""
    body = getattr(statement, "body", None)
    end = body[0].lineno - 1 if isinstance(body, list) else statement.end_lineno
    return range(statement.lineno - 1, max(end, statement.lineno) + 1)


@pytest.fixture(scope="module")
def read(texts, tests):
    return {
        path: File(text, tests[path.relative_to("tests").as_posix()])
        for path, text in texts.items()
        if path.parts[0] == "tests" and path.suffix == ".py" and path.name != Path(__file__).name
    }


def test_an_exact_comparison_of_floats_gives_its_reason(read):
    """Else give it a tolerance: `pytest.approx(…, rel=1e-12)`, `np.testing.assert_allclose`."""
    places = [f"{path}:{line}" for path, file in read.items() for line in file.without_reason()]
    assert places == []


def test_every_reason_for_an_exact_comparison_is_still_needed(read):
    assert [f"{path}:{line}" for path, file in read.items() for line in file.needless()] == []


@pytest.mark.parametrize(
    "code",
    [
        "assert scores.log_loss(y, p) == tested.loss",
        "assert tested.selection != other.selection",
        "assert log_loss(y, p) == 0.25",
        "assert share == 0.1",
        "assert facts.tau == {'BTC-USD': 5.6e-5}",
        "assert (label == np.sqrt(squares / 60)).all()",
        "assert volatility == [math.log(100.0)] * 2",
        "assert y.mean() == a / b",
        "assert (fitted.slope, name) == (slope, 'har')",
        "assert {k: v.estimate for k, v in rows.items()} == volatility",
        "assert one.predict(x).tolist() == other",
        "assert one.tobytes() == other.tobytes()",
        "np.testing.assert_array_equal(volatility, expected)",
        "assert whole.equals(joined)",
        "assert np.array_equal(a, b)",
        "from numpy import array_equal\nassert array_equal(np.exp(a), b)",
        "def test_it():\n    volatility = model.predict(x)\n    assert volatility[0] == before",
        "def bits(walked):\n    return [f.probability for f in walked]\nassert bits(a) == bits(b)",
        "def one(): return model.z(x)\ndef two(): return one()\nassert two() == volatility",
        "assert all(\n    row.estimate == other.brier\n    for row in rows\n)",
        "if a:\n    for b in c:\n        assert b.estimate == a",
        "assert a.estimate == b  # exact:",
        "assert a.estimate == b  # exactly so",
        "# exact: of the line below\nassert a == b\nassert a.estimate == b",
        "assert a.estimate == b, '# exact: no comment'",
    ],
)
def test_the_search_for_exact_comparisons_finds_one(code):
    assert len(File(code).without_reason()) == 1


@pytest.mark.parametrize(
    "code",
    [
        "assert scores.log_loss(y, p) == pytest.approx(tested.loss)",
        "assert volatility == pytest.approx(0.1)",
        "assert np.allclose(a.predict(x), b.predict(x))",
        "np.testing.assert_allclose(a.predict(x), b.predict(x))",
        "assert a.predict(x).shape == (3,)",
        "assert a.predict(x).dtype == np.float64",
        "assert len(a.predict(x)) == 3",
        "assert np.argmax(a.predict(x)) == 3",
        "assert (row.log_r2, row.rows) == (None, 3)",
        "assert session.log_r2 == {}",
        "assert settings.every_s == 0.5",
        "assert names == ['a', 'b']",
        "assert at(0.1) == at_ns",
        "assert a.predict(x)[0] > 0.1",
        "assert a.estimate == b  # exact: one number, copied",
        "# exact: one number, copied\nassert a.estimate == b",
        "assert [\n    a.estimate\n] == [\n    b.estimate  # exact: one number, copied\n]",
    ],
)
def test_the_search_for_exact_comparisons_passes_by_all_else(code):
    file = File(code)
    assert (file.without_reason(), file.needless()) == ([], [])


@pytest.mark.parametrize(
    "code", ["assert a == b  # exact: integers", "a = 3  # exact: so", "# exact", "x = 1  # exact:"]
)
def test_a_reason_that_nothing_needs_is_found(code):
    assert File(code).needless() == [1]


@pytest.mark.slow
def test_the_narrow_run_turns_off_what_it_names_without_a_warning():
    """In a process of its own: numpy reads the variable when it is imported."""
    whole = {k: v for k, v in os.environ.items() if k != "NPY_DISABLE_CPU_FEATURES"}
    show = "import narrow; print(*narrow.narrowed())"

    def left(**changed):
        command = [sys.executable, "-W", "error", "-c", show]
        env = whole | {"PYTHONPATH": str(Path(narrow.__file__).parent)} | changed
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        return done.stdout.split()

    named = left()
    assert all(name.startswith(narrow.FAMILIES) for name in named)
    assert left(NPY_DISABLE_CPU_FEATURES=" ".join(named)) == []
