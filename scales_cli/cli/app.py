"""The command `scales`. `main` is the only place that turns errors into a line and an exit code (see `errors.py`)."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Annotated, Any

import typer

from scales_cli.cli.command import Command, Group
from scales_cli.cli.console import (
    LeaveNow,
    escape_what_has_no_code,
    say,
    say_error,
    without_warnings_of_pillow,
)
from scales_cli.cli.streams import abandon
from scales_cli.errors import FULL_DISK, MemoryLimitError, OutputError, ScalesError, ScarcityError, UsageError
from scales_cli.system.resources import keep_time_to_end, share_freed_memory

# Commands in the order of the help, and what they are in the module of their name, or in another.
COMMANDS = {
    "upscale": "upscale.upscale",
    "batch": "batch.batch",
    "compare": "compare.compare",
    "video": "video.video",
    "eval": "evaluate.evaluate",
    "train": "train.train",
    "ablate": "ablate.ablate",
    "export": "export.export",
    "bench": "bench.bench",
    "doctor": "doctor.doctor",
    "models": "models.app",
}

_OF_WRITING = (*FULL_DISK, errno.EIO, errno.EBADF, errno.EAGAIN, errno.EINVAL, errno.ENXIO)


class Terminated(BaseException):
    """A signal that ends the program; passes every `except Exception`, so that temporary files are removed."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


def print_version(wanted: bool) -> None:
    if wanted:
        import scales_cli

        typer.echo(f"scales {scales_cli.__version__}")
        raise typer.Exit


def options(
    version: Annotated[
        bool, typer.Option("-V", "--version", is_eager=True, callback=print_version, help="Print the version.")
    ] = False,
) -> None:
    pass


def command_line(arguments: Sequence[str] = ()) -> typer.Typer:
    """The program for these arguments: with the one command that they begin with, else with all of them.

    To import all commands and to read their options takes a tenth of the time of a small picture.
    """
    app = typer.Typer(
        name="scales",
        cls=Group,
        help="Upscale pictures with 1-bit neural networks, on any CPU.",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(options)
    for name in [arguments[0]] if arguments and arguments[0] in COMMANDS else COMMANDS:
        module, attribute = COMMANDS[name].split(".")
        command = getattr(importlib.import_module(f"scales_cli.cli.{module}"), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name, cls=Command)(command)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    share_freed_memory()  # or many threads would keep more than a limit allows
    try:
        escape_what_has_no_code()
        with _ending_on_signals(), without_warnings_of_pillow():
            code = _run(_as_options(arguments) or ["--help"])
            if sys.stdout is not None:
                sys.stdout.flush()
            return code if arguments else UsageError.exit_code
    except ScalesError as error:
        say_error(error)
        return error.exit_code
    except Terminated as error:
        if error.exit_code == 128 + getattr(signal, "SIGXCPU", 0):
            say("scales: error: the processor time is used up (raise `ulimit -t`)")
        return error.exit_code
    except LeaveNow:
        os._exit(0)
    except KeyboardInterrupt:
        say("scales: interrupted")
        return 130
    except BrokenPipeError:
        abandon(sys.stdout)
        return OutputError.exit_code
    except OSError as error:  # pictures have their own errors; writing to a standard stream names no file
        if error.errno in (errno.EMFILE, errno.ENFILE):
            say("scales: error: too few files may be open (raise `ulimit -n`)")
            return ScarcityError.exit_code
        if error.filename is None and error.errno == errno.ENOENT:  # as getcwd(2) says it
            say("scales: error: the working folder was removed (go to another one)")
            return UsageError.exit_code
        if error.filename is None and error.errno not in _OF_WRITING:
            return _say_unexpected(error)
        if error.filename is None:
            abandon(sys.stdout)
        hint = " (is the disk full?)" if error.errno in FULL_DISK else ""
        say(f"scales: error: {error.filename or 'standard output'}: {error.strerror or error}{hint}")
        return OutputError.exit_code
    except MemoryError:
        say("scales: error: not enough memory (use a smaller picture)")
        return MemoryLimitError.exit_code
    except RuntimeError as error:
        from scales_cli.system.threads import is_limit_of_threads

        if not is_limit_of_threads(error):
            return _say_unexpected(error)
        say("scales: error: no thread can be started here (raise the limit of processes: ulimit -u, or that of pids)")
        return ScarcityError.exit_code
    except Exception as error:
        return _say_unexpected(error)


def _as_options(arguments: list[str]) -> list[str]:
    """Arguments with `help COMMAND` as `COMMAND --help`, and `version` as `--version`."""
    match arguments:
        case ["help", *command]:
            return [*command, "--help"]
        case ["version"]:
            return ["--version"]
    return arguments


def _say_unexpected(error: Exception) -> int:
    if os.environ.get("SCALES_DEBUG") == "1":
        raise error
    say(f"scales: error: unexpected {type(error).__name__}: {error} (SCALES_DEBUG=1 shows where)")
    return ScalesError.exit_code


def _run(arguments: Sequence[str]) -> int:
    """Typer's part, with its errors as ours."""
    command = typer.main.get_command(command_line(arguments))
    try:
        code = command.main(args=list(arguments), prog_name="scales", standalone_mode=False)
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    except SystemExit as error:  # how Typer reports a closed pipe, and ends shell completion
        if isinstance(error.__context__, OSError):
            raise BrokenPipeError from error
        raise
    except Exception as error:
        if not hasattr(error, "format_message"):  # the base class of usage errors differs between versions of Typer
            raise
        if not error.format_message():  # a group without a command, whose help was printed
            return UsageError.exit_code
        raise UsageError(error.format_message().rstrip("."), _hint(error, arguments)) from error
    if code == 130:  # how Typer reports Ctrl-C
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


def _hint(error: Any, arguments: Sequence[str]) -> str:
    """What helps against wrong usage."""
    if variable := _variable_of(error):
        return f"it is from {variable}"
    if arguments[0] not in COMMANDS and os.path.exists(arguments[0]):  # noqa: PTH110 - Path raises if the name is too long
        return "`scales upscale` enlarges pictures, `scales batch` folders"
    context = getattr(error, "ctx", None)
    return f"see `{context.command_path if context is not None else 'scales'} --help`"


def _variable_of(error: Any) -> str | None:
    """The environment variable that a value which cannot be used is from."""
    context, param = getattr(error, "ctx", None), getattr(error, "param", None)
    source = None if context is None or param is None else context.get_parameter_source(param.name)
    return str(param.envvar) if param and source is not None and source.name == "ENVIRONMENT" else None


@contextlib.contextmanager
def _ending_on_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP unwind the stack as Ctrl-C does; whatever comes after the first one waits for that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        for other in previous:
            signal.signal(other, signal.SIG_IGN)
        raise KeyboardInterrupt if number == signal.SIGINT else Terminated(number)

    keep_time_to_end()
    previous: dict[Any, Any] = {}
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGXCPU"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:  # nohup
            previous[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
