"""Files elsewhere: on the web, read only, and in object storages that fsspec knows."""
