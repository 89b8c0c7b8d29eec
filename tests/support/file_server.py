"""An HTTP server on the loopback interface that gives files well, or in one of the ways in which servers do not."""

import http.server
import ssl
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Plan:
    """What a server gives, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    """By path, such as /a."""

    redirects: dict[str, str] = field(default_factory=dict)
    breaks: list[int] = field(default_factory=list)
    """Of the next answers: bytes after which the connection is closed."""

    ranges: bool = True
    length: bool = True
    errors: list[int] = field(default_factory=list)
    """Status codes of the next answers."""

    retry_after: str = ""
    """Of answers with such a status code."""

    wrong_ranges: int = 0
    """Of the next answers: how many give another part than was asked for."""

    versions: list[bytes] = field(default_factory=list)
    """What the next answers give in place of the file."""

    pause_s: float = 0.0
    """Before each byte."""

    slow_headers: bool = False
    etags: bool = False
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """(path, Range) of each request."""


def handler(plan: Plan) -> type[http.server.BaseHTTPRequestHandler]:
    """What answers requests by the plan."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            plan.asked.append((self.path, self.headers.get("Range")))
            if plan.errors:
                self.send_response(plan.errors.pop(0))
                if plan.retry_after:
                    self.send_header("Retry-After", plan.retry_after)
                self.end_headers()
                return
            if self.path in plan.redirects:
                self.send_response(302)
                self.send_header("Location", plan.redirects[self.path])
                self.end_headers()
                return
            if self.path not in plan.files:
                self.send_error(404)
                return
            try:
                self.give(plan.versions.pop(0) if plan.versions else plan.files[self.path])
            except OSError:
                self.close_connection = True  # whoever asked has left

        def give(self, content: bytes) -> None:
            start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
            if not plan.ranges:
                start = 0
            if start >= len(content) > 0:
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                first = 0 if plan.wrong_ranges else start
                plan.wrong_ranges = max(plan.wrong_ranges - 1, 0)
                self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
            if plan.length:
                self.send_header("Content-Length", str(len(content) - start))
            if plan.etags:
                self.send_header("ETag", f'"{zlib.crc32(content)}"')
            if plan.slow_headers:
                self.flush_headers()
                while True:  # until nobody listens
                    self.wfile.write(b"X")
                    time.sleep(plan.pause_s)
            self.end_headers()
            end = start + plan.breaks.pop(0) if plan.breaks else len(content)
            if plan.pause_s:
                for byte in content[start:end]:
                    self.wfile.write(bytes([byte]))
                    time.sleep(plan.pause_s)
            else:
                self.wfile.write(content[start:end])
            self.close_connection = True

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    return Handler


@contextmanager
def serving(plan: Plan, certificate: Path | None = None) -> Iterator[str]:
    """The address of a server that runs until the block ends, over TLS where a key and its certificate are given."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler(plan)) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        try:
            yield f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
