import re
import shlex
import subprocess
import sys

import pytest
import typer

from scales_cli.cli import values
from scales_cli.cli.app import command_line, main


def commands():
    """Every command's words, as ("models", "list")."""
    found = []

    def visit(command, words):
        for name, child in getattr(command, "commands", {}).items():
            visit(child, (*words, name))
        if not hasattr(command, "commands"):
            found.append((words, command))

    visit(typer.main.get_command(command_line()), ())
    return found


@pytest.mark.parametrize("words", [words for words, _ in commands()], ids=" ".join)
def test_help_fits_a_terminal_and_shows_examples(words, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 80)
    assert main([*words, "--help"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert not re.search(r"<(bool|str|list|path|int)\b", text)
    assert "Other" in text
    assert text.count(f"scales {' '.join(words)} ") >= 2


def test_help_of_upscale_is_a_page_and_a_half(monkeypatch, capsys):
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 80)
    assert main(["upscale", "--help"]) == 0
    assert len(capsys.readouterr().out.splitlines()) < 60


def test_help_is_a_command_too(capsys):
    assert main(["help"]) == 0
    assert "upscale" in capsys.readouterr().out
    assert main(["help", "models", "list"]) == 0
    assert "--cached" in capsys.readouterr().out
    assert main(["help", "nonsense"]) == 2


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("upscale -m ti", {"tiny"}),
        ("upscale -m scales-base-", {"scales-base-x2", "scales-base-x3", "scales-base-x4"}),
        ("batch --format p", {"png", "ppm"}),
        ("upscale --metadata ", {"safe", "keep", "none"}),
        ("upscale --frames a", {"all"}),
        ("train --size r", {"rdn", "rcan", "rcan-mini"}),
        ("models show ti", {"tiny"}),
    ],
)
def test_values_complete_in_shells(words, expected):
    environment = {"_SCALES_COMPLETE": "complete_bash", "COMP_WORDS": f"scales {words}"}
    environment["COMP_CWORD"] = str(len(f"scales {words}".split(" ")) - 1)
    command = [sys.executable, "-m", "scales_cli"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert set(result.stdout.split()) == expected, result.stderr


@pytest.mark.parametrize("text", ["2x", "1.5", "4X"])
def test_factors_may_be_written_as_people_do(text):
    assert values.parse_factor(text) == float(text[:-1] if text[-1] in "xX" else text)


@pytest.mark.parametrize("command", [["upscale"], ["batch", "-o", "out"]])
def test_offline_opens_no_address(command, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCALES_OFFLINE", "1")
    for address in ("https://example.org/a.png", "s3://bucket/a.png"):
        assert main([*command, address]) in (2, 1)
        said = f"{address} cannot be opened offline (leave out --offline, and unset SCALES_OFFLINE)"
        assert said in capsys.readouterr().err


def test_larger_scales_are_told_what_to_do(capsys):
    assert main(["upscale", "a.png", "-s", "8"]) == 2
    assert "enlarge the result again" in capsys.readouterr().err


def test_a_picture_in_the_place_of_a_command_brings_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["a.png"]) == 2
    assert "(see `scales --help`)" in capsys.readouterr().err
    (tmp_path / "a.png").write_bytes(b"")
    assert main(["a.png", "-s", "2"]) == 2
    assert "(`scales upscale` enlarges pictures, `scales batch` folders)" in capsys.readouterr().err


@pytest.mark.parametrize(("option", "variable"), [("-t", "SCALES_THREADS"), ("--max-memory", "SCALES_MAX_MEMORY")])
def test_a_variable_that_is_wrong_is_named(option, variable, monkeypatch, capsys):
    monkeypatch.setenv(variable, "x")
    assert main(["upscale", "a.png"]) == 2
    assert f"(it is from {variable})" in capsys.readouterr().err
    assert main(["upscale", "a.png", option, "y"]) == 2
    assert "(see `scales upscale --help`)" in capsys.readouterr().err


@pytest.mark.parametrize("group", [[], ["models"]])
def test_every_command_has_one_line_in_its_group(group, monkeypatch, capsys):
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 80)
    assert main([*group, "--help"]) == 0
    lines = capsys.readouterr().out.partition("Commands")[2].splitlines()[1:-2]
    names = [words[-1] for words, _ in commands() if list(words[:-1]) == group] + ([] if group else ["models"])
    assert len(lines) == len(names)


@pytest.mark.parametrize("words", [words for words, _ in commands()], ids=" ".join)
def test_examples_in_help_have_options_that_exist(words):
    (command,) = [command for names, command in commands() if names == words]
    lines = [line.removeprefix("$ ") for line in command.help.splitlines() if line.startswith("$ ")]
    examples = [part.strip() for line in lines for part in line.split(" | ") if part.strip().startswith("scales ")]
    assert len(examples) == 2
    for example in examples:
        arguments = shlex.split(example, comments=True)[1:]
        assert tuple(arguments[: len(words)]) == words
        command.make_context(words[-1], arguments[len(words) :])
