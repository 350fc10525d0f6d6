"""Batches on a Dask cluster: as on one machine, whatever happens to its workers, its scheduler and the batch itself."""

import errno
import json
import os
import re
import signal
import socket
import threading
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from forks import Fork, starter_of
from PIL import Image
from results import made, outputs
from waiting import wait_for

import scales_cli
from scales_cli.batch.cluster.scheduler import LostSchedulerError, Scheduler
from scales_cli.batch.cluster.station import Order, Station, _examine
from scales_cli.batch.cluster.workers import Workers
from scales_cli.cli.app import main
from scales_cli.errors import MemoryLimitError, ScalesError
from scales_cli.pipeline.enlargement import Enlargement
from scales_cli.weights import travel
from scales_cli.weights.family import resolve

from .conftest import kill, writers

distributed = pytest.importorskip("distributed")
pytest.importorskip("scales_cli.engine._native")
pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # of Dask
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at /proc"),
]
VERSION = scales_cli.__version__


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(scales_cli.__file__).parents[1]))
    return tmp_path


@pytest.fixture
def save(folder, rng):
    """Puts a picture below `in/`."""

    def save(name, size=(60, 40)):
        path = Path("in", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), dtype=np.uint8)).save(path)

    return save


@pytest.fixture
def batch(capfd, weights_file):
    """`scales batch in -s 2` in this process: exit code, standard output, standard error."""
    model = str(weights_file(2))

    def run(*arguments, output="out"):
        code = main(["batch", "in", "-o", str(output), "-s", "2", "-m", model, *map(str, arguments)])
        said = capfd.readouterr()
        assert "Traceback" not in said.err
        return code, said.out, said.err

    run.model = model
    return run


@pytest.fixture
def start(batch, cluster, folder, tmp_path_factory):
    """The same on the cluster, in a process of its own."""
    started = []

    def run(*arguments, where=None):
        command = ["batch", "in", "-o", "out", "-s", "2", "-m", batch.model, "--scheduler", str(where or cluster.file)]
        printed = tmp_path_factory.mktemp("batch") / "printed"
        started.append(Fork("scales_cli.__main__", [*command, *arguments], folder, printed))
        return started[-1]

    yield run
    for process in started:
        process.kill()


def finish(process):
    out, err = process.communicate(timeout=200)
    assert b"Traceback" not in err, err.decode()
    return process.returncode, out.decode(), err.decode()


def writers_below(folder):
    return [pid for path in (Path(folder), Path(folder, "sub")) for pid in writers(path)]


def lines(out):
    """Lines of JSON without what differs from run to run."""
    found = [{**json.loads(line), "seconds": 0} for line in out.splitlines()]
    return sorted(json.dumps(line, sort_keys=True) for line in found)


def summary(err):
    """What is said at the end, without figures of speed."""
    return re.sub(r", [\d.]+ pictures/s.*", "", err[err.index("scales: error") :])


def test_the_same_as_on_one_machine(cluster, batch, save, folder, tmp_path):
    for index in range(12):
        save(f"{'sub/' if index % 3 else ''}{index}.png")
    Path("in/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"no picture")
    code, out, err = batch("--json", "-j", "1")
    expected = outputs()
    Path("out").rename("alone")
    found = batch("--json", "--scheduler", cluster.file)
    assert (found[0], lines(found[1]), summary(found[2])) == (code, lines(out), summary(err))
    assert (code, outputs()) == (1, expected)
    assert f"scales: scheduler: {json.loads(cluster.file.read_text())['address']}; dashboard: http://" in found[2]
    code, out, err = batch("--scheduler", cluster.file)
    assert (code, out, "12 skipped (12 done before), 1 failed" in err) == (1, "", True)
    models = list(cluster.folder.glob("worker-*/**/scales-models/*"))
    assert models
    assert {path.read_bytes() for path in models} == {Path(batch.model).read_bytes()}


def test_a_local_cluster_within_its_memory(batch, save):
    save("a.png", (300, 400))
    code, out, err = batch("--scheduler", "local:2", "--max-memory", "40M")
    assert (code, "in/a.png: " in err or "do not even hold the program" in err) == (1, True)
    code, out, _ = batch("--scheduler", "local:2", "--retry-failed", "--max-memory", "1500M")
    assert (code, out) == (0, "out/a_x2.png\n")


def test_workers_that_cannot_take_part_are_named(cluster, batch, save, tmp_path):
    preload = tmp_path / "older.py"
    preload.write_text("import importlib.metadata as m\nm.version = lambda name: '0.0.1'\n")
    code = "import importlib.metadata\ndef version(name): return '0.0.1'\n"
    preload.write_text(code + "importlib.metadata.version.__code__ = version.__code__\n")
    for index in range(4):
        save(f"{index}.png")
    worker = cluster.start_worker("--no-nanny", "--name", "older", "--preload", str(preload))
    try:
        wait_for(lambda: len(names := cluster.names()) == 3 and "older" in names)
        code, out, err = batch("--scheduler", cluster.file)
        assert (code, len(out.splitlines())) == (0, 4), err
        named = rf"scales: warning: worker tcp://127.0.0.1:\d+ takes no part: it has scales-cli 0.0.1, not {VERSION}"
        assert len(re.findall(named, err)) == 1
    finally:
        cluster.workers.remove(worker)
        worker.kill()
        worker.wait()


def test_what_is_no_scheduler_is_told_in_a_line(batch, save, monkeypatch, folder):
    save("a.png")
    monkeypatch.setattr("scales_cli.batch.cluster.scheduler._PATIENCE", 0.5)
    os.mkfifo("pipe.json")
    with Path("huge.json").open("wb") as file:
        file.truncate(2**32)
    for name, content in (
        ("other", "[]"),
        ("deep", "[" * 100_000),
        ("odd", '{"address": {"a": 1}}'),
        ("within", '{"address": "inproc://127.0.0.1/1/1"}'),
    ):
        Path(f"{name}.json").write_text(content)
    for where, code, words in (
        ("nowhere.json", 2, "there is no file nowhere.json of a scheduler"),
        *((f"{name}.json", 2, "is not what a scheduler wrote") for name in ("other", "deep", "pipe", "huge")),
        *((f"{name}.json", 2, "has an address that is none of a scheduler") for name in ("odd", "within")),
        ("http://host:1", 2, "is no address of a scheduler"),
        ("tcp://host", 2, "is no address of a scheduler"),
        ("local:0", 2, "there is no file local:0"),
        ("tcp://127.0.0.1:9", 1, "no scheduler answers at tcp://127.0.0.1:9"),
        ("tls://127.0.0.1:9", 2, "needs certificates"),
    ):
        found, out, err = batch("--scheduler", where)
        assert (found, out, words in err, err.count("\n")) == (code, "", True, 1), err
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (b"", "no scheduler answers at"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "what answers at"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "what answers at"),
    ],
)
def test_who_answers_and_is_no_scheduler_is_told_in_a_line(batch, save, monkeypatch, words, said):
    """One that says nothing is not waited for without end."""
    save("a.png")
    monkeypatch.setattr("scales_cli.batch.cluster.scheduler._PATIENCE", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    connections.append(connection)
                    connection.sendall(words)

        connections = []
        threading.Thread(target=answer, daemon=True).start()
        code, out, err = batch("--scheduler", f"tcp://127.0.0.1:{server.getsockname()[1]}")
        server.shutdown(socket.SHUT_RDWR)
    for connection in connections:
        connection.close()
    assert (code, out, said in err, err.count("\n")) == (1, "", True, 1), err


def test_without_dask_it_is_said_how_to_get_it(batch, save, monkeypatch):
    save("a.png")
    monkeypatch.setattr("scales_cli.system.extras.is_installed", lambda library: False)
    code, _, err = batch("--scheduler", "local")
    said = 'scales: error: a cluster needs Dask (install it with: pip install "scales-cli[cluster]")\n'
    assert (code, err) == (1, said)


def test_a_picture_whose_processes_end_is_named_after_three(start, save):
    save("deadly/p.png", (1500, 1500))  # which takes seconds, so that whoever is to be killed is still at work
    for index in range(6):
        save(f"{index}.png")
    process = start()
    killed = kill_writers(process, lambda pid: pid)
    code, out, err = finish(process)
    assert (code, len(out.splitlines()), len(killed)) == (1, 6, 3), err
    assert "in/deadly/p.png: its process was killed from outside (SIGKILL) 3 times" in err
    assert not list(Path("out").rglob("*.tmp"))


@pytest.mark.slow
def test_a_picture_that_workers_end_of_is_named_after_three(start, save, cluster):
    save("deadly/p.png", (1500, 1500))  # which takes seconds, so that whoever is to be killed is still at work
    for index in range(6):
        save(f"{index}.png")
    process = start()
    killed = kill_writers(process, starter_of)
    code, out, err = finish(process)
    assert (code, len(out.splitlines()), len(killed)) == (1, 6, 3), err
    assert "in/deadly/p.png: 3 workers ended in the work on it" in err
    code, out, err = finish(start())
    assert (code, out) == (0, "out/deadly/p_x2.png\n"), err


def kill_writers(process, whom):
    """Kills whoever works on the deadly picture, or their like; whom it has killed."""
    killed = set()
    while process.poll() is None:
        for pid in writers(Path("out/deadly")):
            if (victim := whom(pid)) > 1 and victim != process.pid:
                kill(victim)
                killed.add(victim)
        time.sleep(0.02)
    return killed


ENDINGS = ("process", "worker", "client", "interrupt", "scheduler")


@pytest.mark.parametrize(
    ("kills", "endings"),
    [
        (10, ENDINGS),
        pytest.param(100, ENDINGS, marks=pytest.mark.slow),
        pytest.param(100, ("scheduler",), marks=pytest.mark.slow),
    ],
)
def test_kills_at_any_moment_lose_nothing(kills, endings, start, save, batch, cluster, rng):
    """Of processes and workers the batch sees nothing; of the rest the next one makes good."""
    for index in range(16):
        save(f"{'sub/' if index % 3 else ''}{index}.png", (160, 120))
    assert batch("-j", "1", output="expected")[0] == 0
    expected = outputs("expected")
    process = start()
    for ending in (ending for _ in range(kills // len(endings)) for ending in rng.permutation(endings)):
        if process.poll() is not None:
            assert outputs() == expected
            for path in made():
                if rng.random() < 0.7:
                    path.unlink()
            process = start()
        wait_for(lambda: process.has_said("scales: scheduler: "))  # noqa: B023  # pictures may be of one before
        wanted = len(made()) + int(rng.integers(1, 4))
        wait_for(lambda: process.poll() is not None or len(made()) >= wanted)  # noqa: B023
        time.sleep(rng.random() * 0.2)
        goes_on = end(ending, process, cluster)
        if goes_on and process.poll() is None:
            continue
        code, _, err = finish(process)
        assert "exists" not in err, ending
        assert (code, " 0 failed" in err) == (0, True) or not goes_on, (ending, err)
        if code != 0:
            process = start()
    code, _, err = finish(process)
    assert (code, outputs()) == (0, expected), err
    assert "exists" not in err
    wait_for(lambda: not list(Path("out").rglob("*.tmp")))


def end(ending, process, cluster):
    """Kills somebody; whether the batch is to go on."""
    if ending in ("process", "worker"):
        victim = wait_for(lambda: process.poll() is not None or writers_below("out"), pause=0.01)
        if victim is not True:
            kill(victim[0] if ending == "process" else starter_of(victim[0]))
        return True
    if ending == "client":
        process.kill()
    elif ending == "interrupt":
        process.send_signal(signal.SIGINT)
    elif process.poll() is None:
        cluster.scheduler.kill()
        code, _, err = finish(process)  # which may have had its last answer already
        assert (code, "scales: error: the scheduler at" in err) in ((1, True), (0, False)), err
        cluster.renew()
    return False


def test_results_that_go_with_their_worker_are_made_again(cluster, batch, save, monkeypatch):
    """A group is done, but nobody has the answer."""
    for index in range(6):
        save(f"{index}.png")
    assert batch("-j", "1", output="expected")[0] == 0
    wait_for(cluster.names)
    fetch, killed = distributed.Future.result, []

    def result(future, timeout=None):
        if not killed:
            killed.extend(future.client.run(os.getpid).values())
            for pid in killed:
                kill(pid)
            wait_for(lambda: future.status != "finished")
        return fetch(future, timeout)

    monkeypatch.setattr(distributed.Future, "result", result)
    code, out, err = batch("--scheduler", cluster.file)
    assert (code, len(killed), outputs()) == (0, 2, outputs("expected")), err
    assert len(out.splitlines()) == 6


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_batch_ends_while_its_scheduler_hangs(start, save, cluster, number):
    for index in range(3):
        save(f"{index}.png", (1500, 1500))
    process = start()
    wait_for(lambda: writers_below("out"))
    os.kill(cluster.scheduler.pid, signal.SIGSTOP)
    try:
        os.kill(process.pid, number)
        assert process.wait(60) == 128 + number
    finally:
        os.kill(cluster.scheduler.pid, signal.SIGCONT)


def test_a_scheduler_that_is_lost_while_it_is_asked_is_told_of(cluster):
    """What Dask raises then is of its connections: before the client says that it has lost one, or after that."""
    wait_for(cluster.names)
    scheduler = Scheduler(str(cluster.file))
    with scheduler.asking() as client:
        done = client.submit(os.getpid)
        assert done.result() > 1
    cluster.scheduler.kill()
    for ask in (lambda: client.run(os.getpid), done.result):
        with pytest.raises(LostSchedulerError, match=r"the scheduler at .*\.json is lost"), scheduler.asking():
            ask()
    scheduler.close()
    cluster.renew()


@pytest.mark.slow
def test_two_thousand_pictures_with_kills(start, cluster, batch, save):
    for index in range(2000):
        save(f"{'sub/' if index % 3 else ''}{index}.png", (24, 16))
    assert batch("-j", "1", output="expected")[0] == 0
    process, told = start(), set()
    for ending in ENDINGS:
        wanted = len(made()) + 250
        wait_for(lambda: process.has_said("scales: scheduler: ") and len(made()) >= wanted)  # noqa: B023
        if not end(ending, process, cluster):
            told |= set(finish(process)[1].splitlines())
            process = start()
    code, out, err = finish(process)
    assert (code, " 0 failed" in err, "exists" in err) == (0, True, False), err
    assert outputs() == outputs("expected")
    assert len(told) + len(out.splitlines()) <= 2000  # none is told twice


def order(tmp_path, model, **changes):
    family, files = travel.send(resolve(model))
    settings = {
        "key": "scales-test",
        "enlargement": Enlargement.of(family, scale=2),
        "threads": 1,
        "max_memory": None,
        "timeout": None,
        "folder": None,
        "visible": (),
        "offline": True,
    }
    return Order(**settings | changes), files


def test_a_worker_lacks_what_it_does_not_have(weights_file, tmp_path):
    path = weights_file(2)
    own, files = order(tmp_path, path)
    (sha256,) = files
    models = tmp_path / "models"
    assert _examine(own, models) == (sha256,)
    travel.keep({sha256: files[sha256].read_bytes()}, models)
    assert _examine(own, models) == ()
    family, _ = travel.receive(own.enlargement.family, models)
    assert family.digest(2) == resolve(path).digest(2)
    published, _ = order(tmp_path, "tiny")
    assert _examine(published, models) == ()  # as they come with the package
    assert "there is no folder /nowhere" in _examine(order(tmp_path, "tiny", visible=(Path("/nowhere"),))[0], models)


def test_a_worker_that_may_not_look_into_a_folder_says_so(monkeypatch, tmp_path):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    own, _ = order(tmp_path, "tiny", visible=(Path("/private/in"),))
    monkeypatch.setattr(Path, "is_dir", refuse)
    assert _examine(own, tmp_path) == "/private/in: cannot be read: Permission denied"


@pytest.mark.parametrize("asked", ["version", "enlist", "open_station"])
def test_workers_that_answer_with_an_error_are_refused(tmp_path, asked):
    """Or they would be asked again for ever."""
    answers = {"version": VERSION, "enlist": (), "open_station": 1} | {asked: RuntimeError("no more threads")}

    class Client:
        def scheduler_info(self, n_workers):
            return {"workers": {"tcp://a:1": {"status": "running"}}}

        def run(self, function, *arguments, workers, on_error):
            return dict.fromkeys(workers, answers[function.__name__])

    scheduler = SimpleNamespace(asking=lambda: nullcontext(Client()), is_lost=False, where="here")
    with pytest.raises(ScalesError, match="tcp://a:1: RuntimeError: no more threads"):
        Workers(scheduler, *order(tmp_path, "tiny")).look()


def test_a_station_within_its_memory(tmp_path):
    with pytest.raises(MemoryLimitError, match="do not even hold"):
        Station(order(tmp_path, "tiny")[0], 1, 2**20)


def test_auto_travels_with_both_models(tmp_path):
    auto = resolve("auto")
    assert travel.send(auto)[1] == {}  # before there are any
    auto.pull(4)
    sent, files = travel.send(auto)
    assert len(files) == 2
    received, lacking = travel.receive(sent, tmp_path)
    assert (received.digest(4), lacking) == (auto.digest(4), ())
    assert not list(tmp_path.iterdir())
