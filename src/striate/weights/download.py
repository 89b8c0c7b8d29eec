"""One file from one address: continued where it broke off, and given up where it is not worth waiting for.

Proxies are those of the environment (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY). Only http and https are spoken, and
no server can redirect from one to the other. Certificates are checked by what the system trusts, or SSL_CERT_FILE.
Nothing is trusted that comes: who calls compares the digest.
"""

import contextlib
import hashlib
import http.client
import os
import shutil
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPMessage
from pathlib import Path
from typing import IO, Any, BinaryIO
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urljoin, urlsplit
from urllib.request import Request

from striate.errors import WeightsError
from striate.files import fit_to_print, open_regular

CHUNK = 1 << 20
PLAIN = "%/:=&?~#+!$,;'@()*[]"  # what stays as it is in an address, beside letters and digits
BUSY = (http.HTTPStatus.TOO_MANY_REQUESTS, http.HTTPStatus.SERVICE_UNAVAILABLE)
AGENT = "striate"
Progress = Callable[[int], object]  # called with the bytes that are here so far


@dataclass(frozen=True)
class Limits:
    """How long a download is waited for."""

    read_s: float = 30.0
    """Until a connection is made and answered, and from one piece of the file to the next."""

    window_s: float = 30.0
    """Time over which the rate is taken."""

    rate: float = 4096.0
    """Least bytes a second; a server below it is given up on."""

    total_s: float = 6 * 3600.0
    """For the whole file, of all attempts together."""

    attempts: int = 5
    """Of one call: how often it goes on by itself after a break, if more has come in between."""


DEFAULT = Limits()


@dataclass(frozen=True)
class Downloaded:
    """A file that has come."""

    sha256: str

    continued: bool
    """Whether it came in parts, which may be those of two files."""


class BreakError(Exception):
    """The connection broke off; what has come is kept, and the next attempt goes on from there."""


class RefusalError(Exception):
    """The server does not give the file, and another attempt would not change that."""


class _OtherFileError(Exception):
    """What has come is no part of the file that the server gives; the next attempt begins anew."""


class _BusyError(Exception):
    """The server asks to be asked again later."""

    def __init__(self, answer: str, wait_s: int) -> None:
        super().__init__(answer)
        self.wait_s = wait_s


@dataclass
class _Connections:
    """The connections of one attempt, so that a thread can end one that keeps its reader waiting."""

    opened: list[http.client.HTTPConnection] = field(default_factory=list)

    def end(self) -> None:
        """Ends them: whoever reads from one gets an error."""
        for connection in self.opened:
            if connection.sock is not None:
                with contextlib.suppress(OSError):  # a TLS socket's own method would take it away from its reader
                    socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)

    def kind(self, base: type[http.client.HTTPConnection]) -> Any:
        """A connection that is listed here, for `urllib`."""

        def connect(*arguments: Any, **named: Any) -> http.client.HTTPConnection:
            connection = base(*arguments, **named)
            self.opened.append(connection)
            return connection

        return connect


class _Http(urllib.request.HTTPHandler):
    def __init__(self, connections: _Connections) -> None:
        super().__init__()
        self.connections = connections

    def http_open(self, request: Request) -> http.client.HTTPResponse:
        return self.do_open(self.connections.kind(http.client.HTTPConnection), request)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, connections: _Connections) -> None:
        super().__init__()
        self.connections = connections

    def https_open(self, request: Request) -> http.client.HTTPResponse:
        return self.do_open(self.connections.kind(http.client.HTTPSConnection), request)


class _SameScheme(urllib.request.HTTPRedirectHandler):
    max_redirections = 5

    def http_error_302(self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage) -> Any:
        """Follows a redirect that keeps the scheme."""
        asked = urlsplit(req.full_url).scheme
        led = urlsplit(urljoin(req.full_url, headers.get("Location", ""))).scheme
        if led != asked:
            fp.close()
            raise RefusalError(f"it redirects from {asked} to {fit_to_print(led, 40)}, which is not followed")
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _proxies() -> dict[str, str]:
    """The environment's proxies by scheme; ALL_PROXY for a scheme that has none of its own."""
    named = urllib.request.getproxies()
    proxies = {scheme: named.get(scheme) or named.get("all", "") for scheme in ("http", "https")}
    for proxy in proxies.values():
        spoken = proxy.partition("://")[0] if "://" in proxy else "http"
        if spoken not in ("http", "https"):
            raise RefusalError(f"expected a proxy of http in the environment; got one of {fit_to_print(spoken, 40)}")
    return {scheme: proxy for scheme, proxy in proxies.items() if proxy}


def _opener(connections: _Connections) -> urllib.request.OpenerDirector:
    """Of `build_opener`'s handlers only those that this needs: no files, no FTP, no data in an address."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(_proxies()),
        _Http(connections),
        _Https(connections),
        _SameScheme(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    opener.addheaders = [("User-Agent", AGENT)]
    return opener


def download(
    address: str, path: Path, most_bytes: int, progress: Progress = lambda _: None, limits: Limits = DEFAULT
) -> Downloaded:
    """Brings a file to `path`, continuing what is there of it.

    Args:
        address: http or https.
        path: of the file, which may be there in part; where this fails, what has come stays, if it can be gone on with.
        most_bytes: a file that is larger is refused, before it comes where the server says its size.
        progress: called with the bytes that are here.
        limits: how long to wait.

    Raises:
        WeightsError: the server does not give it, gives more, or gives it too slowly; or the disk is full.
    """
    work = _Download(quote(address, safe=PLAIN), path, most_bytes, progress, limits)
    attempt, continued = 0, False
    while True:
        before = work.here()
        continued |= before > 0
        attempt += 1
        again = attempt < limits.attempts
        try:
            work.attempt()
        except (BreakError, RefusalError, _OtherFileError, _BusyError) as error:
            if isinstance(error, _OtherFileError):
                path.unlink(missing_ok=True)
                if before and again:  # else it is what the server gives from the start
                    continue
            if isinstance(error, BreakError) and again and work.here() > before:
                continue
            if isinstance(error, _BusyError) and again and error.wait_s <= limits.read_s:
                time.sleep(error.wait_s)
                continue
            came = work.here()
            if not came:
                path.unlink(missing_ok=True)
            kept = f" {came:,} bytes are kept, and the same command goes on from there." if came else ""
            raise WeightsError(f"{fit_to_print(address, 200)}: {error}.{kept}") from error
        return Downloaded(_digest(path), continued)


def _digest(path: Path) -> str:
    sha256 = hashlib.sha256()
    with open_regular(path) as file:
        while chunk := file.read(CHUNK):
            sha256.update(chunk)
    return sha256.hexdigest()


@dataclass
class _Download:
    """The attempts to bring one file."""

    address: str
    path: Path
    most_bytes: int
    progress: Progress
    limits: Limits
    began: float = field(default_factory=time.monotonic)
    version: str = ""
    """What the server called the file when it gave the first part: its ETag, or when it was modified."""

    def here(self) -> int:
        """Bytes that have come."""
        return self.path.stat().st_size if self.path.exists() else 0

    def attempt(self) -> None:
        """Asks for what is missing of the file, and appends what comes."""
        here = self.here()
        if here > self.most_bytes:
            raise _OtherFileError(f"expected at most {self.most_bytes:,} bytes; {here:,} were here")
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={here}-"} if here else {})
        try:
            with _answer(Request(self.address, headers=headers), self.limits) as response:
                here, total = _place(response, here)
                self._require_room(response, here, total)
                self.path.touch()
                with open_regular(self.path, "r+") as file:
                    file.truncate(here)
                    file.seek(here)
                    came = self._copy(response, file, here)
                    file.flush()
                    os.fsync(file.fileno())
        except HTTPError as error:
            with error:
                if _is_whole(error, here):
                    return
                raise _of_status(error, here) from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise _as_ours(error) from error
        if total is not None and came < total:
            raise BreakError(f"the connection broke off after {came:,} of {total:,} bytes")
        if total is None and came == 0:
            raise RefusalError("the server gives an empty file")

    def _require_room(self, response: http.client.HTTPResponse, here: int, total: int | None) -> None:
        """Does nothing where what comes is of the same file as what is here, and fits."""
        version = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
        if here and self.version and version and version != self.version:
            raise _OtherFileError("the file on the server has changed meanwhile")
        self.version = version
        if total is not None and total > self.most_bytes:
            raise _OtherFileError(f"expected at most {self.most_bytes:,} bytes; the server offers {total:,}")
        free = shutil.disk_usage(self.path.parent).free + here
        if total is not None and total > free:
            raise RefusalError(f"expected {total:,} bytes of free disk space in {self.path.parent}; got {free:,}")

    def _copy(self, response: http.client.HTTPResponse, file: BinaryIO, here: int) -> int:
        """Appends what comes, and gives the bytes that are here then."""
        limits = self.limits
        window, at_window = time.monotonic(), here
        self.progress(here)
        while chunk := response.read1(CHUNK):
            here += len(chunk)
            if here > self.most_bytes:
                raise _OtherFileError(f"expected at most {self.most_bytes:,} bytes; got more")
            file.write(chunk)
            self.progress(here)
            now = time.monotonic()
            if now - self.began > limits.total_s:
                raise RefusalError(f"it was given up after {limits.total_s:,.0f} s, with {here:,} bytes")
            if now - window >= limits.window_s:
                rate = (here - at_window) / (now - window)
                if rate < limits.rate:
                    raise RefusalError(f"the server is too slow: {rate:,.0f} bytes a second over {now - window:,.0f} s")
                window, at_window = now, here
        return here


def _is_whole(error: HTTPError, here: int) -> bool:
    """Whether a server says that nothing is missing of a file; its digest tells whether it is another."""
    if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not here:
        return False
    return error.headers.get("Content-Range", "").rpartition("/")[2] in (str(here), "", "*")


def _of_status(error: HTTPError, here: int) -> Exception:
    """What an answer without the file means."""
    if _SameScheme.inf_msg in str(error.reason):
        return RefusalError(f"it redirects in a circle, or more than {_SameScheme.max_redirections} times")
    told = f"the server answers {error.code} {fit_to_print(str(error.reason), 80)}"
    if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and here:
        return _OtherFileError(told)
    wait = error.headers.get("Retry-After", "")
    if error.code in BUSY and wait.isdecimal() and len(wait) < 10:
        return _BusyError(f"{told}, and asks to be asked again in {int(wait):,} s", int(wait))
    return (BreakError if error.code >= 500 else RefusalError)(told)


def _as_ours(error: Exception) -> Exception:
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, TimeoutError):
        return BreakError("the server does not answer in time")
    if isinstance(reason, http.client.IncompleteRead):
        return BreakError("the connection broke off")
    if isinstance(reason, ConnectionError):
        return BreakError(f"the connection broke off: {_told(reason)}")
    if isinstance(reason, ssl.SSLCertVerificationError):
        told = fit_to_print(reason.verify_message.rstrip("."), 160)
        return RefusalError(
            f"expected a certificate that is trusted here; got another: {told}. "
            "Where the authority is your own, try SSL_CERT_FILE with its certificate"
        )
    if isinstance(reason, http.client.BadStatusLine | http.client.UnknownProtocol):
        return RefusalError("the server does not answer as HTTP does")
    return RefusalError(_told(reason))


def _told(reason: object) -> str:
    text = (reason.strerror if isinstance(reason, OSError) else None) or str(reason) or type(reason).__name__
    told = fit_to_print(text.rstrip("."), 160)
    if isinstance(reason, socket.gaierror):
        return f"its server, or a proxy, is not found by its name from here ({told}). Try again with a connection"
    return told


@contextlib.contextmanager
def _answer(request: Request, limits: Limits) -> Iterator[http.client.HTTPResponse]:
    """The response, whose headers must come in `read_s` altogether, however many a server sends."""
    connections = _Connections()
    late = threading.Event()

    def give_up() -> None:
        late.set()
        connections.end()

    timer = threading.Timer(limits.read_s, give_up)
    timer.daemon = True
    timer.start()
    try:
        response = _opener(connections).open(request, timeout=limits.read_s)
    except (OSError, http.client.HTTPException) as error:
        if late.is_set() and not isinstance(error, HTTPError):
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()
    with response:
        if late.is_set():
            raise TimeoutError
        yield response


def _place(response: http.client.HTTPResponse, here: int) -> tuple[int, int | None]:
    """(where what comes belongs in the file, size of the whole file or None), by the headers of the answer."""
    length = response.headers.get("Content-Length", "")
    size = int(length) if length.isdecimal() and len(length) < 20 else None
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        return 0, size
    start = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    if start != str(here):
        raise _OtherFileError(f"expected the file from byte {here:,} on; the server gives another part of it")
    return here, None if size is None else here + size
