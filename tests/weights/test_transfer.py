"""A server that does everything wrong: the cache never holds a bad file, and works again afterwards."""

import contextlib
import os
import socket
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from scales_cli.errors import WeightsError
from scales_cli.weights import transfer
from scales_cli.weights.cache import Cache
from scales_cli.weights.registry import load_registry
from scales_cli.weights.store import Store
from scales_cli.weights.transfer import check_url, fetch

ENTRY = load_registry().entries[1]


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(transfer, "TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr(transfer, "GRACE_SECONDS", 0.2)
    monkeypatch.setattr(transfer, "MIN_RATE", 1e5)


@pytest.fixture
def content(published):
    return (published / ENTRY.file).read_bytes()


def fetch_from(server, name=ENTRY.file):
    return fetch(Cache(), ENTRY.name, ENTRY.sha256, f"{server.url}/{name}", size=ENTRY.size)


@pytest.mark.parametrize("entry", load_registry().entries, ids=lambda entry: entry.name)
def test_every_published_model_can_be_pulled(entry, server, monkeypatch, own_models):
    monkeypatch.setenv("SCALES_MIRROR", server.url)
    fractions = []
    path = Store().obtain(entry, fractions.append)
    assert path.parent == own_models
    assert path.read_bytes() == (server.folder / entry.file).read_bytes()
    assert fractions[-1] == 1
    assert fractions == sorted(fractions)
    assert Store().obtain(entry) == path
    assert server.requests == [f"/{entry.file}"]


def send(body, *, status=200, length=None, **headers):
    """Answers with a body, which `length` may lie about."""

    def answer(handler):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        if length is not None:
            handler.send_header("Content-Length", str(length))
        handler.end_headers()
        with contextlib.suppress(OSError):
            handler.wfile.write(body)

    return answer


def trickle(content):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        with contextlib.suppress(OSError):
            for byte in content[:200]:
                handler.wfile.write(bytes([byte]))
                handler.wfile.flush()
                time.sleep(0.02)

    return answer


def raw(data):
    def answer(handler):
        with contextlib.suppress(OSError):
            handler.wfile.write(data)

    return answer


def silence(handler):
    time.sleep(0.6)


def fault(kind, content, rng):
    """What the server does, by the kind of fault."""
    cut = int(rng.integers(len(content)))
    spoilt = bytearray(content)
    spoilt[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    huge = transfer.MAX_FILE_BYTES + 1
    return {
        "cut": send(content[:cut], length=len(content)),
        "short": send(content[:cut], length=cut),
        "unannounced": send(content[:cut]),
        "longer": send(content + bytes(1 + cut), length=len(content) + 1 + cut),
        "endless": send(content * 4),
        "spoilt": send(bytes(spoilt), length=len(content)),
        "huge": send(content, length=huge),
        "empty": send(b"", length=0),
        "nothing": raw(b""),
        "noise": raw(rng.bytes(300)),
        "html": send(b"<html>Please log in</html>", Content_Type="text/html"),
        "pickle": send(b"\x80\x04K\x01.", length=5),
        "compressed": send(content, length=len(content), Content_Encoding="gzip", Transfer_Encoding="chunked"),
        "status": send(content, status=int(rng.choice([204, 206, 300, 401, 403, 404, 410, 418, 599]))),
        "busy": send(b"", status=int(rng.choice([429, 500, 503])), length=0, Retry_After="9999"),
        "loop": send(b"", status=302, length=0, Location=f"/{cut}"),
        "scheme": send(b"", status=302, length=0, Location="https://127.0.0.1:1/x"),
        "file": send(b"", status=301, length=0, Location="file:///etc/passwd"),
        "elsewhere": send(b"", status=307, length=0, Location="http://example.org/x"),
        "nonsense": send(b"", status=308, length=0, Location="http://[::bad/x"),
        "slow": trickle(content),
        "silence": silence,
    }[kind]


KINDS = (
    *("cut", "short", "unannounced", "longer", "endless", "spoilt", "huge", "empty", "nothing", "noise", "html"),
    *("pickle", "compressed", "status", "busy", "loop", "scheme", "file", "elsewhere", "nonsense", "slow", "silence"),
)


def endure(kind, seed, server, content, own_models):
    server.answer = fault(kind, content, np.random.default_rng(seed))
    started = time.monotonic()
    with pytest.raises(WeightsError) as caught:
        fetch_from(server)
    assert caught.value.hint
    assert time.monotonic() - started < 5
    assert list(own_models.iterdir()) == []
    server.answer = None
    assert fetch_from(server).read_bytes() == content


@pytest.mark.parametrize("kind", KINDS)
def test_faults_leave_nothing_behind(kind, server, content, own_models):
    endure(kind, 0, server, content, own_models)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("kind", KINDS)
def test_many_faults_leave_nothing_behind(kind, seed, server, content, own_models):
    endure(kind, seed, server, content, own_models)


def test_a_redirection_within_the_scheme_is_followed(server, content):
    def answer(handler):
        server.answer = None
        send(b"", status=302, length=0, Location=f"/{ENTRY.file}?part=1")(handler)

    server.answer = answer
    assert fetch_from(server, "moved").read_bytes() == content


def test_a_busy_server_is_asked_again(server, content):
    def answer(handler):
        server.answer = None
        send(b"", status=503, length=0)(handler)

    server.answer = answer
    assert fetch_from(server).read_bytes() == content


def test_a_server_that_is_not_there(own_models):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(WeightsError, match="cannot be fetched"):
        fetch(Cache(), ENTRY.name, ENTRY.sha256, f"http://127.0.0.1:{port}/x")
    assert list(own_models.iterdir()) == []


def test_a_stale_proxy_is_named_and_not_asked_for_this_machine(server, content, monkeypatch, own_models):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with pytest.raises(WeightsError, match="proxy") as caught:
        fetch(Cache(), ENTRY.name, ENTRY.sha256, "https://example.org/x")
    assert "HTTPS_PROXY" in caught.value.hint
    assert list(own_models.iterdir()) == []
    assert fetch_from(server).read_bytes() == content


def test_tls_errors_name_the_variable(server, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    for variable in ("", "/missing/certificates.pem"):
        monkeypatch.setenv("SSL_CERT_FILE", variable)
        with pytest.raises(WeightsError) as caught:
            fetch(Cache(), ENTRY.name, ENTRY.sha256, server.url.replace("http://", "https://") + "/x")
        assert "SSL_CERT_FILE" in caught.value.hint


@pytest.mark.parametrize(
    "url", ["http://example.org/x", "ftp://127.0.0.1/x", "https://", "https:///x", "http://127.0.0.1.example.org/x"]
)
def test_addresses_that_are_not_fetched(url):
    with pytest.raises(WeightsError):
        check_url(url)


def test_passwords_in_addresses_are_refused_and_not_repeated():
    with pytest.raises(WeightsError) as caught:
        check_url("https://me:secret@example.org/x")
    assert "secret" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    "url", ["https://example.org/x", "http://127.1.2.3/x", "http://[::1]:8/x", "http://localhost/x"]
)
def test_addresses_that_are_fetched(url):
    check_url(url)


def test_files_are_as_readable_as_others(server, own_models, tmp_path):
    (tmp_path / "other").touch()
    assert fetch_from(server).stat().st_mode == (tmp_path / "other").stat().st_mode


RACE = """
    import multiprocessing, sys
    from scales_cli.weights.store import Store

    def pull(barrier):
        barrier.wait()
        store = Store()
        store.obtain(store.find(sys.argv[1])).read_bytes()

    fork = multiprocessing.get_context("fork")
    import requests, safetensors.numpy  # noqa: once for all
    barrier = fork.Barrier(16)
    processes = [fork.Process(target=pull, args=(barrier,)) for _ in range(16)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    sys.exit(sum(process.exitcode != 0 for process in processes))
"""


def race(server, own_models, rounds):
    for _ in range(rounds):
        command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(RACE), ENTRY.name]
        environment = os.environ | {"SCALES_MIRROR": server.url, "PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.run(command, check=True, env=environment, timeout=60)
        (path,) = own_models.iterdir()
        assert path == Store().cache.path(ENTRY.name, ENTRY.sha256)
        Store().cache.find(ENTRY.name).check()
        path.unlink()


def test_sixteen_processes_pull_at_once(server, own_models):
    race(server, own_models, 2)


@pytest.mark.slow
def test_sixteen_processes_pull_at_once_many_times(server, own_models):
    race(server, own_models, 20)
