"""What travels between machines: messages, their canonical bytes, and the connections that carry them.

The only importer of grpc and of protobuf's runtime.
"""

from __future__ import annotations

import os

# gRPC reads this when it is imported. Without it every failed handshake goes to stderr, across whatever the
# person at the terminal is reading; the errors of `channel` say the same in sentences. Whoever wants to know
# why a server turns connections away starts it with GRPC_VERBOSITY=INFO.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
