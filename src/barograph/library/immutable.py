"""Objects of the library that stay what they were made as."""

from typing import NoReturn


class Immutable:
    """Refuses to have an attribute set or deleted, with AttributeError, as a frozen dataclass does.

    `__init__` sets them through `vars(self)`; a `cached_property` keeps its value there too.
    """

    def __setattr__(self, name: str, value: object) -> NoReturn:
        kind = type(self).__name__
        raise AttributeError(f"{kind} is immutable: {name} cannot be set. Make another {kind}.")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable: {name} cannot be deleted.")
