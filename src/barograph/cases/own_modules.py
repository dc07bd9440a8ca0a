"""Modules of one's own, named where a case or candidates are asked for."""

import importlib
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from barograph.errors import BadInputError

_FILES: list[Path] = []


def defined(what: str, name: str) -> Any:  # noqa: ANN401 - whatever it defines
    """What `module:NAME` names. Raises BadInputError, about `what`, where there is nothing."""
    module, colon, attribute = name.partition(":")
    if not (colon and module and attribute) or module.startswith("."):
        raise BadInputError(
            what, "it is not package.module:NAME", "Name a module and what it defines"
        )
    value = getattr(imported(what, module), attribute, None)
    if value is None:
        cure = f"Name what {module} defines"
        raise BadInputError(what, f"{module} has nothing called {attribute}", cure)
    return value


def imported(what: str, module: str) -> ModuleType:
    """Import a module from Python's path, else from the working directory.

    Raises BadInputError, about `what`, if there is none or it fails.
    """
    if "" not in sys.path:
        sys.path.append("")  # last, so that no file here hides an installed module
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise BadInputError(
            what,
            f"there is no module {error.name}",
            "Run where it can be imported, or install it",
        ) from error
    except (
        SyntaxError, ImportError, NameError, AttributeError, TypeError, ValueError, LookupError,
        ArithmeticError, AssertionError, OSError, RuntimeError, BadInputError,
    ) as error:  # fmt: skip  # what importing a module under development raises
        raise failed(what, error, "Correct the module") from error
    if found.__file__ is not None and not module.startswith("barograph."):
        _FILES.append(Path(found.__file__))
    return found


def failed(what: str, error: Exception, cure: str) -> BadInputError:
    """What a failure in code of one's own is to its author: kind, words, file and line."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = "" if isinstance(error, SyntaxError) else f" ({last.filename}, line {last.lineno})"
    why = " ".join(str(error).split())
    return BadInputError(what, f"{type(error).__name__}: {why}{where}", cure)


def own_files() -> list[Path]:
    """The files of the modules that were named so far: what was made also follows from them."""
    return sorted(set(_FILES))
