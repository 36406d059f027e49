"""The first schema.

Times are integers, microseconds since 1970 in UTC; hashes are their 32 bytes. An entry without `actor_kind` is the
engine's own. A row of `requests` or `revisions` says where something stands and names the history entries that say
what it is, so that nothing is stored twice. `runs.seq` is the version that every write compares; `requests_settled`
and `history_place` hold even if a program forgets to.
"""

from typing import Any

STATEMENTS = (
    """
    CREATE TABLE definitions (
        id INTEGER PRIMARY KEY,
        digest BLOB NOT NULL UNIQUE,
        version BLOB NOT NULL,
        workflow TEXT NOT NULL,
        document TEXT NOT NULL
    )
    """,
    "CREATE INDEX definitions_workflow ON definitions (workflow)",
    """
    CREATE TABLE sources (
        digest BLOB NOT NULL PRIMARY KEY,
        definition INTEGER NOT NULL REFERENCES definitions (id)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        run_id TEXT NOT NULL UNIQUE,
        definition INTEGER NOT NULL REFERENCES definitions (id),
        status TEXT NOT NULL CHECK (status IN ('running', 'waiting', 'done', 'failed', 'cancelled')),
        seq INTEGER NOT NULL,
        head BLOB NOT NULL,
        at INTEGER NOT NULL,
        started_at INTEGER NOT NULL,
        initiator TEXT,
        record TEXT NOT NULL
    )
    """,
    "CREATE INDEX runs_definition ON runs (definition)",
    "CREATE INDEX runs_status ON runs (status)",
    """
    CREATE TABLE history (
        run INTEGER NOT NULL REFERENCES runs (id),
        seq INTEGER NOT NULL,
        at INTEGER NOT NULL,
        kind TEXT NOT NULL,
        actor TEXT,
        actor_kind TEXT,
        data TEXT NOT NULL,
        hash BLOB NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX history_place ON history (run, seq)",
    """
    CREATE TABLE contents (
        run INTEGER NOT NULL REFERENCES runs (id),
        sha256 BLOB NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (run, sha256)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE requests (
        request_id TEXT NOT NULL PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES runs (id),
        state TEXT NOT NULL,
        kind TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('open', 'decided', 'void')),
        rank INTEGER NOT NULL,
        opened INTEGER NOT NULL,
        settled INTEGER,
        due_at INTEGER NOT NULL,
        changes TEXT,
        CONSTRAINT requests_settled CHECK ((status = 'open') = (settled IS NULL))
    ) WITHOUT ROWID
    """,
    "CREATE INDEX requests_run ON requests (run)",
    "CREATE INDEX requests_inbox ON requests (rank, due_at, request_id) WHERE status = 'open'",
    """
    CREATE TABLE revisions (
        run INTEGER NOT NULL REFERENCES runs (id),
        name TEXT NOT NULL,
        revision INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        PRIMARY KEY (run, name, revision)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE deadlines (
        due_at INTEGER NOT NULL,
        run INTEGER NOT NULL REFERENCES runs (id),
        request_id TEXT NOT NULL,
        action TEXT NOT NULL,
        PRIMARY KEY (due_at, run, request_id, action)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX deadlines_run ON deadlines (run)",
    """
    CREATE TABLE leases (
        run INTEGER PRIMARY KEY REFERENCES runs (id),
        token INTEGER NOT NULL,
        owner TEXT NOT NULL,
        expires_at INTEGER NOT NULL
    )
    """,
    """
    CREATE TABLE keys (
        scope TEXT NOT NULL,
        key TEXT NOT NULL,
        body BLOB NOT NULL,
        run INTEGER NOT NULL REFERENCES runs (id),
        request_id TEXT,
        PRIMARY KEY (scope, key)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX keys_run ON keys (run)",
)


def up(migrator: Any, db: Any) -> None:
    """Create the tables."""
    for statement in STATEMENTS:
        db.execute_sql(statement)
