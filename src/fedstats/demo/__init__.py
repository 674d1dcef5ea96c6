"""The waiting-times federation of `fedstats demo`: five NHS trusts with synthetic rows, real processes.

Every person, pathway and NHS number here is invented. The numbers behind the shapes come from published
aggregates; each table names its source.
"""
