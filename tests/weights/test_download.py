"""Downloads from a server of this machine, which breaks off, redirects, is slow, or gives something else."""

import hashlib
import http
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from file_server import Plan, serving

from striate.errors import WeightsError
from striate.weights.download import Limits, download

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SHORT = Limits(read_s=0.3, window_s=0.2, rate=1000.0)


@pytest.fixture
def plan() -> Plan:
    return Plan({"/a": CONTENT})


@pytest.fixture
def address(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving(plan) as address:
        yield address


def refused(address: str, path: Path, most: int = len(CONTENT), limits: Limits = SHORT) -> str:
    with pytest.raises(WeightsError) as caught:
        download(address, path, most, limits=limits)
    assert str(caught.value).startswith(f"{address}: ")
    return str(caught.value).removeprefix(f"{address}: ")


def test_a_file_comes_whole(plan: Plan, address: str, tmp_path: Path) -> None:
    seen: list[int] = []
    assert download(f"{address}/a", tmp_path / "a", len(CONTENT), seen.append).sha256 == SHA256
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert seen[0] == 0
    assert seen[-1] == len(CONTENT)
    assert seen == sorted(seen)
    assert plan.asked == [("/a", None)]


def test_what_is_there_is_gone_on_with(plan: Plan, address: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(CONTENT[:1000])
    assert download(f"{address}/a", tmp_path / "a", len(CONTENT)).sha256 == SHA256
    assert plan.asked == [("/a", "bytes=1000-")]


def test_a_file_that_is_there_is_not_given_again(plan: Plan, address: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(CONTENT)
    assert download(f"{address}/a", tmp_path / "a", len(CONTENT)).sha256 == SHA256
    assert plan.asked == [("/a", f"bytes={len(CONTENT)}-")]  # answered by 416


def test_a_server_without_ranges_gives_it_anew(plan: Plan, address: str, tmp_path: Path) -> None:
    plan.ranges = False
    (tmp_path / "a").write_bytes(b"x" * 300_000)
    assert download(f"{address}/a", tmp_path / "a", len(CONTENT)).sha256 == SHA256


def test_a_server_that_does_not_say_the_size(plan: Plan, address: str, tmp_path: Path) -> None:
    plan.length = False
    assert download(f"{address}/a", tmp_path / "a", len(CONTENT)).sha256 == SHA256


def test_breaks_are_gone_on_from(plan: Plan, address: str, tmp_path: Path) -> None:
    plan.breaks = [100_000, 50_000]
    assert download(f"{address}/a", tmp_path / "a", len(CONTENT)).sha256 == SHA256
    assert plan.asked == [("/a", None), ("/a", "bytes=100000-"), ("/a", "bytes=150000-")]


def test_breaks_without_end_are_given_up_and_what_came_is_kept(plan: Plan, address: str, tmp_path: Path) -> None:
    plan.breaks = [100_000, 0]
    said = refused(f"{address}/a", tmp_path / "a")
    assert said == (
        "the connection broke off after 100,000 of 256,000 bytes. "
        "100,000 bytes are kept, and the same command goes on from there."
    )
    assert download(f"{address}/a", tmp_path / "a", len(CONTENT)).sha256 == SHA256
    assert plan.asked[-1] == ("/a", "bytes=100000-")


def test_breaks_after_a_byte_each_are_given_up_too(plan: Plan, address: str, tmp_path: Path) -> None:
    plan.breaks = [1] * 100
    assert "broke off after 5 of" in refused(f"{address}/a", tmp_path / "a")


def test_a_server_in_trouble_is_asked_no_more(plan: Plan, address: str, tmp_path: Path) -> None:
    plan.errors = [503]
    assert refused(f"{address}/a", tmp_path / "a") == "the server answers 503 Service Unavailable."
    assert refused(f"{address}/none", tmp_path / "none") == "the server answers 404 Not Found."
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("code", [429, 503])
def test_a_busy_server_is_asked_again_when_it_says(plan: Plan, address: str, tmp_path: Path, code: int) -> None:
    plan.errors, plan.retry_after = [code, code], "0"
    assert download(f"{address}/a", tmp_path / "a", len(CONTENT)).sha256 == SHA256
    plan.errors, plan.retry_after = [code], "3600"
    phrase = http.HTTPStatus(code).phrase
    expected = f"the server answers {code} {phrase}, and asks to be asked again in 3,600 s."
    assert refused(f"{address}/a", tmp_path / "b") == expected
    plan.errors, plan.retry_after = [code] * 100, "0"
    assert refused(f"{address}/a", tmp_path / "b").startswith(f"the server answers {code} ")
    assert len(plan.errors) == 95


def test_a_part_that_cannot_be_gone_on_with_is_brought_anew(plan: Plan, address: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(CONTENT[:1000])
    plan.wrong_ranges = 1
    assert download(f"{address}/a", tmp_path / "a", len(CONTENT)).sha256 == SHA256
    assert plan.asked == [("/a", "bytes=1000-"), ("/a", None)]
    (tmp_path / "a").write_bytes(CONTENT + b"more")  # 416
    assert download(f"{address}/a", tmp_path / "a", len(CONTENT)).sha256 == SHA256


def test_a_file_that_changes_meanwhile_is_brought_anew(plan: Plan, address: str, tmp_path: Path) -> None:
    plan.etags, plan.breaks, plan.versions = True, [1000], [b"o" * len(CONTENT)]
    assert download(f"{address}/a", tmp_path / "a", len(CONTENT)).sha256 == SHA256
    assert [start for _, start in plan.asked] == [None, "bytes=1000-", None]


def test_an_address_with_other_letters(plan: Plan, address: str, tmp_path: Path) -> None:
    plan.files["/%C3%BC%20a%20b"] = CONTENT
    assert download(f"{address}/ü a%20b", tmp_path / "a", len(CONTENT)).sha256 == SHA256


def test_a_redirect_that_keeps_the_scheme_is_followed(plan: Plan, address: str, tmp_path: Path) -> None:
    plan.redirects = {"/b": "/c", "/c": f"{address}/a"}
    (tmp_path / "a").write_bytes(CONTENT[:10])
    assert download(f"{address}/b", tmp_path / "a", len(CONTENT)).sha256 == SHA256
    assert plan.asked[-1] == ("/a", "bytes=10-")


@pytest.mark.parametrize(
    "led", ["https://127.0.0.1/a", "file:///etc/passwd", "ftp://127.0.0.1/a", "data:,a", "gopher:a"]
)
def test_a_redirect_to_another_scheme_is_not(plan: Plan, address: str, tmp_path: Path, led: str) -> None:
    plan.redirects = {"/b": led}
    scheme = led.partition(":")[0]
    assert refused(f"{address}/b", tmp_path / "a") == (f"it redirects from http to {scheme}, which is not followed.")
    assert not (tmp_path / "a").exists()


def test_redirects_that_go_round_are_given_up(plan: Plan, address: str, tmp_path: Path) -> None:
    plan.redirects = {"/b": "/c", "/c": "/b"}
    assert refused(f"{address}/b", tmp_path / "a") == "it redirects in a circle, or more than 5 times."


@pytest.mark.parametrize("length", [True, False])
def test_a_file_that_is_too_long_is_refused(plan: Plan, address: str, tmp_path: Path, length: bool) -> None:
    plan.length = length
    said = refused(f"{address}/a", tmp_path / "a", most=1000)
    assert said.startswith(f"expected at most 1,000 bytes; {'the server offers 256,000' if length else 'got more'}.")
    assert not (tmp_path / "a").exists()


def test_an_empty_file_is_refused(plan: Plan, address: str, tmp_path: Path) -> None:
    plan.files["/a"] = b""
    plan.length = False
    assert refused(f"{address}/a", tmp_path / "a") == "the server gives an empty file."


def test_a_server_that_sends_a_byte_now_and_then_is_given_up_on(plan: Plan, address: str, tmp_path: Path) -> None:
    plan.pause_s = 0.01
    said = refused(f"{address}/a", tmp_path / "a")
    assert said.startswith("the server is too slow: ")
    assert " bytes are kept, and the same command goes on from there." in said


def test_a_server_that_falls_silent_is_given_up_on(plan: Plan, address: str, tmp_path: Path) -> None:
    plan.pause_s = 2.0
    assert refused(f"{address}/a", tmp_path / "a").startswith("the server does not answer in time.")


def test_a_server_whose_headers_never_end_is_given_up_on(plan: Plan, address: str, tmp_path: Path) -> None:
    plan.slow_headers, plan.pause_s = True, 0.02
    assert refused(f"{address}/a", tmp_path / "a") == "the server does not answer in time."


def test_a_download_that_takes_too_long_altogether_is_given_up(plan: Plan, address: str, tmp_path: Path) -> None:
    plan.pause_s = 0.005
    limits = Limits(read_s=0.5, window_s=60, rate=0, total_s=0.2)
    assert refused(f"{address}/a", tmp_path / "a", limits=limits).startswith("it was given up after 0 s, with ")


def test_nobody_there(tmp_path: Path) -> None:
    with serving(Plan()) as address:
        pass
    assert refused(f"{address}/a", tmp_path / "a") == "the connection broke off: Connection refused."


def test_a_name_that_is_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(WeightsError) as caught:
        download("https://weights.invalid/a", tmp_path / "a", 10)
    assert str(caught.value) == (
        "https://weights.invalid/a: its server, or a proxy, is not found by its name from here "
        "(Name or service not known). Try again with a connection."
    )


def test_a_disk_without_room_is_told_before(
    plan: Plan, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage: Any = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    assert refused(f"{address}/a", tmp_path / "a") == (
        f"expected 256,000 bytes of free disk space in {tmp_path}; got 1,000."
    )


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"])
def test_the_environments_proxy_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    plan = Plan({"http://weights.example/a": CONTENT})
    with serving(plan) as proxy:
        monkeypatch.setenv(variable, proxy)
        monkeypatch.setenv("no_proxy", "")
        assert download("http://weights.example/a", tmp_path / "a", len(CONTENT)).sha256 == SHA256
        assert plan.asked == [("http://weights.example/a", None)]


def test_no_proxy_is_asked_for_hosts_that_are_named(
    plan: Plan, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert download(f"{address}/a", tmp_path / "a", len(CONTENT)).sha256 == SHA256


def test_a_proxy_of_another_kind_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    expected = "expected a proxy of http in the environment; got one of socks5."
    assert refused("http://weights.example/a", tmp_path / "a") == expected
