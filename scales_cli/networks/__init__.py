"""Backbones in torch; each takes the class of its body's convolutions."""
