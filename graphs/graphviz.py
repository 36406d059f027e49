"""Graphviz, in a process of its own: it is C, not made for threads, and what crashes it must not take us along.

Run as a program it reads one JSON document `{"prog", "format", "graph", "node", "edge", "nodes", "edges"}` from its
standard input and writes what Graphviz makes of it to its output. Texts go in as attributes, never as a part of DOT.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

TIMEOUT = 120
"""Seconds after which a drawing is given up."""


class GraphvizFailed(Exception):
    """Graphviz came to no drawing; the text says why."""


def is_installed() -> bool:
    """Whether the extra `graph` is there."""
    return find_spec("pygraphviz") is not None


def run(
    prog: str,
    format: str,
    *,
    graph: Mapping[str, str],
    node: Mapping[str, str] = {},
    edge: Mapping[str, str] = {},
    nodes: Sequence[tuple[str, Mapping[str, str]]] = (),
    edges: Sequence[tuple[str, str, Mapping[str, str]]] = (),
) -> bytes:
    """What Graphviz makes of a graph by one of its programs, in one of its formats. Raises `GraphvizFailed`."""
    given = {"prog": prog, "format": format, "graph": graph, "node": node, "edge": edge, "nodes": nodes, "edges": edges}
    try:
        done = subprocess.run(
            [sys.executable, "-P", __file__],
            input=json.dumps(given).encode(),
            capture_output=True,
            env={**os.environ, "TZ": "UTC"},
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise GraphvizFailed(f"it was not done after {TIMEOUT} seconds; text, mermaid and dot need no layout") from None
    if done.returncode or not done.stdout:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise GraphvizFailed(f"it ended with {done.returncode}" + (f": {said[-1].strip()}" if said else ""))
    return done.stdout


def main() -> None:
    """Draw what standard input says."""
    import pygraphviz

    given: dict[str, Any] = json.load(sys.stdin)
    graph = pygraphviz.AGraph(directed=True, strict=False)
    graph.graph_attr.update(given["graph"])
    graph.node_attr.update(given["node"])
    graph.edge_attr.update(given["edge"])
    for name, attributes in given["nodes"]:
        graph.add_node(name, **attributes)
    for number, (tail, head, attributes) in enumerate(given["edges"]):
        graph.add_edge(tail, head, key=f"e{number}", **attributes)
    sys.stdout.buffer.write(graph.draw(format=given["format"], prog=given["prog"]))


if __name__ == "__main__":
    main()
