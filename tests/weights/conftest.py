"""A real server on the loopback, with the folder that `scales models publish` writes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scales_cli.weights.publishing import publish
from scales_cli.weights.store import Store

Answer = Callable[[SimpleHTTPRequestHandler], None]


class ModelServer(ThreadingHTTPServer):
    """Serves a folder; `answer`, where it is set, takes the place of that."""

    daemon_threads = True
    answer: Answer | None = None

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.folder = folder
        self.requests: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that leave are part of the tests."""


class Handler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, ModelServer)
        self.server.requests.append(self.path)
        if self.server.answer is None:
            super().do_GET()
        else:
            self.server.answer(self)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    publish(Store(), folder, (), "")
    return folder


@pytest.fixture
def server(published: Path) -> Iterator[ModelServer]:
    with ModelServer(published) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
