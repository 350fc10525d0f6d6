"""Every error this program raises on purpose.

ScalesError                exit 1   something went wrong that has no better class
├── DivergedError                   ... a training whose loss is no longer finite
├── TransferError                   ... a file of the web that cannot be had, until it is known what it was for
├── UsageError             exit 2   arguments that cannot be meant
├── InputError             exit 3   an input that is unreadable, unsupported or refused
│   ├── PixelLimitError             ... because it has more pixels than --max-pixels allows this time
│   └── UnreadableError             ... because the system or a storage does not give it, which it may the next time
├── OutputError            exit 4   an output that cannot be written
│   └── OutputExistsError           ... because there is a file already
├── WeightsError           exit 5   a model that is unknown, damaged or incompatible
└── MemoryLimitError       exit 6   a memory bound that cannot be met
    └── ScarcityError               ... processes, threads or open files that the system does not grant

Library code raises these; only `cli/app.py` prints them and exits.
"""

from __future__ import annotations

import errno
from typing import Self

FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what systems say of a file that has no room


class ScalesError(Exception):
    """Base of all errors: one line that says what happened, one that says what to do about it."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message

    def about(self, name: object) -> Self:
        """A copy that names what it is about in front of its message; itself, if its message begins with that."""
        if self.message.startswith(f"{name}:"):
            return self
        error = type(self).__new__(type(self), *self.args)  # by copy.copy it would share all, once Dask is imported
        error.__dict__.update(self.__dict__)
        error.message = f"{name}: {self.message}"
        error.__cause__ = self
        return error


def hint_of(error: OSError, usual: str) -> str:
    """What helps against an error, if whoever raised it has noted that, else what `usual`ly does."""
    return next(iter(getattr(error, "__notes__", ())), usual)


class DivergedError(ScalesError):
    pass


class TransferError(ScalesError):
    pass


class UsageError(ScalesError):
    exit_code = 2


class InputError(ScalesError):
    exit_code = 3


class PixelLimitError(InputError):
    pass


class UnreadableError(InputError):
    pass


class OutputError(ScalesError):
    exit_code = 4


class OutputExistsError(OutputError):
    def __init__(self, target: object) -> None:
        super().__init__(f"{target}: exists", "add --overwrite to replace it")


class WeightsError(ScalesError):
    exit_code = 5


class MemoryLimitError(ScalesError):
    exit_code = 6


class ScarcityError(MemoryLimitError):
    pass
