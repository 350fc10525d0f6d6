"""Engines run packed weights on planes."""
