"""A web server on 127.0.0.1 that receives webhooks, answers as it is set, and keeps what came."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """Running while its `with` block runs; `status` is its answer, a cleared `hang` holds it back.

    `came` has the requests in order: (headers in lower case, body).
    """

    def __init__(self, status=200, port=0):
        self.status, self.came = status, []
        self.hang = threading.Event()
        self.hang.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.came.append(({k.lower(): v for k, v in self.headers.items()}, body))
                receiver.hang.wait(30)
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                if receiver.status == 302:
                    self.send_header("Location", "http://127.0.0.1:9/")
                self.end_headers()

            def log_message(self, *_):
                """Nothing is printed."""

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.hang.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def came_keys(self):
        """The idempotency keys of all requests, in order."""
        return [headers["idempotency-key"] for headers, _ in list(self.came)]

    def notes(self):
        """The bodies of all requests, in order."""
        return [json.loads(body) for _, body in list(self.came)]
