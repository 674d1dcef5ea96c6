"""One node as a process: leases over its own connection, and answers what was prepared."""

from __future__ import annotations

import json
import sys
from base64 import b64decode
from pathlib import Path

from fedstats.errors import CoordinatorUnreachable
from fedstats.identity.tls_key import TlsKey
from fedstats.wire.channel import Channel, ClientTls
from fedstats.wire.methods import LEASE, POLL_S_MAX, REPORT
from fedstats.wire.v1 import nodes_pb2

INSTANCE = bytes(16)


def main(path: Path) -> None:
    """Answer until the coordinator is gone; `path` holds what the benchmark wrote there."""
    told = json.loads(path.read_text())
    reports = {
        task: nodes_pb2.ReportRequest.FromString(b64decode(raw)) for task, raw in told["reports"].items()
    }
    key = TlsKey.from_private_pem(told["key"].encode())
    tls = ClientTls(b64decode(told["authority"]), b64decode(told["certificate"]), key)
    with Channel(told["address"], tls) as channel:
        channel.call(LEASE, nodes_pb2.LeaseRequest(instance=INSTANCE))
        print("connected", flush=True)
        while True:
            try:
                reply = channel.call(LEASE, nodes_pb2.LeaseRequest(wait_s=POLL_S_MAX, instance=INSTANCE))
                if reply.HasField("task"):
                    channel.call(REPORT, reports[reply.task.id])
            except CoordinatorUnreachable:
                return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
