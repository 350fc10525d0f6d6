import ast
import pickle
from pathlib import Path

import pytest

import scales_cli
from scales_cli.errors import InputError, OutputExistsError

PACKAGE = Path(scales_cli.__file__).parent


def test_an_error_that_is_about_a_file_is_another_one():
    error = InputError("damaged", "get it again")
    named = error.about("a.png")
    assert (str(named), named.message, named.hint) == ("a.png: damaged", "a.png: damaged", "get it again")
    assert type(named) is InputError
    assert named.__cause__ is error
    assert str(error) == "damaged"
    assert named.about("a.png") is named
    assert str(OutputExistsError("b.png").about("a.png")) == "a.png: b.png: exists"


@pytest.mark.parametrize("error", [InputError("text", "hint").about("a.png"), OutputExistsError("b.png")])
def test_errors_come_back_from_other_processes(error):
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.hint) == (type(error), str(error), error.hint)


def test_only_the_application_exits():
    """And the processes that it starts, of themselves."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("os._exit", "sys.exit", "exit", "quit"):
                found.add(path.relative_to(PACKAGE).as_posix())
    assert found == {"__main__.py", "cli/app.py", "system/processes.py"}
