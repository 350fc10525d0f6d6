"""Writers for pictures that Pillow cannot write: 16 bits a channel."""
