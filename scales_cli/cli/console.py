"""What commands say: results on standard output, everything else on standard error.

File names are data: they are never read as markup, and control characters are shown escaped wherever a person looks.
"""

from __future__ import annotations

import io
import json
import math
import os
import shutil
import sys
import textwrap
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from scales_cli.cli.streams import abandon
from scales_cli.errors import ScalesError, UsageError

if TYPE_CHECKING:
    from scales_cli.pipeline.outcome import Failed


class LeaveNow(BaseException):
    """Ends the process with exit code 0, without any of the interpreter's cleaning up."""


def printable(text: str) -> str:
    """One line that cannot steer a terminal: control, bidirectional and unpaired characters are escaped."""
    return "".join(
        char if char.isprintable() or unicodedata.category(char) == "Zs" else _escaped(char) for char in text
    )


def say(text: str) -> None:
    """One line on standard error. If that cannot be written, as on a full disk, nothing else depends on it."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(printable(text) + "\n")
        sys.stderr.flush()
    except OSError:
        abandon(sys.stderr)


def escape_what_has_no_code() -> None:
    """Characters that the encoding of standard output lacks are shown escaped, as on standard error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


@contextmanager
def without_warnings_of_pillow() -> Iterator[None]:
    """What is wrong with a picture, our own errors and notes say."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\b")
        yield


@contextmanager
def saying_warnings() -> Iterator[None]:
    """Python's warnings as lines of ours."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: say(f"scales: warning: {message}")
        yield


def say_error(error: ScalesError) -> None:
    say(f"scales: error: {error.message}" + (f" ({error.hint})" if error.hint else ""))


def check_stdout(kind: str, *, as_json: bool) -> None:
    """A result on standard output, a picture or whatever `kind` says, shares it with nothing else."""
    if as_json:
        raise UsageError(f"the {kind} and JSON cannot share standard output", "give a file to -o")
    if sys.stdout is not None and sys.stdout.isatty():
        raise UsageError(f"a {kind} cannot be shown on a terminal", "give a file to -o, or redirect the output")


def print_result(result: Written, *, quiet: bool, as_json: bool, verbose: bool = False, null: bool = False) -> None:
    """What became of one input: its path or a line of JSON on standard output, notes as warnings."""
    values = result.to_dict()
    if not quiet:
        for note in values["notes"]:
            say(f"scales: warning: {values['input']}: {note}")
        if verbose:
            say(f"scales: {values['input']}: {result.explanation}")
    if as_json:
        print_json(values)
    elif not quiet and values["output"] != "-":
        print_path(values["output"], null=null)


class Written(Protocol):
    """A result that has been written, in JSON; by which model and why, in words."""

    @property
    def explanation(self) -> str: ...

    def to_dict(self) -> dict[str, Any]: ...


def print_outcomes(
    outcomes: Iterable[Written | Failed],
    count: int,
    *,
    quiet: bool,
    as_json: bool,
    verbose: bool = False,
    null: bool = False,
) -> None:
    """What became of `count` inputs, as it comes. Raises `ScalesError` if some failed, of one input its own."""
    from scales_cli.pipeline.outcome import Failed

    failed = 0
    for outcome in outcomes:
        if not isinstance(outcome, Failed):
            print_result(outcome, quiet=quiet, as_json=as_json, verbose=verbose, null=null)
            continue
        if as_json:
            print_failure(outcome.input, outcome.error)
        if count == 1:
            raise outcome.error
        say_error(outcome.error)
        failed += 1
    if failed:
        raise ScalesError(f"{failed} of {count} pictures failed", "the lines above name them")


def print_failure(name: str, error: ScalesError) -> None:
    """The line of JSON of a picture that failed."""
    print_json({"input": name, "error": error.message, "hint": error.hint, "exit_code": error.exit_code})


def print_json(result: Mapping[str, Any]) -> None:
    """A result as one line of ASCII. JSON knows no infinity: what is not finite, as the PSNR of black, is null."""
    if sys.stdout is not None:
        sys.stdout.write(json.dumps(_finite(result), allow_nan=False) + "\n")
        sys.stdout.flush()


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def shows_bars() -> bool:
    """Whether standard error is a terminal on which a line can be written anew."""
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def progress_bar(label: str, *, quiet: bool = False) -> Iterator[Callable[[float], None] | None]:
    """A bar that takes fractions of 1 and vanishes at the end; None if there is no terminal for it."""
    if quiet or not shows_bars():
        yield None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.table import Column

    from scales_cli.cli.bars import BarConsole

    columns = (
        TextColumn("{task.fields[label]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=BarConsole(), transient=True) as progress:
        task = progress.add_task("", total=1.0, label=printable(label))
        yield lambda fraction: progress.update(task, completed=fraction)


def print_wrapped(text: str, indent: int) -> None:
    """A line on standard output; on a terminal wrapped between words, all lines but the first indented."""
    text = printable(text)
    if sys.stdout is not None and sys.stdout.isatty():
        width = max(40, shutil.get_terminal_size().columns)
        margin = " " * indent
        text = textwrap.fill(
            text, width, subsequent_indent=margin, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
        )
    print_text(text)


def print_text(text: str) -> None:
    """Lines on standard output, if there is one."""
    if sys.stdout is not None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def describe_seconds(seconds: float) -> str:
    """ "45 s", "12 min" or "3 h 05 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


def downloading(quiet: bool) -> Callable[[str], AbstractContextManager[Callable[[float], None] | None]]:
    """Makes the bar of a model that is downloaded, by its name."""
    return lambda name: progress_bar(f"downloading {name}", quiet=quiet)


def print_path(path: str, *, null: bool = False) -> None:
    """As it is for programs, escaped for people; `null` ends it with a zero byte, which no path contains."""
    if sys.stdout is None:
        return
    if sys.stdout.isatty() and not null:
        sys.stdout.write(printable(path) + "\n")
        sys.stdout.flush()
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(os.fsencode(path) + (b"\0" if null else b"\n"))
        sys.stdout.buffer.flush()


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
