"""The application: its page's files are served where they are, and other origins where set."""

import pytest

from barograph.app.web import application as module
from web_site import market_log, served


def test_the_page_is_served_where_its_files_are(tmp_path, monkeypatch):
    static = tmp_path / "static"
    static.mkdir()
    (static / "index.html").write_text("<title>page</title>")
    (static / "a.js").write_text("1;")
    monkeypatch.setattr(module, "STATIC", static)
    with market_log(tmp_path), served(tmp_path) as client:
        page = client.get("/")
        assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert client.get("/static/a.js").body == b"1;"
        assert client.get("/static/../a.js").status == 404


@pytest.mark.slow
def test_the_description_names_every_route(tmp_path):
    with market_log(tmp_path), served(tmp_path) as client:
        paths = client.get("/openapi.json").json["paths"]
        assert {"/v1/cases", "/v1/series/{product}", "/v1/stream"} <= set(paths)


PAGE = "https://page.example"


def shared(answer):
    """The headers of CORS that an answer has."""
    return {name: each for name, each in answer.headers.items() if name.startswith("access-")}


def preflight(client, origin, header="content-type"):
    """What a browser asks before it lets a page of another origin send JSON, or a token."""
    wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": header}
    return client.request("OPTIONS", "/v1/predict", headers={"Origin": origin} | wanted)


def test_without_a_setting_no_answer_has_a_header_of_cors(tmp_path):
    with market_log(tmp_path), served(tmp_path) as client:
        for origin in (PAGE, client.url, "null"):
            assert shared(client.get("/v1/cases", Origin=origin)) == {}
            asked = preflight(client, origin)
            assert (shared(asked), asked.status) == ({}, 405)


def test_exactly_the_origins_that_are_set_may_read(tmp_path):
    with market_log(tmp_path), served(tmp_path, web_origins=f"{PAGE}, http://b.example") as client:
        for origin in (PAGE, "http://b.example"):
            answer = client.get("/v1/cases", Origin=origin)
            assert answer.status == 200
            assert shared(answer) == {"access-control-allow-origin": origin}
            assert answer.headers["vary"] == "Origin"
        asked = preflight(client, PAGE, "authorization")
        assert (asked.status, shared(asked)["access-control-allow-origin"]) == (200, PAGE)
        for origin in ("https://evil.example", f"{PAGE}.evil.example", "http://page.example"):
            for answer in (client.get("/v1/cases", Origin=origin), preflight(client, origin)):
                assert "access-control-allow-origin" not in shared(answer)
