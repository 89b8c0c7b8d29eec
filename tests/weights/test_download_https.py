"""Downloads over TLS from a server of this machine, whose certificate is made on the fly."""

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import Plan, serving

from striate.errors import WeightsError
from striate.weights.download import download

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a key and a certificate of 127.0.0.1 that it has signed itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the command openssl, which makes a certificate, is not installed")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    request = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    request += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path), "-out", str(path.with_suffix(".crt"))]
    subprocess.run(request, check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + path.with_suffix(".crt").read_bytes())
    return path


@pytest.fixture
def plan() -> Plan:
    return Plan({"/a": CONTENT})


@pytest.fixture
def address(plan: Plan, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving(plan, certificate) as address:
        yield address


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_suffix(".crt")))


@pytest.mark.usefixtures("trusted")
def test_a_file_comes_whole_and_goes_on_after_a_break(plan: Plan, address: str, tmp_path: Path) -> None:
    assert address.startswith("https://")
    plan.breaks = [1000]
    assert download(f"{address}/a", tmp_path / "a", len(CONTENT)).sha256 == SHA256
    assert plan.asked == [("/a", None), ("/a", "bytes=1000-")]


def test_a_certificate_that_nobody_trusts_is_told(plan: Plan, address: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        download(f"{address}/a", tmp_path / "a", len(CONTENT))
    assert str(caught.value) == (
        f"{address}/a: expected a certificate that is trusted here; got another: self-signed certificate. "
        "Where the authority is your own, try SSL_CERT_FILE with its certificate."
    )
    assert plan.asked == []
    assert not (tmp_path / "a").exists()


@pytest.mark.usefixtures("trusted")
def test_a_certificate_of_another_host_is_told(plan: Plan, address: str, tmp_path: Path) -> None:
    address = address.replace("127.0.0.1", "localhost")
    with pytest.raises(WeightsError) as caught:
        download(f"{address}/a", tmp_path / "a", len(CONTENT))
    assert "certificate that is trusted here; got another: Hostname mismatch, certificate is not" in str(caught.value)
    assert plan.asked == []


@pytest.mark.usefixtures("trusted")
def test_a_redirect_to_http_is_not_followed(plan: Plan, address: str, tmp_path: Path) -> None:
    plan.redirects = {"/b": address.replace("https:", "http:") + "/a"}
    with pytest.raises(WeightsError) as caught:
        download(f"{address}/b", tmp_path / "a", len(CONTENT))
    assert str(caught.value) == f"{address}/b: it redirects from https to http, which is not followed."
    assert plan.asked == [("/b", None)]


@pytest.mark.usefixtures("trusted")
def test_a_redirect_that_stays_with_https_is(plan: Plan, address: str, tmp_path: Path) -> None:
    plan.redirects = {"/b": f"{address}/a"}
    assert download(f"{address}/b", tmp_path / "a", len(CONTENT)).sha256 == SHA256
