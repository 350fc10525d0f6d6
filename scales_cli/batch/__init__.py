"""Folders of pictures, enlarged by several processes."""

from scales_cli.batch.batch import Status, preview, run
from scales_cli.batch.outcome import LeftOut, Outcome, Planned, Skipped
from scales_cli.batch.request import BatchRequest

__all__ = ["BatchRequest", "LeftOut", "Outcome", "Planned", "Skipped", "Status", "preview", "run"]
