import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from waiting import alive, processor_seconds, wait_for

from scales_cli.cli import app
from scales_cli.cli.app import main
from scales_cli.errors import InputError, MemoryLimitError, OutputError, ScalesError, UsageError, WeightsError
from scales_cli.pipeline import upscalers

SECRET = "seen only in tracebacks"


def raising(error):
    def fail(*arguments, **options):
        raise error

    return fail


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["a.png"], 0),
        ([], 2),
        (["a.png", "-s", "5"], 2),
        (["a.png", "-s", "x"], 2),
        (["a.png", "-t", "0"], 2),
        (["a.png", "--nonsense"], 2),
        (["a.png", "-o", ""], 2),
        (["a.png", "a.png", "-o", "-"], 2),
        (["a.png", "-o", "-", "--json"], 2),
        (["missing.png"], 3),
        (["."], 3),
        (["a.png", "-o", "a.xyz"], 4),
        (["a.png", "-o", "a.png", "--overwrite"], 4),
        (["a.png", "-o", "missing.png/"], 0),
        (["a.png", "-m", "missing.safetensors"], 5),
        (["a.png", "-m", "unheard-of"], 5),
        (["a.png", "-s", "4"], 5),
        (["a.png", "--max-pixels", "9"], 3),
        (["a.png", "--max-memory", "1M"], 6),
        (["missing.png", "a.png", "-o", "out"], 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_main_exit_codes(upscale, arguments, code):
    got, out, err = upscale(*arguments)
    assert got == code
    assert bool(err) == (code != 0)
    if code > 1:
        assert out == b""
        assert err.startswith("scales: error: ")
        assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ScalesError("text"), 1),
        (UsageError("text"), 2),
        (InputError("text"), 3),
        (OutputError("text"), 4),
        (WeightsError("text"), 5),
        (MemoryLimitError("text"), 6),
        (MemoryError(), 6),
        (KeyboardInterrupt(), 130),
        (RuntimeError("text"), 1),
        (RecursionError(), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_main_turns_errors_into_exit_codes(upscale, monkeypatch, error, code):
    monkeypatch.setattr(upscalers, "load_engine", raising(error))
    got, out, err = upscale("a.png")
    assert (got, out) == (code, b"")
    assert err.startswith("scales: ")
    assert err.count("\n") == 1


def test_main_of_a_lower_library_memory_error(upscale, monkeypatch):
    monkeypatch.setattr(upscalers.Upscaler, "enlarge", raising(MemoryError()))
    assert upscale("a.png")[0] == 6


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (OSError(errno.ENOSPC, "no space"), 4, "standard output: no space (is the disk full?)"),
        (OSError(errno.EIO, "broken"), 4, "standard output: broken\n"),
        (OSError(errno.EMFILE, "too many"), 6, "files may be open"),
        (OSError(errno.EPROTO, "odd"), 1, "unexpected OSError: [Errno"),
        (PermissionError(errno.EACCES, "denied", "settings"), 4, "settings: denied\n"),
    ],
)
def test_main_blames_the_disk_only_if_it_is_full(upscale, monkeypatch, error, code, text):
    monkeypatch.setattr(upscalers, "load_engine", raising(error))
    got, _, err = upscale("a.png")
    assert got == code
    assert text in err


def test_main_shows_tracebacks_when_debugging(upscale, monkeypatch):
    monkeypatch.setenv("SCALES_DEBUG", "1")
    monkeypatch.setattr(upscalers, "load_engine", raising(RuntimeError(SECRET)))
    with pytest.raises(RuntimeError, match=SECRET):
        upscale("a.png")


def test_main_refuses_to_overwrite(upscale):
    Path("a_x2.png").write_bytes(b"precious")
    code, _, err = upscale("a.png")
    assert (code, Path("a_x2.png").read_bytes()) == (4, b"precious")
    assert "--overwrite" in err
    assert upscale("a.png", "--overwrite")[0] == 0


def test_main_suggests_names(folder, capsys):
    assert main(["upsale"]) == 2
    assert "upscale" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["-h"], ["--help"], ["upscale", "-h"], ["eval", "--help"], ["train", "-h"]])
def test_main_helps(capsys, arguments):
    assert main(arguments) == 0
    assert "Usage: scales" in capsys.readouterr().out


def test_main_without_arguments_helps(capsys):
    assert main([]) == 2
    assert "upscale" in capsys.readouterr().out


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_main_prints_the_version(capsys, flag):
    import scales_cli

    assert main([flag]) == 0
    assert capsys.readouterr().out == f"scales {scales_cli.__version__}\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_main_on_a_full_standard_output(spawn, folder, model):
    with Path("/dev/full").open("wb") as full:
        for arguments in (["upscale", "a.png", "-s", "2", "-m", model, "-o", "-"], ["--version"]):
            result = spawn(*arguments, stdout=full, stderr=subprocess.PIPE)
            assert result.returncode == 4
            assert result.stderr.startswith(b"scales: error: ")
            assert b"standard output" in result.stderr
            assert result.stderr.count(b"\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_main_on_a_full_standard_error(spawn, folder, model):
    """What is said there, about success or failure, changes neither."""
    Image.new("RGBA", (4, 4), (0, 0, 0, 9)).save("b.png")
    with Path("/dev/full").open("wb") as full:
        for name, output, code, out in (("missing.png", "x.png", 3, b""), ("b.png", "b.jpg", 0, b"b.jpg\n")):
            arguments = ["upscale", name, "-s", "2", "-m", model, "-o", output]
            result = spawn(*arguments, stdout=subprocess.PIPE, stderr=full)
            assert (result.returncode, result.stdout) == (code, out)


def test_main_on_a_closed_pipe(spawn, folder, model):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        result = spawn("upscale", "a.png", "-s", "2", "-m", model, "-o", "-", stdout=closed, stderr=subprocess.PIPE)
    assert (result.returncode, result.stderr) == (4, b"")


def test_main_without_standard_streams(folder, model):
    command = f'"{sys.executable}" -m scales_cli upscale a.png -s 2 -m "{model}" <&- >&- 2>&-'
    assert subprocess.run(command, shell=True, timeout=300, check=False).returncode == 0
    assert Path("a_x2.png").exists()


@pytest.mark.parametrize("closed", [">&- 2>&-", "<&- 2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_batch_without_standard_streams(folder, model, closed):
    """A worker's pipe once got the number of one, and was then silenced."""
    command = f'"{sys.executable}" -m scales_cli batch a.png -s 2 -m "{model}" -o out {closed}'
    assert subprocess.run(command, shell=True, timeout=300, check=False).returncode == 0
    assert Path("out/a_x2.png").exists()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_main_ends_on_signals(folder, start_scales, number, code):
    """While the network runs, which takes half a minute; no file is left behind and nothing is said but one line."""
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (3000, 3000, 3), dtype=np.uint8)).save("big.png")
    process = start_scales("upscale", "big.png", "-s", "2", "-m", "base")
    assert wait_for(lambda: any(folder.glob(".scales-*.tmp")))
    before = processor_seconds(process.pid)
    process.send_signal(number)
    assert wait_for(lambda: not alive(process.pid))
    assert processor_seconds(process.pid) - before < 3
    out, err = process.communicate()
    assert (process.returncode, out) == (code, b"")
    assert err.count(b"\n") <= 1
    assert b"Traceback" not in err
    assert sorted(path.name for path in folder.iterdir()) == ["a.png", "big.png"]


def test_main_ends_while_a_thread_still_computes(folder):
    """At the end of Python, such a thread would abort the process."""
    code = """if True:
        import itertools, sys, threading
        from scales_cli import __main__
        from scales_cli.cli import app
        from scales_cli.engine import _native
        from scales_cli.system.ahead import Ahead

        def interrupted(arguments):
            numbers = (sum(map(_native.xor_popcount_rate, itertools.repeat(1e-5))) for _ in range(1))
            with Ahead(numbers, 1, threading.Event(), leave_seconds=0.1):
                raise KeyboardInterrupt

        app._run = interrupted
        sys.exit(__main__.main())"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=300, check=False)
    assert (result.returncode, result.stderr) == (130, b"scales: interrupted\n")


def test_app_registers_the_commands():
    line = app.command_line()
    names = {command.name or command.callback.__name__ for command in line.registered_commands}
    names |= {group.name for group in line.registered_groups}
    assert names == {
        "upscale",
        "batch",
        "video",
        "compare",
        "models",
        "bench",
        "eval",
        "train",
        "ablate",
        "export",
        "doctor",
    }


@pytest.mark.parametrize("home", [None, "/proc/nowhere"], ids=["unset", "read-only"])
def test_main_needs_no_home(spawn, folder, model, home):
    """And so no cache, no configuration and no network."""
    environment = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    environment |= {} if home is None else {"HOME": home, "XDG_CACHE_HOME": home, "TMPDIR": home}
    result = spawn("upscale", "a.png", "-m", "tiny", env=environment)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"a_x4.png\n", b"")


def test_a_start_does_not_look_for_garbage(folder, model):
    code = "import gc, scales_cli.__main__ as m; m.main(); print(sum(g['collections'] for g in gc.get_stats()))"
    command = [sys.executable, "-c", code, "upscale", "a.png", "-m", "tiny", "-q", "--overwrite"]
    assert int(subprocess.check_output(command, timeout=300).split()[-1]) < 30


def test_main_completes_in_shells(spawn):
    words = {"COMP_WORDS": "scales up", "COMP_CWORD": "1"}
    for instruction in ("complete_bash", "source_bash"):
        result = spawn(env=os.environ | words | {"_SCALES_COMPLETE": instruction})
        assert (result.returncode, result.stderr) == (0, b"")
        assert b"upscale" in result.stdout or b"complete" in result.stdout


def test_main_on_a_closed_unbuffered_pipe(spawn, folder, model):
    reader, writer = os.pipe()
    os.close(reader)
    arguments = ["upscale", "a.png", "-s", "2", "-m", model, "-o", "-"]
    with os.fdopen(writer, "wb") as closed:
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        result = spawn(*arguments, stdout=closed, stderr=subprocess.PIPE, env=environment)
    assert (result.returncode, result.stderr) == (4, b"")


def test_libraries_do_not_speak_on_standard_error(spawn, folder, model, rng):
    """libtiff does, of strips that it cannot decode; where bugs are looked for it may."""
    Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save("broken.tif", compression="tiff_lzw")
    data = bytearray(Path("broken.tif").read_bytes())
    data[8:400] = bytes([0xFF]) * 392
    Path("broken.tif").write_bytes(data)
    arguments = ["upscale", "broken.tif", "-s", "2", "-m", model, "-o", "b.png"]
    said = spawn(*arguments).stderr.decode().splitlines()
    assert len(said) == 1
    assert said[0].startswith("scales: error: broken.tif: ")
    assert "tempfile.tif: " in spawn(*arguments, env=os.environ | {"SCALES_DEBUG": "1"}).stderr.decode()
