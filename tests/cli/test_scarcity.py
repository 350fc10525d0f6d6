"""Commands where the system gives little: few open files, no more threads, no more processes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

resource = pytest.importorskip("resource")

CAPABILITIES = "+dac_read_search,+dac_override"
# Limits of processes are not for root, who keeps no more than the right to read what is his.
AS_USER = ["setpriv", "--reuid", "64321", "--clear-groups", "--inh-caps", CAPABILITIES, "--ambient-caps", CAPABILITIES]


def limited(prefix, limit, count, *arguments):
    """What `scales` says and returns under a limit."""
    limits = f"import os, resource, sys; resource.setrlimit(resource.{limit}, ({count}, {count}));"
    code = f"{limits} os.execv(sys.executable, [sys.executable, '-m', 'scales_cli', *sys.argv[1:]])"
    with Path("a.png").open("rb") as stream:
        return subprocess.run(
            [*prefix, sys.executable, "-c", code, *arguments],
            stdin=stream,
            capture_output=True,
            timeout=60,
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
    assert result.returncode == 1
    assert b"no process can be started here: Resource temporarily unavailable" in result.stderr
