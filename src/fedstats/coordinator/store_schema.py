"""The coordinator's tables. Times are seconds since 1970; bytes are what was signed, unchanged."""

from __future__ import annotations

APPLICATION_ID = 0x66656473  # "feds": tells this file from other SQLite files
VERSION = 6

SCHEMA = """
-- Who joined. Certificates open connections and give no authority over data.
CREATE TABLE members (
    role TEXT NOT NULL CHECK (role IN ('node', 'analyst', 'controller', 'auditor')),
    name TEXT NOT NULL,
    signing_key BLOB NOT NULL,          -- as told when joining; informative, may be empty
    joined_s INTEGER NOT NULL,
    seen_s INTEGER NOT NULL DEFAULT 0,  -- nodes: when they last asked for work, to about a minute
    software TEXT NOT NULL DEFAULT '',
    paused TEXT NOT NULL DEFAULT '',    -- nodes: why the department has paused answering; empty: it answers
    pause_told TEXT NOT NULL DEFAULT '',        -- what the register says of that
    pause_told_s INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (role, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE certificates (
    serial TEXT PRIMARY KEY,            -- hexadecimal
    role TEXT NOT NULL,
    name TEXT NOT NULL,
    issued_s INTEGER NOT NULL,
    until_s INTEGER NOT NULL,
    FOREIGN KEY (role, name) REFERENCES members
) STRICT, WITHOUT ROWID;
CREATE INDEX certificates_by_member ON certificates (role, name, until_s);

CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    name TEXT NOT NULL,
    made_s INTEGER NOT NULL,
    expires_s INTEGER NOT NULL,
    used_s INTEGER,
    used_for BLOB                       -- SHA-256 of the TLS key it was used for: the same key may come again
) STRICT, WITHOUT ROWID;

CREATE TABLE holdings (
    department TEXT NOT NULL,
    agreement TEXT NOT NULL,
    agreement_version INTEGER NOT NULL,
    dataset TEXT NOT NULL,
    edition TEXT NOT NULL,
    PRIMARY KEY (department, agreement, agreement_version, dataset, edition)
) STRICT, WITHOUT ROWID;

-- Documents that carry authority.
CREATE TABLE agreements (
    hash BLOB PRIMARY KEY,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    document BLOB NOT NULL,
    department TEXT NOT NULL,           -- that published it, for its limits
    at_s INTEGER NOT NULL
) STRICT;
CREATE INDEX agreements_by_id ON agreements (id, version);
CREATE INDEX agreements_by_department ON agreements (department);

CREATE TABLE parties (                  -- whom an agreement names as controllers
    department TEXT NOT NULL,
    agreement BLOB NOT NULL REFERENCES agreements,
    PRIMARY KEY (department, agreement)
) STRICT, WITHOUT ROWID;
CREATE INDEX parties_by_agreement ON parties (agreement);

CREATE TABLE bindings (                 -- the one key by which each department's controller is known here
    department TEXT PRIMARY KEY,
    key BLOB NOT NULL,
    at_s INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE signatures (
    agreement BLOB NOT NULL REFERENCES agreements,
    key BLOB NOT NULL,
    signature BLOB NOT NULL,
    at_s INTEGER NOT NULL,
    PRIMARY KEY (agreement, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE acceptances (              -- the last word of each department
    agreement BLOB NOT NULL REFERENCES agreements,
    department TEXT NOT NULL,
    withdrawn INTEGER NOT NULL,
    signed_at_s INTEGER NOT NULL,
    signed BLOB NOT NULL,
    PRIMARY KEY (agreement, department)
) STRICT, WITHOUT ROWID;

CREATE TABLE statements (
    digest BLOB PRIMARY KEY,            -- of the whole signed message
    kind TEXT NOT NULL CHECK (kind IN ('appointment', 'revocation')),
    department TEXT NOT NULL,
    signer BLOB NOT NULL,               -- the controller's key
    about BLOB NOT NULL,                -- the key that is appointed, or revoked
    signed BLOB NOT NULL,
    at_s INTEGER NOT NULL
) STRICT;
CREATE INDEX statements_by_key ON statements (kind, department, signer, about);

CREATE TABLE revision (only INTEGER PRIMARY KEY CHECK (only = 1), value INTEGER NOT NULL) STRICT;
INSERT INTO revision VALUES (1, 0);

CREATE TABLE news (                     -- the revision of the last change that concerns a department
    department TEXT PRIMARY KEY,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE witnesses (                -- how far each ledger of a department had come
    department TEXT NOT NULL,
    ledger BLOB NOT NULL,               -- its random id
    key BLOB NOT NULL,                  -- that signed it, appointed or not: neither takes the other's place
    head BLOB NOT NULL,                 -- where its chain ended
    signed BLOB NOT NULL,               -- by the node
    at_s INTEGER NOT NULL,
    PRIMARY KEY (department, ledger, key, head)
) STRICT, WITHOUT ROWID;

-- Questions.
CREATE TABLE queries (
    hash BLOB PRIMARY KEY,              -- SHA-256 of the payload
    signed BLOB NOT NULL,
    key BLOB NOT NULL,
    appointment BLOB NOT NULL,
    peer TEXT NOT NULL,
    deadline_s INTEGER NOT NULL,
    at_s INTEGER NOT NULL,
    entry INTEGER NOT NULL              -- its number in the register
) STRICT;
CREATE INDEX queries_by_peer ON queries (peer, deadline_s);
CREATE INDEX queries_by_time ON queries (peer, at_s);

CREATE TABLE rounds (
    query BLOB NOT NULL REFERENCES queries,
    number INTEGER NOT NULL,
    signed BLOB NOT NULL,
    payload_digest BLOB NOT NULL,
    computation BLOB NOT NULL,          -- what a release must be of
    release_bytes INTEGER NOT NULL,     -- how large the vectors of one release are
    asked INTEGER NOT NULL,             -- participants
    version INTEGER NOT NULL DEFAULT 1, -- grows with every change of a task
    open INTEGER NOT NULL,              -- tasks without an outcome
    told_missing INTEGER NOT NULL DEFAULT 0,  -- the register says who was missing at the deadline
    deadline_s INTEGER NOT NULL,
    proceeding BLOB,                    -- as signed, where the analyst went on without some departments
    PRIMARY KEY (query, number)
) STRICT;
CREATE INDEX rounds_open ON rounds (deadline_s) WHERE open > 0 AND told_missing = 0;

CREATE TABLE tasks (
    id TEXT PRIMARY KEY,
    query BLOB NOT NULL,
    number INTEGER NOT NULL,
    department TEXT NOT NULL,
    deadline_s INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('offered', 'leased', 'waiting', 'released', 'refused', 'left out')),
    since_s REAL NOT NULL,
    leases INTEGER NOT NULL DEFAULT 0,
    token TEXT NOT NULL DEFAULT '',
    expires_s REAL NOT NULL DEFAULT 0,
    sentence TEXT NOT NULL DEFAULT '',
    code TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',    -- its category, where people at the department refused
    digest BLOB,                        -- of the outcome's payload
    free INTEGER NOT NULL DEFAULT 0,    -- a release that charged nothing
    used_ppm INTEGER,                   -- of the agreement's budget at the department, as its node said
    outcome BLOB,                       -- analysts_pb2.Outcome
    FOREIGN KEY (query, number) REFERENCES rounds,
    UNIQUE (query, number, department)
) STRICT;
CREATE INDEX tasks_offered ON tasks (department, leases) WHERE state = 'offered';
CREATE INDEX tasks_leased ON tasks (expires_s) WHERE state = 'leased';
CREATE INDEX tasks_at_work ON tasks (department) WHERE state IN ('leased', 'waiting');

CREATE TABLE results (                  -- what analysts published of their queries: its entry holds it
    digest BLOB PRIMARY KEY,            -- of the signed payload
    query BLOB NOT NULL REFERENCES queries,
    entry INTEGER NOT NULL              -- its number in the register
) STRICT;
CREATE INDEX results_by_query ON results (query);

-- The public register: entries are added, and that is all.
CREATE TABLE register (
    number INTEGER PRIMARY KEY,
    at_s INTEGER NOT NULL,
    kind TEXT NOT NULL,
    document BLOB NOT NULL              -- canonical JSON
) STRICT;
CREATE TRIGGER register_keeps BEFORE DELETE ON register
    BEGIN SELECT RAISE(ABORT, 'the register keeps every entry'); END;
CREATE TRIGGER register_stays BEFORE UPDATE ON register
    BEGIN SELECT RAISE(ABORT, 'the register changes no entry'); END;
-- Without it INSERT OR REPLACE would put another entry in the place of an old one.
CREATE TRIGGER register_grows BEFORE INSERT ON register
    WHEN NEW.number IS NOT (SELECT COALESCE(MAX(number), 0) + 1 FROM register)
    BEGIN SELECT RAISE(ABORT, 'the register grows at its end'); END;

CREATE TABLE register_log (only INTEGER PRIMARY KEY CHECK (only = 1), id BLOB NOT NULL) STRICT;
CREATE TABLE register_head (            -- the newest one, signed once for its size
    size INTEGER NOT NULL,
    signed BLOB NOT NULL
) STRICT;
-- What departments say of logs: the newest of each, and what contradicts the register or themselves.
CREATE TABLE log_heads (
    department TEXT NOT NULL,
    log BLOB NOT NULL,                  -- its random id
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    signed BLOB NOT NULL,               -- by the node
    at_s INTEGER NOT NULL,
    PRIMARY KEY (department, log, size, root)
) STRICT, WITHOUT ROWID;
CREATE TABLE cosignatures (
    department TEXT NOT NULL,
    log BLOB NOT NULL,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    contradicts INTEGER NOT NULL,       -- the register had another root, or fewer entries, when it came
    signed BLOB NOT NULL,
    at_s INTEGER NOT NULL,
    PRIMARY KEY (department, log, size, root)
) STRICT, WITHOUT ROWID;
"""
