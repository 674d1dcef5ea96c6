"""A federation in one process: the real parts, an injected clock, and faults where a network has them."""
