"""Video: frames whose planes are enlarged as they are, read from and written to Y4M streams and containers."""
