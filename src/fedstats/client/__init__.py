"""The analyst's and the controller's side: a session that asks, verifies and adds up; keys, jobs, agreements.

Synchronous, and used by the command line and by Python alike. Everything that arrives from the coordinator is
verified here against the keys that were compared and trusted on this computer.
"""
