"""What is found out about a file before a decoder sees it: one module a format, each in bounded time and memory."""
