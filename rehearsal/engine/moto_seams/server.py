"""Private touches on moto's HTTP server: connections stay open, as those of AWS do."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from moto.moto_server import threaded_moto_server
from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.exceptions import InternalServerError
from werkzeug.test import run_wsgi_app

from rehearsal.engine.moto_seams.patches import replace

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

NO_BODY = {204, 304}


class KeepAlive(MotoRequestHandler):
    """werkzeug's handler closes each connection, after a wait: a thread and ten milliseconds a request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # status, headers and body in one packet
    timeout = 60  # real seconds without a request; then the client connects anew

    def run_wsgi(self) -> None:
        environ = self.make_environ()
        length = None if "wsgi.input_terminated" in environ else int(environ.get("CONTENT_LENGTH") or 0)
        environ["wsgi.input"] = io.BytesIO(
            environ["wsgi.input"].read(length)
        )  # the next request comes after it
        try:
            chunks, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        except Exception as error:
            self.server.log("error", f"{type(error).__name__} on {self.requestline}: {error}")
            chunks, status, headers = run_wsgi_app(InternalServerError(), environ, buffered=True)
        self._send(status, headers, b"".join(chunks))

    def _send(self, status: str, headers: Any, body: bytes) -> None:
        code, _, message = status.partition(" ")
        self.send_response(int(code), message)
        for name, value in headers:
            self.send_header(name, value)
        if "Content-Length" not in headers and int(code) not in NO_BODY:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and int(code) not in NO_BODY:
            self.wfile.write(body)
        self.wfile.flush()

    def handle_expect_100(self) -> bool:
        goes_on = super().handle_expect_100()
        self.wfile.flush()
        return goes_on

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nobody reads it."""

    def log_error(self, format: str, *args: Any) -> None:
        """A connection that nobody used any more is no error."""


def keep_alive(account: Account) -> None:
    """Let the server that is started next serve many requests over one connection."""
    replace(account, threaded_moto_server, "MotoRequestHandler", KeepAlive)
