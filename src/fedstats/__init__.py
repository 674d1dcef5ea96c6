"""fedstats."""
