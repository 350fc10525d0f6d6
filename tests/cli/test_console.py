import json
import math

import pytest

from scales_cli.cli.console import print_json, printable, progress_bar


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


def test_json_has_null_for_what_is_not_finite(capsys):
    print_json({"psnr": math.inf, "rows": [{"gain": math.nan}, (1.5, "inf")]})
    assert json.loads(capsys.readouterr().out) == {"psnr": None, "rows": [{"gain": None}, [1.5, "inf"]]}
