"""The demo ends what it started, also when it is ended from outside."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from fedstats.demo.founding import Places
from fedstats.demo.processes import command, environment

END_S_MAX = 60


def is_listening(port: int) -> bool:
    """Whether something answers at this port of this computer."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without asking it")
@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGHUP])
def test_a_demo_that_is_asked_to_end_leaves_no_process(tmp_path: Path, asked: signal.Signals) -> None:
    """SIGTERM or a closed terminal in the middle of the demo: its coordinator ends with it."""
    arguments = ["demo", "--keep", "--pathways", "100", "--folder", str(tmp_path / "demo")]
    with subprocess.Popen(command(arguments), stdout=subprocess.PIPE, text=True, env=environment()) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "Starting the coordinator: done" in line:
                break
        config = tomllib.loads((Places(tmp_path / "demo").coordinator / "coordinator.toml").read_text())
        port = int(str(config["address"]).rpartition(":")[2])
        assert is_listening(port)
        demo.send_signal(asked)
        assert demo.wait(END_S_MAX) == 128 + asked
        assert not is_listening(port)
