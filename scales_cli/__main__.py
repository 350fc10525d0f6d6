"""`python -m scales_cli`, and the command `scales`."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading

# A start makes half a million objects, and no garbage: to look for it every 700 takes 40 ms.
_OBJECTS_BETWEEN_LOOKS = 100_000
_OF_SIGNALS = 128  # and a signal's number: exit codes from here on


def main() -> int:
    """`cli.app.main`; Ctrl-C is answered quietly even while that is imported."""
    if sys.argv[1:2] not in (["train"], ["ablate"]):  # where torch may compute with it
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # nothing needs more, and it interrupts us if it gets none
        gc.set_threshold(_OBJECTS_BETWEEN_LOOKS)
    _occupy_standard_streams()
    _keep_libraries_quiet()
    try:
        from scales_cli.cli.app import main as run

        code = run()
    except KeyboardInterrupt:
        code = 130
    _leave_threads(code)
    gc.freeze()  # or Python would look through all that there is, a tenth of a second long, before it ends
    return code


def _occupy_standard_streams() -> None:
    """If some are closed, gives their numbers to nothing, or what is opened next would be taken for one of them."""
    with contextlib.suppress(OSError):  # without room for a file, or /dev; what matters of that is said later
        while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
            os.set_inheritable(number, True)
        os.close(number)


def _leave_threads(code: int) -> None:
    """Ends the process at once if a thread of ours cannot be waited for.

    Python would abort when a daemon comes back, and after a signal would wait for ever for a thread that waits for what
    the interrupted one had locked.
    """
    ours = [thread for thread in threading.enumerate() if thread.name.startswith("scales")]
    if any(thread.daemon or code >= _OF_SIGNALS for thread in ours):
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(AttributeError, OSError, ValueError):  # it is closed, or was never there
                stream.flush()
        os._exit(code)


def _keep_libraries_quiet() -> None:
    """Leaves standard error to Python: decoders write there on their own, beside the one line that says it all."""
    if os.environ.get("SCALES_DEBUG") == "1" or sys.stderr is None:
        return
    try:
        kept = os.dup(2)
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 2)
        os.close(silence)
    except OSError:
        return
    sys.stderr = os.fdopen(kept, "w", 1, encoding=sys.stderr.encoding, errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
