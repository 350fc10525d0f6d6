import json

import pytest

from scales_cli import health
from scales_cli.cli.app import main
from scales_cli.weights import store


@pytest.fixture
def doctor(folder, capfd):
    """`scales doctor --json` in this process: exit code and findings by name."""

    def run():
        code = main(["doctor", "--json"])
        report = json.loads(capfd.readouterr().out)
        assert report["healthy"] == (code == 0)
        return code, {finding["name"]: finding for finding in report["findings"]}

    return run


def test_all_is_well_here(doctor, capfd):
    code, findings = doctor()
    assert code == 0
    assert {finding["status"] for finding in findings.values()} <= {"ok", "warning"}
    assert findings["processor"]["values"]["usable_cores"] >= 1
    assert findings["memory"]["values"]["available"] > 0
    assert findings["versions"]["values"]["numpy"]
    assert main(["doctor"]) == 0
    assert len(capfd.readouterr().out.splitlines()) == len(findings)


def test_models_that_cannot_run_without_torch_are_named(doctor, monkeypatch):
    monkeypatch.setattr(health, "find_spec", lambda name: None)
    code, findings = doctor()
    assert (code, findings["models"]["status"]) == (0, "ok")
    assert "scales-swinir-mini-x4 would need torch" in findings["models"]["detail"]
    assert "base" not in findings["models"]["detail"].partition(";")[2].partition(";")[2]


def test_unknown_kernels_are_broken(doctor, monkeypatch):
    monkeypatch.setenv("SCALES_ISA", "quantum")
    code, findings = doctor()
    assert code == 1
    assert findings["engine"]["status"] == "broken"
    assert "quantum" in findings["engine"]["detail"]


def test_the_model_of_the_environment_is_looked_for(doctor, monkeypatch):
    monkeypatch.setenv("SCALES_MODEL", "tinny")
    code, findings = doctor()
    assert (code, findings["models"]["status"]) == (1, "broken")
    assert findings["models"]["detail"] == "SCALES_MODEL: no model 'tinny' (did you mean tiny?)"
    monkeypatch.setenv("SCALES_MODEL", "tiny")
    code, findings = doctor()
    assert (code, "tiny by SCALES_MODEL" in findings["models"]["detail"]) == (0, True)


def test_damaged_models_are_broken(doctor, monkeypatch, tmp_path):
    damaged = tmp_path / "scales-tiny-x2.safetensors"
    damaged.write_bytes(b"junk")
    monkeypatch.setattr(store, "bundled_path", lambda entry: damaged)
    code, findings = doctor()
    assert code == 1
    assert findings["models"]["status"] == "broken"


def test_a_damaged_cache_is_broken(doctor, own_models):
    own_models.mkdir(parents=True)
    (own_models / f"mine.{'0' * 64}.safetensors").write_bytes(b"junk")
    code, findings = doctor()
    assert code == 1
    assert "remove mine" in findings["cache"]["detail"]


def test_a_cache_that_cannot_be_written_is_a_warning(doctor, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SCALES_CACHE", str(tmp_path / "file"))
    code, findings = doctor()
    assert code == 0
    assert "SCALES_CACHE" in findings["cache"]["detail"]
    assert findings["cache"]["status"] == "warning"


def test_misspelt_variables_are_named(doctor, monkeypatch):
    monkeypatch.setenv("SCALES_THREDS", "3")
    code, findings = doctor()
    assert code == 0
    assert "SCALES_THREDS" in findings["environment"]["detail"]
    assert findings["environment"]["status"] == "warning"


def test_a_check_that_fails_by_itself_does_not_hide_the_others(doctor, monkeypatch):
    def fail():
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(health, "cpu_name", fail, raising=False)
    monkeypatch.setattr("scales_cli.bench.machine.cpu_name", fail)
    code, findings = doctor()
    assert code == 1
    assert findings["processor"]["detail"] == "unforeseen"
    assert findings["codecs"]["status"] == "ok"
