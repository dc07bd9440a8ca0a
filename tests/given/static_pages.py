"""Files from a plain server: those of the live page, for what needs no API, or of any folder."""

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import barograph

STATIC = Path(barograph.__file__).parent / "app" / "web" / "static"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_words: object) -> None:
        """Requests are not printed."""


@contextmanager
def served_static(folder: Path = STATIC) -> Iterator[str]:
    """The address of a server of a folder's files (the live page's), while the block runs."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
