"""What is set in the environment of a process, and when."""

import os
import warnings

import pytest

from barograph import environment
from barograph.sources import PACKAGE, kernels_hash


@pytest.fixture(autouse=True)
def variables(monkeypatch):
    """The variables of a process in which nothing was set."""
    names = (
        "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_CACHE_DIR", "ORT_DISABLE_TELEMETRY",
        "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK", "XDG_CACHE_HOME",
        "YDATA_PROFILING_NO_ANALYTICS", "MPLBACKEND",
    )  # fmt: skip
    for name in names:
        monkeypatch.setenv(name, "")  # so that it is what it was when the test ends
        monkeypatch.delenv(name)
    return monkeypatch


def test_blas_and_openmp_have_one_thread_unless_it_is_said(variables):
    variables.setenv("OMP_NUM_THREADS", "3")
    environment.for_numpy()
    assert (os.environ["OPENBLAS_NUM_THREADS"], os.environ["OMP_NUM_THREADS"]) == ("1", "3")


def test_telemetry_is_off():
    environment.for_onnxruntime()
    environment.for_mlflow()
    opt_outs = ("ORT_DISABLE_TELEMETRY", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK")
    assert [os.environ[name] for name in opt_outs] == ["1", "true", "true"]
    environment.for_profiling()
    assert os.environ["YDATA_PROFILING_NO_ANALYTICS"] == "true"


def test_the_folder_of_compiled_kernels_is_named_after_their_sources():
    folder = environment.for_numba()
    assert folder == str(PACKAGE / "__pycache__" / f"numba-{kernels_hash()}")
    assert os.environ["NUMBA_CACHE_DIR"] == folder


def test_a_folder_that_is_set_is_taken(variables):
    variables.setenv("NUMBA_CACHE_DIR", "/elsewhere")
    assert environment.for_numba() == "/elsewhere"


def test_where_the_package_cannot_be_written_the_cache_of_the_user_is(variables, tmp_path):
    variables.setattr(environment, "PACKAGE", tmp_path / "missing")
    (tmp_path / "missing").touch()  # a file, where root may write anything
    variables.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert environment.for_numba() == str(tmp_path / "barograph" / f"numba-{kernels_hash()}")


def test_where_neither_can_be_it_is_a_folder_of_this_process_and_a_warning(variables, tmp_path):
    variables.setattr(environment, "PACKAGE", tmp_path / "missing")
    (tmp_path / "missing").touch()
    variables.setenv("XDG_CACHE_HOME", "/dev/null")
    variables.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.warns(environment.UnkeptKernelsWarning, match="XDG_CACHE_HOME"):
        folder = environment.for_numba()
    assert folder.startswith(str(tmp_path / "barograph-compiled-"))
    with warnings.catch_warnings():  # it is set now, and children say it no second time
        warnings.simplefilter("error")
        assert environment.for_numba() == folder


def test_kernels_of_the_installation_are_of_its_sources_and_need_no_warning(variables, tmp_path):
    shipped = tmp_path / "package" / "__pycache__" / f"numba-{kernels_hash()}"
    (tmp_path / "package").mkdir()
    variables.setattr(environment, "PACKAGE", tmp_path / "package")
    assert environment.shipped_kernels() == ""
    folder = environment.for_numba()
    assert folder == str(shipped)
    (shipped / "kernel.nbi").touch()
    assert environment.shipped_kernels() == ""  # Numba reads and writes there
    variables.setenv("NUMBA_CACHE_DIR", "")
    variables.setattr(environment, "_lasting_folder", str)
    variables.setattr("tempfile.tempdir", str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert environment.for_numba().startswith(str(tmp_path / "barograph-compiled-"))
    assert environment.shipped_kernels() == str(shipped)
