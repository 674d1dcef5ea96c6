"""The wire contract as generated from protos/; `make protos` writes everything here but this file."""
