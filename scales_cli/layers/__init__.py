"""The equations of SCALES in torch, one module each."""
