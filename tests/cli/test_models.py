import dataclasses
import json
import os
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from scales_cli.cli.app import main
from scales_cli.cli.console import printable
from scales_cli.weights import registry, store
from scales_cli.weights.registry import Registry, load_registry

MENDING = next(entry for entry in load_registry().mending() if entry.scale == 4)
OF_AUTO = ["/scales-base-x4.safetensors", f"/{MENDING.file}"]


@pytest.fixture
def models(folder, capfd):
    """`scales models` in this process: exit code, lines of stdout, stderr."""

    def run(*arguments):
        code = main(["models", *map(str, arguments)])
        captured = capfd.readouterr()
        return code, captured.out.splitlines(), captured.err

    return run


@pytest.fixture
def not_bundled(monkeypatch, tmp_path):
    """As if the package came without models."""
    monkeypatch.setattr(store, "bundled_path", lambda entry: tmp_path / "missing" / entry.file)


def test_list_names_all_models(models):
    code, lines, err = models("list")
    assert (code, err) == (0, "")
    for entry in load_registry().entries:
        (line,) = [line for line in lines if line.startswith(entry.name + " ")]
        assert entry.licence in line
        assert "bundled" in line
        assert f"{entry.psnr['Set5']:.2f}" in line
    assert max(map(len, lines)) <= 80


def test_list_as_json_holds_what_the_files_are(models):
    code, lines, _ = models("list", "--json", "-s", "4")
    found = [json.loads(line) for line in lines]
    assert code == 0
    names = ["scales-base-x4", "scales-photo-tiny-x4", "scales-photo-x4", "scales-swinir-mini-x4", "scales-tiny-x4"]
    assert [item["name"] for item in found] == names
    assert (found[0]["parameters"], found[0]["operations"]) == (46_736, 1_625_702_400)  # the rule of METHOD's table
    assert (found[0]["where"], found[0]["cached"]) == ("bundled", False)


def test_show_prints_the_card(models):
    code, lines, _ = models("show", "scales-tiny-x2")
    assert code == 0
    _, (shown,), _ = models("show", "scales-tiny-x2", "--json")
    steps = json.loads(shown)["card"]["steps"]
    assert steps > 1000
    assert any(line.split()[:3] == ["trained", str(steps), "steps"] for line in lines)
    assert not any("{" in line or "[" in line for line in lines)
    assert all(line[15:].strip() for line in lines if line.startswith("  "))
    assert any(line.split()[0] == "validation" and line.endswith(" dB") for line in lines)
    code, (line,), _ = models("show", "tiny", "-s", "2", "--json")
    assert json.loads(line)["card"]["psnr"]["Set5"]["psnr"] > 37


def test_pull_path_list_remove(models, server, monkeypatch, own_models):
    monkeypatch.setenv("SCALES_MIRROR", server.url)
    code, (path,), err = models("pull", "scales-tiny-x4")
    assert (code, err) == (0, "")
    assert Path(path).parent == own_models
    assert models("list", "--cached", "--json")[1][0].count('"cached": true') == 1
    assert models("path") == (0, [str(own_models)], "")
    assert models("verify", "scales-tiny-x4")[1][1] == f"scales-tiny-x4: good: {path}"
    assert models("remove", "scales-tiny-x4") == (0, [], "")
    assert not list(own_models.iterdir())
    code, _, err = models("remove", "scales-tiny-x4")
    assert (code, err.count("\n")) == (5, 1)


def test_pull_of_a_size_brings_every_scale(models, server, monkeypatch, own_models):
    monkeypatch.setenv("SCALES_MIRROR", server.url)
    assert len(models("pull", "tiny")[1]) == 3
    assert len(models("pull", "tiny", "-s", "2")[1]) == 1
    assert len(list(own_models.iterdir())) == 3


def test_pull_without_an_address_gives_the_package_or_a_reason(models, not_bundled, monkeypatch):
    code, _, err = models("pull", "scales-tiny-x4")
    assert code == 5
    assert "SCALES_MIRROR" in err
    assert "--from" in err
    monkeypatch.undo()
    code, (path,), _ = models("pull", "scales-tiny-x4")
    assert code == 0
    assert Path(path).is_file()


def test_pull_from_a_file(models, published, not_bundled, own_models):
    entry = load_registry().entries[-1]
    code, _, err = models("pull", entry.family, "--from", published / entry.file)
    assert code == 2
    assert "-s" in err
    assert models("pull", entry.name, "--from", published / "scales-tiny-x2.safetensors")[0] == 5
    assert models("pull", entry.name, "--from", published / "missing")[0] == 5
    assert not list(own_models.iterdir())
    code, (path,), _ = models("pull", entry.name, "--from", published / entry.file)
    assert code == 0
    assert models("path", entry.name) == (0, [path], "")


def test_pull_from_the_web_with_a_hash(models, server, own_models):
    entry = load_registry().entries[-1]
    os.link(server.folder / entry.file, server.folder / "mine.safetensors")
    try:
        code, (path,), _ = models("pull", f"{server.url}/mine.safetensors#sha256={entry.sha256}")
        assert code == 0
        assert models("path", "mine") == (0, [path], "")
        assert main(["upscale", "a.png", "-m", "mine", "-q"]) == 0
        for address in ("/mine.safetensors", "/mine.safetensors#sha256=12", f"/{entry.file}#sha256={'0' * 64}"):
            code, _, err = models("pull", server.url + address)
            assert (code, err.count("\n")) == (2, 1)
        assert models("pull", f"http://example.org/x.safetensors#sha256={'0' * 64}")[0] == 5
    finally:
        (server.folder / "mine.safetensors").unlink()


def test_an_import_is_used_by_name(models, model, own_models):
    assert models("import", model, "--name", "mine")[0] == 0
    assert main(["upscale", "a.png", "-s", "2", "-m", "mine", "-q"]) == 0
    assert [line.split()[-1] for line in models("list")[1] if line.startswith("mine ")] == ["imported"]
    code, _, err = models("import", "a.png", "--name", "picture")
    assert (code, err.count("\n")) == (5, 1)
    (file,) = own_models.iterdir()
    file.write_bytes(b"\x80\x04pickle")
    code, _, err = models("verify")
    assert code == 5
    assert "damaged: mine" in err
    assert main(["upscale", "a.png", "-s", "2", "-m", "mine", "--overwrite"]) == 5
    assert models("prune")[:2] == (0, [str(file)])


HOSTILE = "\x1b]0;title\x07\x1b[2J\u202e\ud800\n\u65e5"


def test_a_strangers_card_steers_no_terminal(models, own_models, random_weights, tmp_path, spawn):
    """Also where standard output has no code for what is in it."""
    card = {"licence": HOSTILE, "data": [HOSTILE, {HOSTILE: 1}], "device": HOSTILE, "seconds": 1}
    dataclasses.replace(random_weights(), card=card).save(tmp_path / "its.safetensors")
    assert models("import", tmp_path / "its.safetensors", "--name", "its")[0] == 0
    for command in (["list"], ["show", "its"], ["list", "--json"], ["show", "its", "--json"]):
        code, lines, err = models(*command)
        assert (code, err) == (0, "")
        assert all(printable(line) == line for line in lines)
        result = spawn("models", *command, env=os.environ | {"PYTHONIOENCODING": "ascii:strict"})
        assert (result.returncode, result.stderr, result.stdout.isascii()) == (0, b"", True)


def test_a_link_to_nothing_is_a_damaged_model(models, own_models):
    own_models.mkdir(parents=True, exist_ok=True)
    link = own_models / f"gone.{'0' * 64}.safetensors"
    link.symlink_to("nothing")
    code, lines, _ = models("list")
    assert (code, [line.split()[-1] for line in lines if line.startswith("gone ")]) == (0, ["damaged"])
    assert "damaged: gone" in models("verify")[2]
    assert models("prune")[:2] == (0, [str(link)])


def test_default_is_used_where_no_model_is_named(models, capfd):
    assert models("default") == (0, ["auto"], "")
    assert models("default", "tiny") == (0, ["tiny"], "")
    assert main(["upscale", "a.png", "-s", "4", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["model"] == "scales-tiny-x4"
    code, _, err = models("default", "tyny")
    assert code == 5
    assert "tiny" in err
    assert models("default") == (0, ["tiny"], "")
    assert models("default", "auto") == (0, ["auto"], "")


def test_auto_stands_for_what_it_chooses_from(models):
    code, names, _ = models("path", "auto", "-s", "4")
    assert code == 0
    assert [Path(name).stem for name in names] == ["scales-base-x4", MENDING.name]
    _, lines, _ = models("show", "auto", "-s", "4", "--json")
    shown = {values["name"]: values["auto_from"] for values in map(json.loads, lines)}
    assert shown == {"scales-base-x4": 0, MENDING.name: MENDING.auto_from}
    _, lines, _ = models("show", MENDING.name)
    assert any(f"takes it from strength {100 * MENDING.auto_from:.0f} on" in line for line in lines)
    code, _, err = models("import", names[0], "--name", "auto")
    assert code == 2
    assert "cannot be a model's name" in err


def test_a_known_model_is_pulled_on_first_use(models, not_bundled, server, monkeypatch, own_models):
    monkeypatch.setenv("SCALES_MIRROR", server.url)
    assert main(["upscale", "a.png", "--offline"]) == 5
    assert "SCALES_OFFLINE" in models("list")[2] + models("pull", "base", "-s", "4")[2]
    assert server.requests == []
    monkeypatch.setenv("SCALES_OFFLINE", "")
    assert main(["upscale", "a.png", "-q"]) == 0
    assert main(["upscale", "a.png", "-q", "-s", "4", "--overwrite", "--offline"]) == 0
    assert server.requests == OF_AUTO
    assert len(list(own_models.iterdir())) == 2


def test_a_batch_pulls_once_for_all_workers(folder, server, own_models, spawn):
    code = (
        "from pathlib import Path; from scales_cli.weights import store; store.bundled_path = lambda entry: Path('x')"
    )
    (folder / "sitecustomize.py").write_text(code)
    environment = {"PYTHONPATH": f"{folder}:{os.environ['PYTHONPATH']}", "SCALES_MIRROR": server.url}
    for name in "bcd":
        (folder / f"{name}.png").write_bytes((folder / "a.png").read_bytes())
    result = spawn("batch", ".", "-o", "out", "-j", "2", env=os.environ | environment)
    assert result.returncode == 0, result.stderr
    assert server.requests == OF_AUTO
    assert len(list((folder / "out").glob("*.png"))) == 4


def test_nothing_is_sent_unless_a_model_is_missing(models, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert main(["upscale", "a.png", "-q"]) == 0
    assert models("list")[0] == models("verify")[0] == models("show", "tiny")[0] == main(["doctor"]) == 0
    monkeypatch.setenv("SCALES_MIRROR", "https://example.org")
    code, _, err = models("pull", "tiny")
    assert code == 1  # the guard works
    assert "a connection" in err
    assert models("pull", "tiny", "--offline")[0] == 0  # those of the package


def test_publish_writes_what_is_served(models, weights_file, tmp_path):
    new = weights_file(3)
    code, lines, _ = models("publish", tmp_path / "site", new, "--data-licence", "CC0")
    assert code == 0
    values = tomllib.loads((tmp_path / "site" / "registry.toml").read_text())
    assert sorted(path.name for path in (tmp_path / "site").iterdir()) == sorted(Path(line).name for line in lines)
    assert {entry["name"] for entry in values["model"]} == {
        "scales-random-x3",
        *(entry.name for entry in load_registry().entries),
    }
    code, _, err = models("publish", tmp_path / "site", "a.png")
    assert (code, err.count("\n")) == (5, 1)


def test_published_models_are_found_by_those_who_have_the_registry(models, weights_file, tmp_path, monkeypatch):
    models("publish", tmp_path / "site", weights_file(3))
    values = tomllib.loads((tmp_path / "site" / "registry.toml").read_text())
    entries = tuple(registry.WeightEntry.from_dict(entry) for entry in values["model"])
    monkeypatch.setattr(registry, "load_registry", lambda: Registry("", entries))
    monkeypatch.setenv("SCALES_MIRROR", str(tmp_path / "site"))
    assert "remote" in "".join(models("list")[1])
    assert main(["upscale", "a.png", "-s", "3", "-m", "random", "-q"]) == 0
    assert models("list", "--cached", "--json")[1][0].count("scales-random-x3") == 2


def test_pull_from_the_hub(server, own_models, tmp_path):
    """Against what answers like the hub."""
    pytest.importorskip("huggingface_hub")
    entry = load_registry().entries[-1]
    content = (server.folder / entry.file).read_bytes()

    def answer(handler):
        found = handler.path == f"/me/models/resolve/v1/{entry.file.replace('scales-', 'my-')}"
        handler.send_response(200 if found else 404)
        handler.send_header("Content-Length", str(len(content) if found else 0))
        handler.end_headers()
        if found:
            handler.wfile.write(content)

    server.answer = answer
    environment = os.environ | {"HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "hf")}
    name = entry.file.replace("scales-", "my-")
    command = [sys.executable, "-m", "scales_cli", "models", "pull", f"hf:me/models@v1/{name}"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert result.returncode == 0, result.stderr
    (path,) = own_models.iterdir()
    assert result.stdout == f"{path}\n"
    assert path.name.startswith("my-tiny-x4.")
    command[-1] = "hf:me/models@v1/missing.safetensors"
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert (result.returncode, result.stderr.count("\n")) == (5, 1), result.stderr
    assert "404 Not Found" in result.stderr, result.stderr
