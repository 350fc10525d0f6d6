from pathlib import Path

import pytest

from scales_cli.errors import OutputError
from scales_cli.training.log import Log


def test_a_log_says_that_it_cannot_be_written(tmp_path):
    with pytest.raises(OutputError, match="/dev/full: cannot be written: No space left"):
        Log(Path("/dev/full")).add(1, 2.0, 1e-3, 9.0, 24.0)
    with pytest.raises(OutputError, match=r"missing/log\.csv: cannot be written"):
        Log(tmp_path / "missing/log.csv").add(1, 2.0, 1e-3, 9.0, 24.0)


def test_a_log_that_is_cut_goes_on_after_a_step(tmp_path):
    log = Log(tmp_path / "log.csv")
    for step in (1, 2, 3):
        log.add(step, 2.0, 1e-3, 9.0, 24.0)
    with (tmp_path / "log.csv").open("a") as file:
        file.write("4,2.0,0.0")  # torn
    with (tmp_path / "log.csv").open("ab") as file:
        file.write(b"\xff\x00\n")  # as after a crash of the machine
    log.cut(2)
    log.add(5, 2.0, 1e-3, 9.0, 24.0)
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["step", "1", "2", "5"]
