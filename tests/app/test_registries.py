"""The registry that the settings name, and that of what only rehearses."""

import pytest

from barograph.app.registries import registry_of, with_own_registry
from barograph.app.settings import Settings
from barograph.errors import BadInputError, RegistryServerError
from barograph.registry.tracking_server import URI
from local_ports import free_port


def test_the_home_keeps_models_until_a_server_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv(URI, raising=False)
    assert registry_of(Settings(home=tmp_path)).versions("spikes") == []
    address = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv(URI, address)
    with pytest.raises(RegistryServerError, match=f"the registry at {address}: "):
        registry_of(Settings(home=tmp_path)).versions("spikes")
    own = with_own_registry(Settings(home=tmp_path))
    assert registry_of(own).versions("spikes") == []
    assert registry_of(Settings(home=tmp_path, registry="home")).versions("spikes") == []


def test_without_any_answer_a_server_that_is_away_is_an_error_for_who_goes_on_too(tmp_path):
    settings = Settings(home=tmp_path, registry=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(RegistryServerError, match="cannot be reached"):
        registry_of(settings, last_known=True).champion_version("spikes")


def test_an_address_that_cannot_be_used_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv(URI, "https://x/#/models")
    with pytest.raises(BadInputError, match=f"{URI}: it has more than host and path"):
        registry_of(Settings(home=tmp_path))
