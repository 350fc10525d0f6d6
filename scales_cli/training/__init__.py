"""Training in torch: patches in, checkpoints and packed weights out."""
