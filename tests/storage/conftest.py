"""An S3 server on the loopback, which can be told to misbehave."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pytest
from forks import forking
from PIL import Image

from scales_cli.cli.app import main
from scales_cli.storage.address import Address
from scales_cli.storage.objects import _storage

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"

KEYS = ["a b.png", "50%20.png", "h#1.png", "q?x=1&y.png", "p+l us.png", "grün-日本.png", "deep/e [1]/'x'.png"]


@dataclass(frozen=True)
class Answer:
    """Whatever a server may say; `size` is announced, if it is not that of `body`, whose bytes come `pause` s apart."""

    status: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    size: int | None = None
    pause: float = 0.0

    def pieces(self) -> Iterator[bytes]:
        for byte in self.body:
            time.sleep(self.pause)
            yield bytes([byte])


class S3:
    """`fault` sees every request's method and path, and answers it with an error's name and status, or not at all.

    With a third item, the request is met nevertheless. An `Answer` is given as it is. What is signed for another
    `region` is answered as by S3. `lie` sees the query of a listing, and gives what is listed, or nothing.
    """

    def __init__(self) -> None:
        from moto.server import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import WSGIRequestHandler, make_server

        class Quiet(WSGIRequestHandler):
            def log(self, *_: object) -> None:
                pass

        self.fault: Callable[[str, str], tuple[Any, ...] | Answer | None] = lambda method, path: None
        self.lie: Callable[[dict[str, str]], str] = lambda query: ""
        self.requests: list[tuple[str, str]] = []
        self.region = ""
        self._inner = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=Quiet)
        self.url = f"http://127.0.0.1:{self._server.port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.requests.append((method, path))
        fault, headers = self.fault(method, path), []
        if f"/{self.region}" not in environ.get("HTTP_AUTHORIZATION", ""):
            fault, headers = ("AuthorizationHeaderMalformed", 400), [("x-amz-bucket-region", self.region)]
        query = dict(parse_qsl(environ["QUERY_STRING"]))
        if "list-type" in query and (listed := self.lie(query)):
            start("200 OK", [("Content-Type", "application/xml")])
            return [f"<ListBucketResult><Name>bucket</Name>{listed}</ListBucketResult>".encode()]
        if fault is None:
            return self._inner(environ, start)
        if isinstance(fault, Answer):
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            size = len(fault.body) if fault.size is None else fault.size
            start(fault.status, [("Content-Length", str(size)), *fault.headers])
            if fault.pause:
                return fault.pieces()
            return [fault.body if method != "HEAD" else b""]
        name, status, *met = fault
        if met:
            list(self._inner(environ, lambda *_: None))
        else:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        body = f"<Error><Code>{name}</Code><Message>{name} it is.</Message></Error>".encode()
        headers += [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
        start(f"{status} {name}", headers)
        return [body if method != "HEAD" else b""]


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3]:
    s3fs = pytest.importorskip("s3fs")
    pytest.importorskip("moto.server")
    server = S3()
    yield server
    server.close()
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def s3(s3_server: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """s3fs on an empty server, which the program finds as it finds any: by its environment."""
    from moto.s3.models import s3_backends

    for name, value in {
        "AWS_ENDPOINT_URL": s3_server.url,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    s3_backends.reset()
    s3_server.fault, s3_server.requests, s3_server.region = lambda method, path: None, [], ""
    s3_server.lie = lambda query: ""
    system = _storage(Address("s3", "bucket"))  # the program's own, as it takes a while to make one
    system.mkdir("bucket")
    system.server = s3_server
    with forking():
        yield system


@pytest.fixture
def picture(rng: np.random.Generator) -> Callable[..., bytes]:
    """The bytes of a new PNG."""

    def make(width: int = 12, height: int = 9) -> bytes:
        stream = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).save(stream, "PNG")
        return stream.getvalue()

    return make


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Runs a command; its exit code and what it said."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        assert SECRET not in said.out + said.err
        assert "AKIA" not in said.out + said.err
        assert "Traceback" not in said.err
        return code, said.out, said.err

    return run


@pytest.fixture
def enlarged(tmp_path, run):
    """What the program makes of a file's bytes."""

    def enlarge(data):
        (tmp_path / "local.png").write_bytes(data)
        assert run("upscale", "local.png", "-s", "2", "-m", "tiny", "-o", "expected.png", "--overwrite")[0] == 0
        return (tmp_path / "expected.png").read_bytes()

    return enlarge
