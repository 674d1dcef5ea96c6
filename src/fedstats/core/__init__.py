"""The pure centre: types and rules without I/O, clock or randomness."""
