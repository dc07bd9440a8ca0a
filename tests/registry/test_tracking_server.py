"""Which server keeps the models, and as who it is asked: by MLflow's own variables."""

from base64 import b64decode

import pytest

from barograph.errors import BadInputError
from barograph.registry.tracking_server import (
    CA_FILE,
    INSECURE,
    PASSWORD,
    TOKEN,
    URI,
    USERNAME,
    tracking_server,
)

SECRET = "hunter 2"  # noqa: S105 - of the tests


@pytest.mark.parametrize(
    ("setting", "environment"),
    [
        ("", {}),
        ("", {URI: ""}),
        ("", {URI: "sqlite:///mlflow.db"}),
        ("", {URI: "databricks"}),
        ("", {URI: "./mlruns"}),
        ("home", {URI: "https://mlflow.example.org"}),
    ],
)
def test_without_an_http_address_the_home_keeps_them(setting, environment):
    assert tracking_server(setting, environment) is None


@pytest.mark.parametrize(
    ("setting", "environment", "address"),
    [
        ("", {URI: " https://mlflow.example.org/ "}, "https://mlflow.example.org"),
        ("", {URI: "HTTP://127.0.0.1:5000"}, "http://127.0.0.1:5000"),
        ("https://dagshub.com/a/b.mlflow", {URI: "http://x"}, "https://dagshub.com/a/b.mlflow"),
        ("http://[::1]:5000/mlflow/", {}, "http://[::1]:5000/mlflow"),
    ],
)
def test_an_http_address_is_the_server(setting, environment, address):
    server = tracking_server(setting, environment)
    assert server.address == address
    assert server.headers() == ()


def test_a_name_and_password_go_before_a_token_and_come_from_the_environment_or_its_address():
    variables = {URI: "https://m.example", USERNAME: "ann", PASSWORD: SECRET, TOKEN: "t0ken"}
    for environment in (variables, {URI: "https://ann:hunter%202@m.example", TOKEN: "t0ken"}):
        server = tracking_server("", environment)
        [(name, value)] = server.headers()
        assert name == "Authorization"
        assert b64decode(value.removeprefix("Basic ")).decode() == f"ann:{SECRET}"
        assert server.address == "https://m.example"
        for secret in (SECRET, "hunter", "t0ken"):
            assert secret not in repr(server)
    token = tracking_server("", {URI: "https://m.example", TOKEN: "t0ken"})
    assert token.headers() == (("Authorization", "Bearer t0ken"),)


@pytest.mark.parametrize(
    ("setting", "environment", "why"),
    [
        ("ftp://x", {}, "no http or https address"),
        ("mlflow.example.org", {}, "no http or https address"),
        ("https://", {}, "no http or https address"),
        ("https://x:99999", {}, "it is no address"),
        ("https://x/#/models", {}, "more than host and path"),
        (f"https://ann:{SECRET}@x".replace(" ", ""), {}, "credentials, which belong into no file"),
        ("https://x", {INSECURE: "true"}, "certificates are always verified"),
        ("https://x", {CA_FILE: "/nowhere/ca.pem"}, "names no file"),
        ("", {URI: "https://x", TOKEN: f"{SECRET}\nX: y"}, "characters that no header can"),
        ("", {URI: f"https://ann:{SECRET}@x:y".replace(" ", "")}, "it is no address"),
    ],
)
def test_what_cannot_be_used_is_one_line_without_a_secret(setting, environment, why):
    with pytest.raises(BadInputError, match=why) as error:
        tracking_server(setting, environment)
    assert "\n" not in str(error.value)
    assert "hunter" not in str(error.value)


@pytest.mark.parametrize(
    ("address", "plain"),
    [("http://mlflow.lan", True), ("https://mlflow.lan", False), ("http://localhost:5000", False)],
)
def test_credentials_on_an_open_network_are_noticed(address, plain):
    assert tracking_server(address, {USERNAME: "ann"}).is_plain is plain
    assert not tracking_server(address, {}).is_plain
