"""Fixtures shared by all tests: a seeded generator, small random networks, and a server of models."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # on small tensors, torch's threads cost more than they bring
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # and where they are asked for, they are not to wait at full speed

import hypothesis
import numpy as np
import pytest

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.bench.random_weights import random_weights as random_weights_for
from scales_cli.imaging.encoding import open_writer
from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.picture import Picture
from scales_cli.weights.packed import PackedWeights

signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start background jobs, and so us, with it ignored
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and nohup with this one


# The same examples each time, however long a busy machine takes for one.
hypothesis.settings.register_profile(
    "same", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("same")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", metavar="REASON", help="store this run's results in tests/golden, and why")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Of `-n auto`: one more than there are cores, for a sixth of the time tests wait for servers and processes."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Slow tests run if `-m` chooses them or a test::name of the command line is theirs."""
    if config.option.markexpr:
        return
    named = tuple(argument.split("::", 1)[1] for argument in config.args if "::" in argument)
    slow = [
        item
        for item in items
        if item.get_closest_marker("slow") and not item.nodeid.split("::", 1)[1].startswith(named)
    ]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`isa` runs a test on every kernel table this CPU can execute."""
    if "isa" in metafunc.fixturenames:
        try:
            from scales_cli.engine import _native
        except ImportError:
            skip = pytest.mark.skip("the native engine is not built")
            metafunc.parametrize("isa", [pytest.param("reference", marks=skip)])
        else:
            metafunc.parametrize("isa", _native.available_isas())


@pytest.fixture(autouse=True)
def own_models(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty cache and no settings: neither what the user has is seen, nor is anything added to it."""
    folder = tmp_path_factory.mktemp("own") / "cache"
    monkeypatch.setenv("SCALES_CACHE", str(folder))
    monkeypatch.setenv("SCALES_CONFIG", str(folder.parent / "config.toml"))
    monkeypatch.setenv("SCALES_OFFLINE", "")
    for name in ("SCALES_MIRROR", "SCALES_MODEL", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    return folder / "models"


@pytest.fixture(autouse=True)
def torch_threads() -> Iterator[None]:
    """Those that an engine has set for all of the process are of no other test."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20231270)


@pytest.fixture(scope="session")
def encode() -> Callable[[Picture, ImageFormat], bytes]:
    """Makes a picture's file, as commands write it."""

    def make(picture: Picture, image_format: ImageFormat) -> bytes:
        stream = io.BytesIO()
        writer = open_writer(picture.layout, image_format, stream)
        writer.write(picture.pixels)
        writer.close()
        return stream.getvalue()

    return make


@pytest.fixture(scope="session")
def draw_weights() -> Callable[..., PackedWeights]:
    """Makes random packed weights for a spec's dimensions."""

    def make(
        rng: np.random.Generator,
        *,
        scale: int = 4,
        planes: str = "luma",
        strength: bool = False,
        n_feats: int = 64,
        n_blocks: int = 1,
        gate_taps: int = 5,
    ) -> PackedWeights:
        spec = NetworkSpec(scale=scale, planes=planes, strength=strength, n_feats=n_feats, n_blocks=n_blocks)
        return random_weights_for(spec, rng, gate_taps=gate_taps)

    return make


@pytest.fixture
def random_weights(
    rng: np.random.Generator, draw_weights: Callable[..., PackedWeights]
) -> Callable[..., PackedWeights]:
    return partial(draw_weights, rng)


@pytest.fixture
def weights_file(
    random_weights: Callable[..., PackedWeights], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """The path of a random model's packed file for a scale."""

    def make(scale: int = 4) -> Path:
        path = tmp_path_factory.mktemp("models") / f"scales-random-x{scale}.safetensors"
        random_weights(scale=scale).save(path)
        return path

    return make


@pytest.fixture(scope="session")
def benchmarks() -> Path:
    """The standard test sets; tests that need them are skipped where they are missing."""
    folder = Path(os.environ.get("SCALES_DATA", Path(__file__).parents[2] / "shared" / "data")) / "benchmarks"
    if not folder.is_dir():
        pytest.skip(f"{folder} is missing")
    return folder


class ModelServer(ThreadingHTTPServer):
    """Serves a folder on the loopback; `answer`, where it is set, takes the place of that."""

    daemon_threads = True
    request_queue_size = 64  # or those who come at once wait for a second
    answer: Callable[[SimpleHTTPRequestHandler], None] | None = None

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.folder = folder
        self.requests: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that leave are part of the tests."""


class Handler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(super().do_GET)

    def do_HEAD(self) -> None:
        self._answer(super().do_HEAD)

    def do_CONNECT(self) -> None:
        self._answer(lambda: self.send_error(405))

    def _answer(self, serve_file: Callable[[], None]) -> None:
        assert isinstance(self.server, ModelServer)
        self.server.requests.append(self.path)
        if self.server.answer is None:
            serve_file()
        else:
            self.server.answer(self)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def start_scales() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts `scales` in processes of its own, which end with the test."""
    processes = []

    def start(*arguments: object, **options: Any) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "scales_cli", *map(str, arguments)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `scales models publish` writes, of the real models."""
    from scales_cli.weights.publishing import publish
    from scales_cli.weights.store import Store

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
