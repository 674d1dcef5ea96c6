"""What the doctors' tests share: a healthy joined node, a coordinator's port over real TLS, a proxy."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from one_node import make_home
from samples import NOW_S, sample_agreement, seed_key

from fedstats.core.agreement import Agreement
from fedstats.core.appointment import AppointedRole, Appointment
from fedstats.core.checks import Check, Health
from fedstats.engines import engine_of
from fedstats.identity.certificates import Authority, issue, make_authority
from fedstats.identity.key_files import write_certificate, write_key
from fedstats.identity.keys import Context, Signed
from fedstats.identity.peer import Peer, Role
from fedstats.identity.tls_key import TlsKey
from fedstats.node.doctor import Doctor
from fedstats.node.home import Home
from fedstats.wire.codec import encode_appointment, signed_to
from fedstats.wire.software import SOFTWARE
from fedstats.wire.v1 import agreements_pb2

NOW = datetime.fromtimestamp(NOW_S, UTC)
DAY_S = 86_400
YEAR_S = 366 * DAY_S
AUTHORITY = make_authority("Waiting times", now=NOW)
_DATASETS = tuple(replace(dataset, editions=("2025-09",)) for dataset in sample_agreement().datasets)
AGREEMENT = sample_agreement(
    starts_on=date(2020, 1, 1), review_on=date(2026, 1, 1), ends_on=date(2099, 1, 1), datasets=_DATASETS
)
ELSEWHERE = "127.0.0.1:1"


def healthy_home(
    folder: Path,
    *,
    authority: Authority = AUTHORITY,
    address: str = ELSEWHERE,
    agreement: Agreement = AGREEMENT,
) -> Home:
    """North's node as its IT wants it: joined, configured, with an edition; its source is read-only."""
    source = folder / "rtt.csv"
    source.write_text(
        "nhs_number,age,cost,sex,started,urgent,postcode_area\n"
        + "".join(f"9{i:09d},{i % 100},12.25,{'FM'[i % 2]},2025-03-01,true,LS\n" for i in range(400))
    )
    source.chmod(0o444)
    home = make_home(folder, agreement, engine=engine_of("duckdb"))
    os.utime(folder / "optout.txt", (NOW_S - DAY_S, NOW_S - DAY_S))
    home.config.write_text(
        '[lifetime.nhs_number]\nepsilon = "20"\ndelta = "0.00001"\n'
        '[[datasets]]\ndataset = "rtt"\nperson = "nhs_number"\nopt_out_list = "../optout.txt"\n'
        'source = { kind = "csv", path = "../rtt.csv" }\n'
    )
    join(home, authority=authority, address=address)
    return home


def join(home: Home, *, authority: Authority = AUTHORITY, address: str, now: datetime = NOW) -> None:
    """Give a home the certificates of a federation, as joining does."""
    key = TlsKey.generate()
    write_key(home.tls_key, key, replace=True)
    certificate = issue(authority, key.request(), Peer(Role.NODE, "north"), now=now)
    write_certificate(home.certificate, certificate, replace=True)
    write_certificate(home.authority, authority.certificate_der, replace=True)
    home.write_coordinator(address, "localhost")


def authority_reply(home: Home, **changes: object) -> agreements_pb2.AuthorityReply:
    """What a coordinator relays: the appointment of this home's node; `changes` replace fields."""
    appointment = Appointment(
        department="north",
        role=AppointedRole.NODE,
        name="north",
        key=home.read_node_key().public.raw,
        from_s=NOW_S - 60,
        until_s=NOW_S + YEAR_S,
    )
    signed = Signed.make(Context.APPOINTMENT, encode_appointment(appointment), seed_key("controller north"))
    fields = {"now_s": NOW_S, "software": SOFTWARE, "appointments": [signed_to(signed)], **changes}
    return agreements_pb2.AuthorityReply(**fields)  # type: ignore[arg-type]  # a table of fields


def examined(home: Home, **settings: object) -> list[Check]:
    """What the node's doctor finds."""
    fields = {"now": lambda: NOW_S, "offline": True, **settings}
    return list(Doctor(home, home.config, **fields).examine())  # type: ignore[arg-type]  # a table of fields


def findings(checks: Iterable[Check]) -> dict[str, Health]:
    """What is not in order. Tests may run as root, of which every doctor warns."""
    return {
        f"{check.id} {check.subject}".rstrip(): check.health
        for check in checks
        if check.health is not Health.OK and not (check.id == "account" and os.geteuid() == 0)
    }


def found(checks: Iterable[Check], id_: str) -> Check:
    """The check of this id that is worst."""
    order = list(Health)
    return max((check for check in checks if check.id == id_), key=lambda check: order.index(check.health))


@contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that gives every connection to `answer` in a thread; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with suppress(OSError):  # closed
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=_answered, args=(connection, answer), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _answered(connection: socket.socket, answer: Callable[[socket.socket], None]) -> None:
    with connection, suppress(OSError):
        answer(connection)


def proxy(*, wants: str = "", allows: bool = True) -> Callable[[socket.socket], None]:
    """A proxy that tunnels to the loopback port it is asked for, if the credentials (base64) are right."""

    def answer(near: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += near.recv(1)
        if wants and f"Basic {wants}".encode() not in head:
            near.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
        elif not allows:
            near.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
        else:
            port = int(head.split()[1].rpartition(b":")[2])
            with socket.create_connection(("127.0.0.1", port)) as far:
                near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=_pump, args=(far, near), daemon=True)
                back.start()
                _pump(near, far)
                back.join(timeout=5)

    return answer


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65_536):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
