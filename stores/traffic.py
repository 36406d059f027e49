"""The ways of all runs of a workflow, counted and timed by the database: `holdpoint.engine.traffic` in SQL."""

from __future__ import annotations

from datetime import timedelta
from sqlite3 import Connection

from holdpoint.engine.traffic import CHOOSING, DEFAULTED, Stay, Traffic, Way
from holdpoint.stores.part import Part, reads

_KINDS = ", ".join(f"'{kind}'" for kind in CHOOSING)
# What stands before a transition is read backwards by the index on (run, seq), and ends at the first that is found.
_STEPS = f"""
    WITH chosen AS (
        SELECT r.id FROM runs r JOIN definitions d ON d.id = r.definition
        WHERE d.workflow = :workflow AND (:version IS NULL OR d.version = :version)
    ), steps AS (
        SELECT
            h.run AS run,
            json_extract(h.data, '$.from') AS source,
            json_extract(h.data, '$.option') AS option,
            json_extract(h.data, '$.to') AS target,
            '{DEFAULTED}' = (
                SELECT p.kind FROM history p WHERE p.run = h.run AND p.seq < h.seq AND p.kind IN ({_KINDS})
                ORDER BY p.seq DESC LIMIT 1
            ) AS is_default,
            h.at - (
                SELECT p.at FROM history p WHERE p.run = h.run AND p.seq < h.seq AND p.kind = 'state.entered'
                ORDER BY p.seq DESC LIMIT 1
            ) AS stayed
        FROM history h JOIN chosen ON chosen.id = h.run WHERE h.kind = 'transition'
    )
"""  # noqa: S608 - constants of this program
_READ_WAYS = f"""
    {_STEPS}
    SELECT '', '', (
        SELECT json_extract(h.data, '$.state') FROM history h
        WHERE h.run = chosen.id AND h.kind = 'state.entered' ORDER BY h.seq LIMIT 1
    ) AS first, 0, COUNT(*), COUNT(*) FROM chosen GROUP BY first HAVING first IS NOT NULL
    UNION ALL
    SELECT source, option, target, COALESCE(is_default, 0), COUNT(*), COUNT(DISTINCT run) FROM steps
    GROUP BY 1, 2, 3, 4
    ORDER BY 1, 2, 3, 4
"""  # noqa: S608 - constants of this program
_READ_STAYS = f"""
    {_STEPS}, ranked AS (
        SELECT
            source,
            stayed,
            ROW_NUMBER() OVER (PARTITION BY source ORDER BY stayed) AS place,
            COUNT(*) OVER (PARTITION BY source) AS times
        FROM steps
    )
    SELECT
        source,
        times,
        MAX(CASE WHEN place = (times * 5 + 9) / 10 THEN stayed END),
        MAX(CASE WHEN place = (times * 9 + 9) / 10 THEN stayed END)
    FROM ranked GROUP BY source ORDER BY source
"""  # noqa: S608 - constants of this program
_READ_RUNS = """
    SELECT COUNT(*) FILTER (WHERE :version IS NULL OR d.version = :version), COUNT(*)
    FROM runs r JOIN definitions d ON d.id = r.definition WHERE d.workflow = :workflow
"""
_READ_HERE = """
    SELECT json_extract(r.record, '$.state') AS state, COUNT(*) FROM runs r JOIN definitions d ON d.id = r.definition
    WHERE d.workflow = :workflow AND (:version IS NULL OR d.version = :version)
    AND r.status IN ('running', 'waiting', 'failed')
    GROUP BY state HAVING state IS NOT NULL ORDER BY state
"""


class Counts(Part):
    """What is counted over many runs."""

    @reads
    def traffic(self, workflow: str, version: str | None) -> Traffic:
        """The ways of all runs, counted by the database as of one moment."""
        with self._database.snapshot() as connection:
            return _read_traffic(connection, workflow, version)


def _read_traffic(connection: Connection, workflow: str, version: str | None) -> Traffic:
    chosen = {"workflow": workflow, "version": None if version is None else bytes.fromhex(version)}
    counted, total = connection.execute(_READ_RUNS, chosen).fetchone()
    return Traffic(
        runs=counted,
        others=total - counted,
        ways=[
            Way(source=source or None, option=option, to=to, is_default=bool(default), times=times, runs=runs)
            for source, option, to, default, times, runs in connection.execute(_READ_WAYS, chosen)
        ],
        stays=[
            Stay(state=state, times=times, median=timedelta(microseconds=half), most=timedelta(microseconds=most))
            for state, times, half, most in connection.execute(_READ_STAYS, chosen)
        ],
        here=[(state, count) for state, count in connection.execute(_READ_HERE, chosen)],
    )
