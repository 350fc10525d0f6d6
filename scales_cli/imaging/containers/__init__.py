"""What a file is made of beside its pixels: boxes, chunks, segments, directories. One walker a format, each bounded."""
