"""What stands between this program and the system: files, memory, cores, threads and processes."""
