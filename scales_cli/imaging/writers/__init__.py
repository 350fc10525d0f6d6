"""One file for each format: strips of rows in, bytes out."""
