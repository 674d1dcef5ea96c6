"""What a daemon says about itself: events for logs, security events apart, and metrics on this machine only.

    event     one thing that happens, with the fields that may be said of it; noting it never raises
    events    every event of node, coordinator and wire
    security  those that somebody who watches over the federation wants to hear of
    fields    the kinds of fields: what cannot be a row, a literal, an exact count, a person or a secret
    lines     an event as a line of JSON, or of text
    output    where lines go, and what happens when they cannot go there
    metrics   counters that events move, gauges that are read when somebody asks, over HTTP on loopback
    settings  what the configuration says about all of this

Only `lines` imports structlog and only `metrics` imports prometheus_client, so an analyst needs neither.
"""
