"""`python -m fedstats` is `fedstats`."""

from __future__ import annotations

from fedstats.cli import main

if __name__ == "__main__":
    main(prog_name="fedstats")
