"""The department's daemon: it decides, computes, charges and answers."""
