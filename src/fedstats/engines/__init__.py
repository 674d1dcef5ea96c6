"""Engines: one file is one place where data is computed on."""
