"""The public names of `import barograph`, with their signatures: a change of one breaks others."""

import inspect
import subprocess
import sys

import pytest

import barograph

PUBLIC = {
    "Evaluation": {
        "base_rate": "property",
        "chosen": "property",
        "control": "property",
        "differences": "(self, minus)",
        "gate": "property",
        "left_out": "property",
        "report": "(self, path)",
        "scores": "property",
    },
    "Features": {
        "columns": "property",
        "names": "property",
        "reasons": "property",
        "rows": "(self, outcome)",
        "to_arrow": "(self)",
        "to_pandas": "(self)",
    },
    "Home": {
        "close": "(self)",
        "follow": "(self, topic, *, alerts=False, since=None, products=None, case='spikes')",
        "model": "(self, which='champion', *, case='spikes')",
        "read": "(self, topic, *, since=None, until=None, products=None, case=None)",
        "ticks": "(self, *, since=None, until=None, products=None)",
        "topics": "property",
    },
    "LeaveSessionOut": {
        "made": "(*, horizon_s=60, embargo_s=None, hole_s=21600, min_rows=200)",
        "get_metadata_routing": "(self)",
        "get_n_splits": "(self, X=None, y=None, groups=None)",
        "split": "(self, X, y=None, groups=None)",
    },
    "Model": {"features": "property", "predict": "(self, X)", "predict_proba": "(self, X)"},
    "PurgedWalkForward": {
        "made": "(n_splits=4, *, horizon_s=60, embargo_s=None, first_share=0.4, min_rows=300)",
        "get_metadata_routing": "(self)",
        "get_n_splits": "(self, X=None, y=None, groups=None)",
        "split": "(self, X, y=None, groups=None)",
    },
    "Ticks": {"dead_letters": "property", "frame": "property"},
    "candidates": {
        "Boosting": "class",
        "BoostingStages": "class",
        "Candidate": "class",
        "Ratio": "class",
        "Relative": "class",
        "climatology": "(hour, *, repeats=60)",
        "combination": "(members, *, name='combination', repeats=60)",
        "default": "(case='spikes')",
        "from_onnx": "(onnx, *, features, name, fitted_until=None, repeats=60)",
        "from_sklearn": "(estimator, *, features, name, repeats=60)",
        "gradient_boosting": "(features, how=None, *, repeats=60, view=None)",
        "har": "(vols, *, repeats=60)",
        "least_squares": "(ratios, base=(), *, name, repeats=60, prior_rows=1)",
        "lightgbm": "(features, how=None, *, repeats=60, view=None)",
        "lightgbm_regression": "(view, base, how=None, *, repeats=60, varies=True)",
        "logistic": "(features, *, repeats=60, view=None, name='logistic')",
        "persistence": "(vol='realized_vol_60s', *, repeats=60, name='persistence')",
        "relative": "(ratios, base, spread=(), *, repeats=60, name='relative')",
        "xgboost": "(view, how=None, *, repeats=60)",
        "xgboost_regression": "(view, base, how=None, *, repeats=60, varies=True)",
    },
    "evaluate": "(X, y, candidates=None, cv=None, *, case=None, quantile=0.9, folds=4, "
    "control=False, resamples=1000, seed=1)",
    "features": "(ticks, *, silence_timeout_s=10.0, case='spikes')",
    "label": "(X, *, horizon_s=60, quantile=0.9, min_labels=600)",
    "open": "(address, *, home=None, registry='')",
    "plot": {
        "calibration": "(r)",
        "precision_recall": "(r)",
        "timeline": "(r, product=None, part=0)",
    },
    "read_ticks": "(source, *, columns=None, products=None, silence_timeout_s=10.0, clock='venue', "
    "zone='UTC')",
}


def shown(thing):
    """The signature of a function; the public members of a class, methods with their arguments.

    Of a module its functions, with their arguments, and its classes.
    """
    if inspect.isfunction(thing):
        return called(thing)
    if inspect.ismodule(thing):
        members = {name: getattr(thing, name) for name in thing.__all__}
        return {
            name: called(member) if inspect.isfunction(member) else "class"
            for name, member in members.items()
        }
    members = {name: inspect.getattr_static(thing, name) for name in sorted(dir(thing))}
    made = {} if "Made by " in inspect.getdoc(thing) else {"made": called(thing)}
    return made | {
        name: called(member) if inspect.isfunction(member) else "property"
        for name, member in members.items()
        if not name.startswith("_")
    }


def called(function):
    """A call of a function or class, without annotations."""
    parameters = inspect.signature(function).parameters.values()
    plain = [each.replace(annotation=inspect.Parameter.empty) for each in parameters]
    return str(inspect.Signature(plain))


def test_public_names_and_signatures_are_those_that_others_build_on():
    made = {name: shown(getattr(barograph, name)) for name in barograph.__all__}
    assert made == PUBLIC


def test_every_public_name_is_offered_and_documented(root):
    assert list(PUBLIC) == barograph.__all__ == sorted(barograph.__all__)
    assert set(barograph.__all__) < set(dir(barograph))
    page = (root / "docs" / "python.md").read_text(encoding="utf-8")
    modules = {name for name in PUBLIC if inspect.ismodule(getattr(barograph, name))}
    titles = {
        name: f"## barograph.{name}\n" if name in modules else f"### {name}\n" for name in PUBLIC
    }
    assert [name for name, title in titles.items() if title not in page] == []
    for name in PUBLIC:
        assert inspect.getdoc(getattr(barograph, name))


def test_what_is_not_public_is_no_attribute():
    with pytest.raises(AttributeError, match="no attribute 'frames_of'"):
        barograph.frames_of  # noqa: B018


@pytest.mark.slow
def test_the_import_alone_takes_less_than_a_tenth_of_a_second():
    """By the processor's time, which a busy machine does not lengthen: the least of five."""
    code = (
        "import time; began = time.process_time(); import barograph; "
        "print(time.process_time() - began)"
    )
    times = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(5)
    ]
    assert min(times) < 0.1
