"""Keep the bytecode of what the services import, and the machine code of the kernels.

The Dockerfile runs it as root: a container, which may write nowhere, then starts at once. Bytecode
of everything would be twice as much.
"""

import compileall
import importlib
import sys
from pathlib import Path

import barograph

IMPORTED = (
    "confluent_kafka", "fastapi", "httptools", "isal", "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.tracking", "onnx", "onnxruntime", "pandera.polars", "polars", "prometheus_client",
    "rich.live", "sqlalchemy", "uvicorn", "uvloop", "websockets", "zstandard",
)  # fmt: skip
IN_TRAINING = (
    "lightgbm", "matplotlib.dates", "matplotlib.figure", "scipy.optimize", "scipy.special",
    "sklearn.ensemble", "sklearn.linear_model", "xgboost",
)  # fmt: skip


def main(*names: str) -> None:
    """Import the packages and compile the kernels. Raises ImportError for a package left out."""
    for name in names:
        importlib.import_module(name)
    if not compileall.compile_dir(Path(barograph.__file__).parent, quiet=1):
        sys.exit("barograph has a file that is no Python")
    from barograph.app.runs.demo import compile_kernels  # noqa: PLC0415 - after its bytecode

    compile_kernels()


if __name__ == "__main__":
    main(*IMPORTED, *(IN_TRAINING if "training" in sys.argv[1:] else ()))
