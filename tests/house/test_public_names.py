"""The public names of `import barograph`, with their signatures: a change of one breaks others."""

import inspect
import subprocess
import sys

import pytest

import barograph

PUBLIC = {
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
    "features": "(ticks, *, silence_timeout_s=10.0, case='spikes')",
    "label": "(X, *, horizon_s=60, quantile=0.9, min_labels=600)",
    "open": "(address, *, home=None, registry='')",
    "read_ticks": "(source, *, columns=None, products=None, silence_timeout_s=10.0, "
    "clock='venue', zone='UTC')",
}


def shown(thing):
    """The signature of a function; the public members of a class, methods with their arguments."""
    if inspect.isfunction(thing):
        return called(thing)
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
    assert [name for name in PUBLIC if f"### {name}\n" not in page] == []
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
