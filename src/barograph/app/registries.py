"""The registry that the settings name: the one under the home, or that of an MLflow server."""

from collections.abc import Callable

from barograph.app.settings import Settings
from barograph.registry.registry import Registry
from barograph.registry.tracking_server import HOME, tracking_server


def registry_of(
    settings: Settings,
    *,
    warn: Callable[[str], None] = lambda _message: None,
    last_known: bool = False,
) -> Registry:
    """The registry of these settings; a new one for each thread.

    last_known: where a server gives no answer, go on with what it last answered, as what runs for
    long does. Raises BadInputError for an address that cannot be used.
    """
    server = tracking_server(settings.registry)
    if server is None:
        return Registry(settings.home, warn=warn)
    from barograph.registry.server import ServerStore  # noqa: PLC0415 - with all of HTTP

    store = ServerStore(
        settings.home,
        server,
        warn=warn,
        fresh_s=settings.model_refresh_s if last_known else 0.0,
        last_known=last_known,
    )
    return Registry(settings.home, store=store)


def with_own_registry(settings: Settings) -> Settings:
    """These settings with the registry under the home, for what only shows or rehearses."""
    return settings.model_copy(update={"registry": HOME})
