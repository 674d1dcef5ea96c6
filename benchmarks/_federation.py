"""A real coordinator process with as many departments as wanted, and rounds whose answers were prepared.

What a node does between its lease and its report (find, compute, draw noise, sign) is left out: every answer
to every round that will be asked was signed before the clock started, and a node only looks it up.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from fedstats.client.controller import appoint, sign_agreement
from fedstats.coordinator.authority import Admission
from fedstats.coordinator.config import Config
from fedstats.coordinator.home import Home, init
from fedstats.coordinator.store import Store
from fedstats.core.aggregate.grouped_sums import GroupedSums, Measure, MeasureKind
from fedstats.core.agreement import (
    Agreement,
    Controller,
    OptOutTerms,
    PrivacyTerms,
    PublicTerms,
    Purpose,
)
from fedstats.core.agreement_document import canonical_json, document_of
from fedstats.core.appointment import AppointedRole
from fedstats.core.domain import Categories
from fedstats.core.expression import Column
from fedstats.core.privacy import Mechanism, MechanismLoss, UnitKind
from fedstats.core.query import Computation, Query, RoundOrder, Scope, StatisticLabel
from fedstats.core.schema import ColumnDefinition, Dataset, Unit
from fedstats.core.statistic import Mode, Round
from fedstats.identity.keys import Context, Signed, SigningKey
from fedstats.identity.peer import Peer, Role
from fedstats.identity.tls_key import TlsKey
from fedstats.wire import codec
from fedstats.wire.channel import ClientTls
from fedstats.wire.codec.strict import sha256
from fedstats.wire.v1 import analysts_pb2, nodes_pb2, signed_pb2

ANALYST = Peer(Role.ANALYST, "a.smith")
DATASET, EDITION, PURPOSE = "rtt", "2025-09", "waiting"
START_S = 60
CELLS = 115


@dataclass
class Question:
    """A round to ask, the reports of all departments for it, and its name."""

    submit: analysts_pb2.SubmitRequest
    query: bytes
    reports: dict[str, nodes_pb2.ReportRequest]  # by department


@dataclass
class Federation:
    """A coordinator's folder with `departments` in it; `running` starts its process."""

    folder: Path
    departments: tuple[str, ...]
    address: str = ""
    analyst_key: SigningKey = field(default_factory=SigningKey.generate)
    tls_key: TlsKey = field(default_factory=TlsKey.generate)
    certificates: dict[str, bytes] = field(default_factory=dict)
    authority_der: bytes = b""
    process: subprocess.Popen[str] | None = None

    def found(self) -> None:
        """Make the coordinator, and let everybody join, sign and appoint: in its store, before it runs."""
        with socket.socket() as chosen:
            chosen.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{chosen.getsockname()[1]}"
        config = Config(address=self.address, listen=self.address)
        home = Home(self.folder)
        authority = init(home, config, now=datetime.now(UTC))
        self.authority_der = authority.certificate_der
        self._agree()
        store = home.store()
        admission = Admission(authority, store.members, time.time)
        with store.file.together():
            for peer in (ANALYST, *(Peer(Role.NODE, name) for name in self.departments)):
                self._join(admission, peer)
            self._publish(store)
        store.close()

    def tls(self, name: str) -> ClientTls:
        """What a node, or the analyst, proves itself with."""
        return ClientTls(self.authority_der, self.certificates[name], self.tls_key)

    def question(self) -> Question:
        """A new question, with every department's answer to it."""
        counts = Measure(MeasureKind.ROWS, None, None, Fraction(1))
        asked = Round((GroupedSums((Column("function"),), (counts,)),)).normalised()
        query = Query(
            agreement=self.agreement.id,
            agreement_version=1,
            purpose=PURPOSE,
            dataset=DATASET,
            edition=EDITION,
            where=None,
            scope=Scope.of(asked.aggregates, None),
            loss=MechanismLoss(Mechanism.GAUSSIAN, Fraction(2**30, 2**40)),
            contribution=self.agreement.dataset(DATASET).contribution(departments_max=1),
            mode=Mode.LOCAL,
            rounds_max=1,
            deadline_s=int(time.time()) + 3_600,
            statistic=StatisticLabel("table", "1", "SELECT function, COUNT(*) FROM rtt GROUP BY function"),
            nonce=os.urandom(16),
        )
        payload = codec.encode_query(query)
        order = RoundOrder(sha256(payload), 0, asked, self.departments, b"")
        key = self.analyst_key
        submit = analysts_pb2.SubmitRequest(
            query=codec.signed_to(Signed.make(Context.QUERY, payload, key)),
            round=codec.signed_to(Signed.make(Context.ROUND, codec.encode_round(order), key)),
            appointment=codec.signed_to(self.appointment),
        )
        computation = codec.computation_hash(Computation.of(query, order))
        reports = {name: self._report(name, sha256(payload), computation) for name in self.departments}
        return Question(submit, sha256(payload), reports)

    @contextmanager
    def running(self) -> Iterator[None]:
        """The coordinator's process, from its first call to its end."""
        command = [sys.executable, "-m", "fedstats", "coordinator", "run", "--home", str(self.folder)]
        with (self.folder / "log").open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, text=True)  # noqa: S603  # our own
        try:
            self._wait()
            yield
        finally:
            self.process.terminate()
            self.process.wait(timeout=START_S)

    def memory_mb(self) -> float:
        """The coordinator's resident memory."""
        if self.process is None:
            return 0.0
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024

    def processor_s(self) -> float:
        """How long the coordinator has computed, on all cores."""
        if self.process is None:
            return 0.0
        numbers = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")

    def _agree(self) -> None:
        self.controllers = {name: SigningKey.generate() for name in self.departments}
        today = datetime.now(UTC).date()
        functions = tuple(f"C_{number}" for number in range(CELLS))
        dataset = Dataset(
            name=DATASET,
            unit=Unit(UnitKind.ROW, "pathways"),
            rows_max=1,
            people_max=1_000_000,
            people_about=100_000,
            columns=(ColumnDefinition("function", Categories(functions)),),
            editions=(EDITION,),
            holders=self.departments,
            description="Referral to treatment pathways.",
        )
        self.agreement = Agreement(
            id="RTT-2026",
            version=1,
            title="Waiting times",
            public=PublicTerms("What we do.", "Shorter waits.", "Health Act, section 1.", "ig@north.example"),
            purposes=(Purpose(PURPOSE, "To see who waits how long.", ("No insurance.",)),),
            controllers=tuple(
                Controller(name, f"{name} Trust", key.public.raw) for name, key in self.controllers.items()
            ),
            starts_on=today - timedelta(days=30),
            ends_on=today + timedelta(days=300),
            review_on=today + timedelta(days=100),
            datasets=(dataset,),
            privacy=PrivacyTerms(Fraction(8), Fraction(1, 10**6), Fraction(2), 1),
            analysts=(f"*@{self.departments[0]}",),
            aggregates=("grouped_sums",),
            modes=(Mode.LOCAL,),
            nodes_min=1,
            partial=True,
            opt_out=OptOutTerms(applies=True),
        )
        first = self.departments[0]
        self.appointment = appoint(
            self.controllers[first],
            first,
            AppointedRole.ANALYST,
            ANALYST.name,
            self.analyst_key.public,
            until=today + timedelta(days=1),
            now_s=int(time.time()),
        )

    def _join(self, admission: Admission, peer: Peer) -> None:
        token = admission.invite(peer, address=self.address, lifetime=timedelta(hours=1))
        join = admission.join_node if peer.role is Role.NODE else admission.join_person
        request = signed_pb2.JoinRequest(certificate_request=self.tls_key.request())
        self.certificates[peer.name] = join(request, Peer(Role.JOIN, token.token_id)).certificate

    def _publish(self, store: Store) -> None:
        document = canonical_json(document_of(self.agreement))
        for name, key in self.controllers.items():
            signed = sign_agreement(key, name, self.agreement, document)
            store.documents.publish(self.agreement, signed, Peer(Role.CONTROLLER, name), time.time())

    def _report(self, department: str, query: bytes, computation: bytes) -> nodes_pb2.ReportRequest:
        vector = np.arange(CELLS, dtype=np.int64)
        note = codec.ReleaseNote(department, computation, "2025-09", ((vector,),), bytes(16))
        release = Signed.make(Context.RELEASE, codec.encode_release(note), self.controllers[department])
        task = f"{query.hex()[:32]}-0-{department}"
        return nodes_pb2.ReportRequest(task=task, release=codec.signed_to(release))

    def _wait(self) -> None:
        host, _, port = self.address.rpartition(":")
        end_s, pause = time.monotonic() + START_S, threading.Event()
        while True:
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
            except OSError:
                if time.monotonic() > end_s:
                    raise
                pause.wait(0.05)
            else:
                return


@contextmanager
def federation(departments: int) -> Iterator[Federation]:
    """One in a temporary folder, ready to run."""
    with TemporaryDirectory() as folder:
        made = Federation(Path(folder) / "home", tuple(f"d{number:04}" for number in range(departments)))
        made.found()
        yield made
