import json
import math
import os
from contextlib import contextmanager

import pytest

from scales_cli.batch.batch import Status
from scales_cli.cli.batch_view import BatchReport
from scales_cli.cli.console import print_json, printable, progress_bar
from scales_cli.cli.train_view import Display
from scales_cli.cli.video_view import frame_bar


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("photo 1%.png", "photo 1%.png"),
        ("[red]ä 日本\u3000語", "[red]ä 日本\u3000語"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\u202egnp", "\\u202egnp"),
        ("\udcff", "\\udcff"),
        ("\x85\u2028", "\\x85\\u2028"),
    ],
)
def test_printable_escapes_what_steers_terminals(text, expected):
    assert printable(text) == expected


def test_progress_bar_is_for_terminals_only(capsys):
    with progress_bar("a.png") as progress:
        assert progress is None
    assert capsys.readouterr() == ("", "")


def test_progress_bar_escapes_names(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress_bar("[bold]\x1b]0;title\x07\n%s\udcff.png") as progress:
        progress(0.5)
    err = capsys.readouterr().err
    assert "[bold]\\x1b]0;ti" in err
    assert "\x07" not in err


@contextmanager
def bar_of_a_picture():
    with progress_bar("a.png") as progress:
        yield lambda: progress(0.5)


@contextmanager
def bar_of_a_batch():
    with BatchReport(quiet=False, as_json=False) as report:
        yield lambda: report.watch(Status(2, 1, planning=True))


@contextmanager
def bar_of_a_video():
    with frame_bar("a.mp4", quiet=False) as watch:
        done = watch(2)
        yield lambda: done(1)


@contextmanager
def bar_of_a_training():
    with Display(2) as display:
        yield display.compiling


bars = pytest.mark.parametrize("bar", [bar_of_a_picture, bar_of_a_batch, bar_of_a_video, bar_of_a_training])


@contextmanager
def on_a_terminal(monkeypatch):
    """Standard error is one; gives the end at which it is read, which a test closes."""
    pty = pytest.importorskip("pty")
    controller, side = pty.openpty()
    os.set_blocking(controller, False)
    with os.fdopen(side, "w") as stream, monkeypatch.context() as patch:
        patch.setenv("TERM", "xterm")
        patch.setattr("sys.stderr", stream)
        yield controller


@bars
def test_bars_leave_the_cursor(monkeypatch, bar):
    """Which Ctrl-Z, or the end of a killed program, would else not bring back."""
    with on_a_terminal(monkeypatch) as controller:
        with bar() as update:
            update()
        drawn = os.read(controller, 100_000)
        os.close(controller)
    assert b"\x1b[2K" in drawn
    assert b"\x1b[?25" not in drawn


@bars
def test_bars_outlive_their_terminal(monkeypatch, bar):
    """It may be closed, and the signal that tells so ignored."""
    with on_a_terminal(monkeypatch) as controller, bar() as update:
        os.close(controller)
        update()


def test_json_has_null_for_what_is_not_finite(capsys):
    print_json({"psnr": math.inf, "rows": [{"gain": math.nan}, (1.5, "inf")]})
    assert json.loads(capsys.readouterr().out) == {"psnr": None, "rows": [{"gain": None}, [1.5, "inf"]]}
