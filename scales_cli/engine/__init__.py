"""Engines run packed weights on planes."""

from scales_cli.engine.base import Engine, load_engine

__all__ = ["Engine", "load_engine"]
