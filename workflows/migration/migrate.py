"""Migrates, once per key: takes the name of a migration as JSON on standard input and applies it to `shop.sqlite`.

The migration and the note that it was made commit together. Whoever runs this a second time under the same FLOW_KEY
gets the same answer; what another run has applied is not applied again.
"""

import json
import os
import sqlite3
import sys
from contextlib import closing

MIGRATIONS = {
    "add_email": "ALTER TABLE customers ADD COLUMN email TEXT",
    "add_phone": "ALTER TABLE customers ADD COLUMN phone TEXT",
}


def main() -> None:
    """Print what was applied as JSON."""
    key = os.environ.get("FLOW_KEY") or sys.exit("FLOW_KEY is not set: a migration without a key could be made twice")
    name = json.load(sys.stdin)["migration"]
    with closing(sqlite3.connect("shop.sqlite", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")  # of two at the same time, one comes second and finds the other's note
        _create(database)
        found = database.execute("SELECT key FROM migrations WHERE name = ?", [name]).fetchone()
        if found is None:
            database.execute(MIGRATIONS[name])
            database.execute("INSERT INTO migrations VALUES (?, ?)", [name, key])
        elif found != (key,):
            sys.exit(f"{name} was applied by another run")
        database.execute("COMMIT")
    json.dump({"applied": name}, sys.stdout)


def _create(database: sqlite3.Connection) -> None:
    """A shop with two customers, where your database would be."""
    database.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, key TEXT NOT NULL)")
    database.execute("CREATE TABLE IF NOT EXISTS customers (name TEXT PRIMARY KEY)")
    database.execute("INSERT OR IGNORE INTO customers (name) VALUES ('ada'), ('bob')")


if __name__ == "__main__":
    main()
