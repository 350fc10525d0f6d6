"""Programs that load a model and then fork, as servers and data loaders do: the child enlarges as its parent does."""

import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")

PROGRAM = """
    import io, os, signal, sys, threading
    import cv2, numpy as np
    import scales_cli

    upscaler = scales_cli.load(sys.argv[1], 4, threads=3)
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (16, 20, 3), np.uint8)
    deep = cv2.imencode(".png", rng.integers(0, 65536, (16, 20, 3), np.uint16))[1].tobytes()

    def enlarge():
        target = io.BytesIO()
        scales_cli.upscale_file(deep, target, model=upscaler)
        return upscaler.upscale(picture).tobytes(), target.getvalue()

    def enlarge_in_a_child(generations=2):
        pid = os.fork()
        if pid == 0:
            signal.alarm(120)  # ends what hangs
            try:
                same = enlarge() == expected and (generations == 1 or enlarge_in_a_child(generations - 1))
            finally:
                os._exit(not same)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

    def work():
        while not done.is_set():
            enlarge()

    expected = enlarge()
    results = [enlarge_in_a_child()]
    done = threading.Event()
    thread = threading.Thread(target=work)
    thread.start()
    results += [enlarge_in_a_child(1) for _ in range(int(sys.argv[2]))]
    done.set()
    thread.join()
    assert enlarge() == expected
    sys.exit(results.count(False))
"""


def fork(model, times):
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(PROGRAM), model, str(times)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600, check=False)
    assert result.returncode == 0, result.stderr


def test_children_enlarge_also_if_threads_are_at_work():
    pytest.importorskip("scales_cli.engine._native")
    fork("tiny", 4)


def test_children_enlarge_with_torch():
    pytest.importorskip("torch")
    fork("swinir-mini", 0)


@pytest.mark.slow
def test_many_children():
    fork("tiny", 200)
