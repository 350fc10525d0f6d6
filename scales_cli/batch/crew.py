"""Who does a batch's work: processes of this machine, each within its share of the memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from scales_cli.batch.request import BatchRequest
from scales_cli.batch.worker import BatchWorker
from scales_cli.errors import MemoryLimitError
from scales_cli.pipeline.memory import default_limit
from scales_cli.pipeline.outcome import Failed
from scales_cli.system.files import remove_temporary_files
from scales_cli.system.process_pool import Call, Later, WorkerPool
from scales_cli.system.processes import WorkerError
from scales_cli.system.resources import anonymous_bytes, usable_cores

Running = Sequence[tuple[Any, float]]  # tasks in work, each with its done fraction

_WORKER_BYTES = 256 * 2**20  # for a program with its modules, and a picture of some megapixels


class Crew(Protocol):
    """Takes calls of `BatchWorker`, those to `enlarge` without bounds. `size` is how many it has in work at a time."""

    @property
    def size(self) -> int: ...

    @property
    def workers(self) -> int | None:
        """How many other machines' workers take part, or None if it is this machine's work."""

    def begin(self) -> None:
        """Called before anything is enlarged. Raises `MemoryLimitError` if there is no memory for that."""

    def alone(self) -> None:
        """From here on, pictures get all memory that there is for one."""

    def run(
        self, tasks: Iterable[Any | Later], call: Callable[[Any], Call], watch: Callable[[Running], None]
    ) -> Iterator[tuple[Any, Any]]:
        """Makes the `call` of each task; gives the task and the answer, as `WorkerPool.run`."""
        ...

    def close(self) -> list[tuple[Any, Any]]:
        """Ends what is in work; gives what is known of it, as `run`."""
        ...


@dataclass(frozen=True)
class Bounds:
    """A worker may take `limit` bytes of memory, others take those `beside`."""

    limit: int
    beside: int


class LocalCrew:
    """The processes of a pool; with this one and others of their kind, `shares` in all, they take `limit` bytes."""

    def __init__(
        self, pool: WorkerPool[Any], limit: int, shares: int | None = None, folder: Path | None = None
    ) -> None:
        """`folder` is the working folder of processes that have another than this one."""
        self._pool, self._limit, self._shares = pool, limit, shares
        self._folder = folder or Path()
        self._bounds = Bounds(limit, 0)
        self._alone = False
        self._folders: dict[Any, Path] = {}  # that tasks in work write to

    @classmethod
    def of(cls, request: BatchRequest, pictures: int) -> LocalCrew:
        """By default a process for each core; fewer if there are fewer pictures or little memory."""
        limit = default_limit() if request.max_memory is None else request.max_memory
        cores = usable_cores()
        size = max(1, min(request.jobs or cores, pictures, limit // _WORKER_BYTES))
        threads = request.threads or max(1, cores // size)
        return cls(WorkerPool(size, BatchWorker, request.enlargement, threads, timeout=request.timeout), limit)

    @property
    def size(self) -> int:
        return self._pool.size

    @property
    def workers(self) -> None:
        return None

    def begin(self) -> None:
        own = anonymous_bytes()
        if self._limit <= own:
            raise MemoryLimitError(
                f"{self._limit // 2**20} MiB of memory do not even hold the program", "raise --max-memory"
            )
        self._bounds = Bounds((self._limit - own) // (self._shares or self._pool.size), own)

    def alone(self) -> None:
        self._alone = True
        self._pool.renew(1)
        self._bounds = Bounds(self._limit - self._bounds.beside, self._bounds.beside)

    def run(
        self,
        tasks: Iterable[Any | Later],
        call: Callable[[Any], Call],
        watch: Callable[[Running], None] = lambda running: None,
    ) -> Iterator[tuple[Any, Any]]:
        def bounded(task: Any) -> Call:
            method, *arguments = call(task)
            if method is not BatchWorker.enlarge:
                return method, *arguments
            draft, _ = arguments
            if isinstance(draft.target, Path):  # a storage shows nothing before it is complete
                self._folders[task] = self._folder / draft.target.parent
            return method, *arguments, self._bounds.limit, self._bounds.beside

        def keep(answer: Any) -> bool:
            """Whether the process has as much memory as a new one."""
            return not self._alone or is_too_large(answer)

        for task, answer, pid in self._pool.run(tasks, bounded, watch, keep):
            yield self._swept(task, answer, pid)

    def close(self) -> list[tuple[Any, Any]]:
        return [self._swept(*left) for left in self._pool.close()]

    def _swept(self, task: Any, answer: Any, pid: int) -> tuple[Any, Any]:
        """A process that ended may have left temporary files."""
        folder = self._folders.pop(task, None)
        if isinstance(answer, WorkerError) and folder is not None:
            remove_temporary_files(folder, pid)
        return task, answer


def is_too_large(answer: Any) -> bool:
    """Whether a picture does not fit in the memory that there was for it."""
    return isinstance(answer, Failed) and isinstance(answer.error, MemoryLimitError)
