"""What is timed against each other: scales, full-precision twins of its network in other runtimes, smaller networks and
interpolations. Every runtime is imported inside functions, which run in the contender's own process."""
