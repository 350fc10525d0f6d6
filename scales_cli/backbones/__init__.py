"""Backbones as numbers: everything that is said about one but its torch module, which is in `networks`. Torch-free."""
