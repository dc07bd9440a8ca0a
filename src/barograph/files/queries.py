"""SQL that stands by name in a file of a package."""

import re
from collections.abc import Mapping
from importlib.resources import files

_QUERY = re.compile(r"^-- name: (\w+)$(.*?)(?=^-- name:|\Z)", re.MULTILINE | re.DOTALL)


def named_queries(package: str, file: str) -> Mapping[str, str]:
    """Return the queries of a resource file of `package` by name.

    A line `-- name: NAME` begins one; what stands before the first is left out.
    """
    text = files(package).joinpath(file).read_text(encoding="utf-8")
    return {name: query.strip() for name, query in _QUERY.findall(text)}
