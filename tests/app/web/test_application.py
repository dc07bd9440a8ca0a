"""The application: its refusals have one form, and the page's files are served where they are."""

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


def test_the_description_names_every_route(tmp_path):
    with market_log(tmp_path), served(tmp_path) as client:
        paths = client.get("/openapi.json").json["paths"]
        assert {"/v1/cases", "/v1/series/{product}", "/v1/stream"} <= set(paths)
