"""Commands and groups of the program, as their help shows them."""

from __future__ import annotations

from copy import copy
from typing import Any

from typer.core import TyperCommand, TyperGroup

OTHER = "Other"  # the panel of what every command has


class Command(TyperCommand):
    """Shows `--help` among the other general options, not in a panel of its own before all."""

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)
        if option is not None:
            option.rich_help_panel = OTHER
        return option

    def get_params(self, ctx: Any) -> Any:
        return without_python_types(super().get_params(ctx))


class Group(TyperGroup):
    def get_params(self, ctx: Any) -> Any:
        return without_python_types(super().get_params(ctx))


def without_python_types(params: Any) -> Any:
    """Arguments and options, with no `<list[str]>` or `<bool>` beside a name that says what it takes."""
    for param in params:
        if getattr(param, "is_flag", False):
            param.metavar = ""
        elif param.param_type_name == "argument":
            param.type = copy(param.type)  # which others share
            param.type.get_metavar = lambda param, ctx: ""
    return params
