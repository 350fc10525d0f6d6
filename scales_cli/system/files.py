"""Files that appear whole or not at all, files without a name, and folders."""

from __future__ import annotations

import errno
import functools
import hashlib
import io
import os
import re
import secrets
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from scales_cli.errors import OutputError, OutputExistsError

_ACCESS_LIST = "system.posix_acl_access"
ABANDONED_SECONDS = 24 * 3600  # nothing is longer in the writing


@contextmanager
def whole_file(target: Path, *, overwrite: bool = False, modified_ns: int | None = None) -> Iterator[BinaryIO]:
    """A stream to a temporary file beside `target` that takes its place at the end, or vanishes on any exception.

    Without `overwrite` a file that came to be there meanwhile is left as it is. With it, who may read and write the
    file that is replaced may do so with this one. `modified_ns` is the modification time that it is given. Raises
    `OSError` or `OutputExistsError`.
    """
    temporary = target.parent / f".scales-{this_process()}-{secrets.token_hex(4)}.tmp"
    try:
        with temporary.open("x+b") as stream:
            if overwrite:
                _take_permissions(target, temporary)  # before there is anything to read
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if modified_ns is not None:
            os.utime(temporary, ns=(temporary.stat().st_atime_ns, modified_ns))
        _publish(temporary, target, overwrite)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


@contextmanager
def replacing(target: Path, *, overwrite: bool = False, modified_ns: int | None = None) -> Iterator[BinaryIO]:
    """A `whole_file` whose errors are `OutputError`s."""
    try:
        with whole_file(target, overwrite=overwrite, modified_ns=modified_ns) as stream:
            yield stream
    except OSError as error:
        raise OutputError(f"{target}: cannot be written: {error.strerror or error}", "check the folder") from error


def _take_permissions(source: Path, target: Path) -> None:
    """The mode of a file, if it exists; its owner, group and access list as far as this user may give them."""
    try:
        status = source.stat()
    except OSError:
        return
    if hasattr(os, "chown"):
        for owner in (status.st_uid, -1):
            with suppress(OSError):
                os.chown(target, owner, status.st_gid)
                break
    target.chmod(stat.S_IMODE(status.st_mode) & 0o777)
    if hasattr(os, "setxattr"):
        with suppress(OSError):  # there is none, or the file system has none
            os.setxattr(target, _ACCESS_LIST, os.getxattr(source, _ACCESS_LIST))


def _publish(temporary: Path, target: Path, overwrite: bool) -> None:
    if not overwrite:
        refusal = OutputExistsError(target)
        try:
            os.link(temporary, target)  # which, unlike renaming, fails if there is a file
        except FileExistsError as error:
            raise refusal from error
        except OSError as error:  # a file system without hard links
            if os.path.lexists(target):
                raise refusal from error
        else:
            temporary.unlink()
            return
    temporary.replace(target)


def remove_temporary_files(folder: Path, pid: int) -> None:
    """Removes what a process that was killed while it wrote into `folder` has left there."""
    _remove(folder.glob(f".scales-{_machine()}-{pid}-*.tmp"))


def abandoned_files(folder: Path) -> list[Path]:
    """The temporary files of runs that were killed with all their processes.

    That is known of those on this machine. Of others on a shared folder: they were not written to for a day.
    """
    return [path for path in folder.glob(".scales-*-*.tmp") if _is_abandoned(path)]


def remove_abandoned_files(folder: Path) -> None:
    _remove(abandoned_files(folder))


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink()


def _is_abandoned(path: Path) -> bool:
    match = re.fullmatch(r"\.scales-([0-9a-f]{8})-(\d{1,9})-[0-9a-f]+\.tmp", path.name)
    if match and match[1] == _machine() and not _is_running(int(match[2])):
        return True
    return time.time() - _modified(path) > ABANDONED_SECONDS


def this_process() -> str:
    """A name of this process, which `is_at_work` knows: its machine and number."""
    return f"{_machine()}-{os.getpid()}"


def is_at_work(process: str) -> bool:
    """Whether a process of this machine, named by its `this_process`, is running; of others that is not known."""
    machine, _, pid = process.partition("-")
    return machine == _machine() and pid.isdecimal() and len(pid) < 10 and _is_running(int(pid))


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # as of another user's
        return True
    with suppress(OSError):  # where there is no /proc
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] != b"Z"  # ended, if nobody has asked yet
    return True


@functools.cache
def _machine() -> str:
    """What systems share that number their processes together, so no two containers; "0" if that is not known."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        return hashlib.sha256(f"{boot}{Path('/proc/self/ns/pid').readlink()}".encode()).hexdigest()[:8]
    except OSError:  # not Linux
        return "0"


def make_folder(folder: Path, hint: str) -> None:
    """Makes a folder and those above it, if they are missing. Raises `OutputError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}", hint) from error


def open_regular(path: str | Path) -> io.BufferedReader:
    """A file opened for reading. What is no file is not opened, as a pipe would be waited for. Raises `OSError`."""
    if stat.S_ISREG(Path(path).stat().st_mode):
        stream = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 (Path.open takes no opener)
        if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):  # still
            return stream
        stream.close()
    raise OSError(errno.EINVAL, "is not a file", os.fspath(path))


def read_small_text(path: str | Path, most: int = 2**20) -> str:
    """What is in a file of up to `most` bytes, such as settings. Raises `OSError`, `UnicodeError`."""
    with open_regular(path) as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, "is too large", os.fspath(path))
    return data.decode("utf-8")


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


@contextmanager
def new_folders() -> Iterator[Callable[[Path], None]]:
    """Makes folders, with those above them; of the new ones, those with nothing in them at the end are removed.

    What makes them raises `OutputError`.
    """
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.extend([path for path in (folder, *folder.parents) if not path.exists()][::-1])
        make_folder(folder, "choose another folder")

    try:
        yield make
    finally:
        for folder in reversed(made):
            with suppress(OSError):
                folder.rmdir()


def unwritable_above(folder: Path) -> Path | None:
    """The folder itself, or the nearest above it that there is, if nothing can be made in that."""
    while not os.access(f"{folder}/", os.W_OK | os.X_OK):  # which no file's name ends with
        if folder.exists() or folder == folder.parent:
            return folder
        folder = folder.parent
    return None


def file_identity(path: str | Path) -> int | None:
    """What all names of one file share, through links and whatever case the file system ignores; None without one."""
    try:
        status = os.stat(path)  # noqa: PTH116 (which is asked of every picture of a batch)
    except (OSError, ValueError):
        return None
    return status.st_dev << 64 | status.st_ino  # of which many are kept


@contextmanager
def temporary_file() -> Iterator[BinaryIO]:
    """A file without a name, which is gone when it is closed."""
    with using_temporary_folder(), tempfile.TemporaryFile() as stream:
        yield stream


@contextmanager
def using_temporary_folder() -> Iterator[None]:
    """Turns what goes wrong with temporary files into an `OutputError` that names their folder."""
    try:
        yield
    except BrokenPipeError:  # of whom the file was for
        raise
    except OSError as error:
        reason = f"{tempfile.tempdir}: cannot be written: {error.strerror or error}"
        if tempfile.tempdir is None:  # none was found
            reason = "there is no temporary folder that can be written to"
        raise OutputError(reason, "set TMPDIR to a folder with space") from error


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # removed by another process
        return time.time()
