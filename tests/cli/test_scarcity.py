"""Commands where the system gives little: few open files, no more threads, no more processes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

resource = pytest.importorskip("resource")

CAPABILITIES = "+dac_read_search,+dac_override"
# Limits of processes are not for root, who keeps no more than the right to read what is his. They count all those of a
# user, and so each process of these tests has its own.
USER = ["--reuid", str(20_000 + os.getpid() % 40_000)]
AS_USER = ["setpriv", *USER, "--clear-groups", "--inh-caps", CAPABILITIES, "--ambient-caps", CAPABILITIES]


def limited(prefix, limit, count, *arguments):
    """What `scales` says and returns under a limit."""
    limits = f"import os, resource, sys; resource.setrlimit(resource.{limit}, ({count}, {count}));"
    code = f"{limits} os.execv(sys.executable, [sys.executable, '-m', 'scales_cli', *sys.argv[1:]])"
    with Path("a.png").open("rb") as stream:
        return subprocess.run(
            [*prefix, sys.executable, "-c", code, *arguments],
            stdin=stream,
            capture_output=True,
            timeout=300,
            check=False,
        )


COMMANDS = [
    ["upscale", "a.png", "-s", "2", "-m", "tiny", "-t", "4", "-o", "b.png"],
    ["upscale", "-", "-s", "2", "-m", "tiny", "-o", "b.webp"],
    ["doctor"],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_few_open_files_are_enough(folder, arguments):
    result = limited([], "RLIMIT_NOFILE", 16, *arguments)
    assert (result.returncode, result.stderr) == (0, b"")


@pytest.fixture
def unprivileged(folder, monkeypatch):
    """The start of commands that limits of processes hold for."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None or subprocess.run([*AS_USER, "true"], check=False).returncode:
        pytest.skip("the limit of processes is not for root")
    folder.chmod(0o777)
    return AS_USER


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_one_thread_is_enough(unprivileged, arguments):
    result = limited(unprivileged, "RLIMIT_NPROC", 1, *arguments)
    assert (result.returncode, result.stderr) == (0, b"")


def test_processes_that_cannot_be_started_are_named(unprivileged):
    result = limited(unprivileged, "RLIMIT_NPROC", 1, "bench", "--quick", "-m", "tiny")
    assert result.returncode == 6
    assert b"no process can be started here: Resource temporarily unavailable" in result.stderr


@pytest.mark.parametrize(("count", "code"), [(18, 0), (10, 6)])
def test_a_batch_takes_as_many_workers_as_there_are_files_for(folder, count, code):
    Path("in").mkdir()
    for name in ("in/a.png", "in/b.png", "in/c.png"):
        shutil.copy("a.png", name)
    result = limited([], "RLIMIT_NOFILE", count, "batch", "in", "-o", "out", "-s", "2", "-m", "tiny", "-j", "3")
    assert result.returncode == code
    assert len(result.stdout.splitlines()) == (0 if code else 3)
    assert (b"too few files may be open to start a process (raise `ulimit -n`)" in result.stderr) == bool(code)
    assert b"Traceback" not in result.stderr


def test_a_batch_takes_as_many_workers_as_there_are_processes_for(unprivileged, folder):
    """A worker has a thread of its own, and the process that starts them a helper."""
    Path("in").mkdir()
    for name in ("in/a.png", "in/b.png"):
        shutil.copy("a.png", name)
    arguments = ["batch", "in", "-o", "out", "-s", "2", "-m", "tiny", "-j", "2"]
    result = limited(unprivileged, "RLIMIT_NPROC", 4, *arguments)
    assert (result.returncode, len(result.stdout.splitlines())) == ((0, 2) if unprivileged else (6, 0))
    assert b"its process" not in result.stderr


@pytest.mark.parametrize(("limits", "then"), [((9, 9), (8, 9)), ((3, 9), (3, 9)), ((1, 1), (1, 1))])
def test_a_limit_of_processor_time_is_heard_of_before_it_kills(limits, then):
    code = f"""if True:
        import resource
        from scales_cli.system.resources import keep_time_to_end
        resource.setrlimit(resource.RLIMIT_CPU, {limits})
        keep_time_to_end()
        print(resource.getrlimit(resource.RLIMIT_CPU))"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == f"{then}\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["upscale", "b.png", "-o", "out/b.png"], 128 + 24, "error: the processor time is used up (raise `ulimit -t`)"),
        (["batch", "b.png", "-o", "out"], 1, "b.png: its processor time was used up (raise `ulimit -t`)"),
    ],
)
def test_processor_time_that_is_used_up_is_named(folder, arguments, code, words):
    Image.effect_noise((2000, 2000), 60).save("b.png")
    result = limited([], "RLIMIT_CPU", 4, *arguments, "-s", "2", "-m", "base")
    assert result.returncode == code, result.stderr
    assert words in result.stderr.decode()
    assert not [path for path in Path("out").rglob("*") if path.suffix in (".png", ".tmp")]
