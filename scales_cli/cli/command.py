"""A command of the program, whose help is grouped by what its options are about."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

OTHER = "Other"  # the panel of what every command has


class Command(TyperCommand):
    """Shows `--help` among the other general options, not in a panel of its own before all."""

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)
        if option is not None:
            option.rich_help_panel = OTHER
            option.metavar = ""
        return option
