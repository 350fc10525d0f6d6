"""A server that does everything wrong: the cache never holds a bad file, and works again afterwards."""

import contextlib
import gzip
import io
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
import tracemalloc

import numpy as np
import pytest

from scales_cli.cli.app import main
from scales_cli.errors import TransferError, WeightsError
from scales_cli.storage.budget import Patience
from scales_cli.storage.web import check_url
from scales_cli.weights.cache import Cache
from scales_cli.weights.packed import MAX_FILE_BYTES
from scales_cli.weights.registry import load_registry
from scales_cli.weights.store import Store
from scales_cli.weights.transfer import copy_source, fetch

ENTRY = load_registry().entries[1]
IMPATIENT = Patience(idle=0.2, start=0.4, rate=1e6)
AT_ONCE = 30  # seconds, on a busy machine, of the minutes that servers go on
MAX_MEMORY = 12 * 2**20  # of what Python allocates, with the server's
PIECE = bytes(2**16)


@pytest.fixture
def content(published):
    return (published / ENTRY.file).read_bytes()


def fetch_from(server, name=ENTRY.file, patience=Patience()):  # noqa: B008
    return fetch(Cache(), ENTRY.name, ENTRY.sha256, f"{server.url}/{name}", size=ENTRY.size, patience=patience)


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


def raw(*pieces, then=b"", pause=0.0):
    """Sends bytes as they are, then others again and again until the client leaves."""

    def answer(handler):
        handler.close_connection = True
        with contextlib.suppress(OSError):
            for piece in pieces:
                handler.wfile.write(piece)
            until = time.monotonic() + 120
            while then and time.monotonic() < until:
                handler.wfile.write(then)
                time.sleep(pause)

    return answer


def trickle(*pieces):
    """Sends bytes as they are, but the last of them alone, again and again."""
    data = b"".join(pieces)
    return raw(data[:-1], then=data[-1:], pause=0.02)


def silence(handler):
    time.sleep(0.5)


def fault(kind, content, rng):
    """What the server does, by the kind of fault."""
    cut = int(rng.integers(len(content)))
    spoilt = bytearray(content)
    spoilt[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    huge = MAX_FILE_BYTES + 1
    ok, chunked = b"HTTP/1.1 200 OK\r\n", b"Transfer-Encoding: chunked\r\n\r\n"
    moved = b"HTTP/1.1 302 Found\r\nLocation: /x\r\n"
    bomb = gzip.compress(PIECE * 2**9, 1) if "bomb" in kind else b""
    packed = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
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
        "far": send(b"", status=302, length=0, Location="/" + "x" * 60_000),
        "nonsense": send(b"", status=308, length=0, Location="http://[::bad/x"),
        "silence": silence,
        "slow": trickle(ok, b"\r\n", content[:100]),
        "slow status": trickle(b"HTTP/1.1 200 O"),
        "slow header": trickle(ok, b"X: a"),
        "slow redirection": trickle(moved, b"X: a"),
        "slow chunk size": trickle(ok, chunked, b"0"),
        "slow trailer": trickle(ok, chunked, b"0\r\nX: a"),
        "endless status": raw(b"HTTP/1.1 200 ", then=b"O" * 2**16),
        "endless header": raw(ok, b"X: ", then=b"a" * 2**16),
        "endless headers": raw(ok, then=b"X: a\r\n" * 1000),
        "endless interim": raw(then=b"HTTP/1.1 100 Continue\r\nX: a\r\n\r\n" * 1000),
        "endless extension": raw(ok, chunked, b"1;", then=b"a" * 2**16),
        "endless extensions": raw(ok, chunked, then=b"1;%s\r\na\r\n" % (b"a" * 60_000)),
        "endless trailer": raw(ok, chunked, b"0\r\n", then=b"X: a\r\n" * 1000),
        "endless redirection": raw(moved, b"\r\n", then=PIECE),
        "endless excuse": raw(b"HTTP/1.1 503 Busy\r\n\r\n", then=PIECE),
        "huge redirection": raw(moved, b"Content-Length: 9999999999\r\n\r\n", then=PIECE),
        "huge chunk": raw(ok, chunked, b"FFFFFFFFFFFF\r\n", then=PIECE),
        "huge chunk size": raw(ok, chunked, b"F" * 60_000, b"\r\n", then=PIECE),
        "negative chunk": raw(ok, chunked, b"-5\r\n", then=PIECE),
        "bomb": raw(ok, packed, bomb),
        "bomb in a redirection": raw(moved, packed, bomb),
        "bomb in an excuse": raw(b"HTTP/1.1 503 Busy\r\n", packed, bomb),
        "part": send(content, status=206, length=len(content), Content_Range="bytes 5-9/10"),
        "lengths": send(content, length=f"{len(content)}, 5"),
    }[kind]


KINDS = (
    *("cut", "short", "unannounced", "longer", "endless", "spoilt", "huge", "empty", "nothing", "noise", "html"),
    *(
        "pickle",
        "compressed",
        "status",
        "busy",
        "loop",
        "scheme",
        "file",
        "elsewhere",
        "far",
        "nonsense",
        "silence",
        "slow",
    ),
    *("slow status", "slow header", "slow redirection", "slow chunk size", "slow trailer", "endless status"),
    *("endless header", "endless headers", "endless interim", "endless extension", "endless extensions"),
    *("endless trailer", "endless redirection", "endless excuse", "huge redirection", "huge chunk", "huge chunk size"),
    *("negative chunk", "bomb", "bomb in a redirection", "bomb in an excuse", "part", "lengths"),
)


def endure(kind, seed, server, content, own_models):
    server.answer = fault(kind, content, np.random.default_rng(seed))
    started = time.monotonic()
    tracemalloc.start()
    with pytest.raises(WeightsError) as caught:
        fetch_from(server, patience=IMPATIENT)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (caught.value.exit_code, bool(caught.value.hint)) == (5, True)
    assert len(caught.value.message) < 300
    assert "Error(" not in caught.value.message  # as Python prints them
    assert time.monotonic() - started < AT_ONCE
    assert peak < MAX_MEMORY
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


def test_a_handshake_that_trickles(own_models):
    def answer():
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 KiB
            for _ in range(6000):
                connection.sendall(b"\x02")
                time.sleep(0.02)

    started = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        source = f"https://127.0.0.1:{listener.getsockname()[1]}/x"
        with pytest.raises(WeightsError, match="too slow"):
            fetch(Cache(), ENTRY.name, ENTRY.sha256, source, patience=Patience(idle=5, start=0.4))
        thread.join()
    assert time.monotonic() - started < AT_ONCE


def test_a_proxy_that_trickles(server, monkeypatch, own_models):
    server.answer = trickle(b"HTTP/1.1 200 OK\r\nX: a")
    monkeypatch.setenv("HTTPS_PROXY", server.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    started = time.monotonic()
    with pytest.raises(WeightsError, match="too slow"):
        fetch(Cache(), ENTRY.name, ENTRY.sha256, "https://example.org/x", patience=IMPATIENT)
    assert time.monotonic() - started < AT_ONCE
    assert server.requests == ["example.org:443"]


def test_time_ends_also_within_a_read(server, content, own_models):
    done = threading.Event()

    def answer(handler):
        send(content[:9], length=len(content))(handler)
        done.wait(120)

    server.answer = answer
    patience, started = Patience(idle=120, start=0.8, rate=1e6), time.monotonic()
    with pytest.raises(WeightsError, match="too slow, not done after 1 s"):
        fetch(Cache(), ENTRY.name, ENTRY.sha256, f"{server.url}/x", size=ENTRY.size, patience=patience)
    assert time.monotonic() - started < AT_ONCE
    done.set()


@pytest.mark.parametrize("kind", ["endless interim", "endless extensions", "endless trailer"])
def test_what_is_no_file_has_bounds_in_bytes(kind, server, content, own_models):
    server.answer = fault(kind, content, np.random.default_rng(0))
    with pytest.raises(WeightsError, match="sends more than the file"):
        fetch(Cache(), ENTRY.name, ENTRY.sha256, f"{server.url}/x", size=ENTRY.size, patience=Patience())


def test_more_time_for_what_keeps_coming(server, content):
    """A file that takes longer than its start may."""

    def answer(handler):
        handler.send_response(200)
        handler.end_headers()
        for start in range(0, len(content), 8192):
            handler.wfile.write(content[start : start + 8192])
            handler.wfile.flush()
            time.sleep(0.05)

    server.answer = answer
    patience = Patience(idle=5, start=0.4, rate=len(content) / 30)
    source, started = f"{server.url}/x", time.monotonic()
    assert fetch(Cache(), ENTRY.name, ENTRY.sha256, source, patience=patience).read_bytes() == content
    assert time.monotonic() - started > patience.start


def test_credentials_stay_with_the_server_that_was_asked(server, published, monkeypatch, tmp_path):
    seen = []

    def answer(handler):
        seen.append((handler.headers["Host"], handler.headers["Authorization"]))
        other = server.url.replace("127.0.0.1", "localhost")
        send(b"", status=302, length=0, Location=f"{other}/x" if len(seen) == 2 else "/y")(handler)

    server.answer = answer
    with pytest.raises(WeightsError, match="redirects without end"):
        copy_source(f"{server.url}/x", io.BytesIO(), patience=IMPATIENT, headers={"Authorization": "Bearer secret"})
    assert [word for _, word in seen] == ["Bearer secret"] * 2 + [None] * 4


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


def test_a_proxy_that_refuses_is_heard(server, monkeypatch, own_models, capsys):
    server.answer = send(b"", status=407, length=0)
    monkeypatch.setenv("HTTPS_PROXY", server.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    pull = ["models", "pull", f"https://example.org/x#sha256={'0' * 64}"]
    for code, command in (5, pull), (3, ["upscale", "https://example.org/a.png", "-o", "a.png"]):
        assert main(command) == code
        said = capsys.readouterr().err
        assert "the proxy answers 407 Proxy Authentication Required (check HTTPS_PROXY)" in said


def test_what_may_be_a_key_is_not_shown(server, published, monkeypatch, own_models, capsys):
    """Of an address, or of one that it redirects to."""
    sha256, query = "0" * 64, "sig=secret"
    for answer in (
        send(b"", status=403, length=0),
        send(b"x"),
        send(b"", status=302, length=0, Location=f"http://example.org/x?{query}"),
        send(b"", status=302, length=0, Location=f"https://127.0.0.1:1/x?{query}"),
    ):
        server.answer = answer
        assert main(["models", "pull", f"{server.url}/x?{query}#sha256={sha256}"]) == 5
        assert "secret" not in capsys.readouterr().err
    for address, code in ((f"http://example.org/x?{query}#sha256={sha256}", 5), (f"{server.url}/x?{query}", 2)):
        assert main(["models", "pull", address]) == code
        assert "secret" not in capsys.readouterr().err


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
    with pytest.raises(TransferError):
        check_url(url)


def test_passwords_in_addresses_are_refused_and_not_repeated():
    with pytest.raises(TransferError) as caught:
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
        subprocess.run(command, check=True, env=environment, timeout=300)
        (path,) = own_models.iterdir()
        assert path == Store().cache.path(ENTRY.name, ENTRY.sha256)
        Store().cache.find(ENTRY.name).check()
        path.unlink()


def test_sixteen_processes_pull_at_once(server, own_models):
    race(server, own_models, 2)


@pytest.mark.slow
def test_sixteen_processes_pull_at_once_many_times(server, own_models):
    race(server, own_models, 20)
