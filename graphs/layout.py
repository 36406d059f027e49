"""Where the blocks of a picture stand, and the curves between them: Graphviz's `dot` decides, from sizes alone.

What stands on an edge is a node of the layout too, which the edge passes through, so that no label is ever away from
its edge or over another one. An edge that leads back is laid out the other way round and drawn back, beside the way.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from holdpoint.graphs import graphviz
from holdpoint.graphs.blocks import Block, edge_block, node_block
from holdpoint.graphs.picture import CANCEL, Picture
from holdpoint.graphs.routes import returning, straight
from holdpoint.graphs.scene import Point

START_SIZE = 16.0
CANCEL_SIZE = (86.0, 26.0)
_INCH = 72.0
_STRAIGHT, _USUAL, _BACK = "100", "2", "1"

_MANY = 40
"""Above so many states straight lines must do: curves around all that is in their way would take minutes."""
_FINE = {"splines": "spline"}
_COARSE = {"splines": "line", "nslimit": "2", "nslimit1": "2", "mclimit": "0.1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Places by name (a state's, None, `CANCEL`) and by the number of the edge, from the top left; and the curves.

    The curves of an edge are in the order in which it is gone: one, or one to its label and one from there.
    """

    size: Point
    nodes: Mapping[str | None, Point]
    labels: Mapping[int, Point]
    curves: Mapping[int, tuple[tuple[Point, ...], ...]]
    node_blocks: Mapping[str, Block]
    edge_blocks: Mapping[int, Block]


def lay_out(picture: Picture) -> Layout:
    """Arrange a picture. Raises `graphviz.GraphvizFailed`."""
    node_blocks = {node.name: node_block(node) for node in picture.nodes}
    found = {number: edge_block(edge) for number, edge in enumerate(picture.edges)}
    edge_blocks = {number: block for number, block in found.items() if block is not None}
    ids: dict[str | None, str] = {None: "start", CANCEL: "cancel"}
    ids |= {node.name: f"n{number}" for number, node in enumerate(picture.nodes)}
    way, back = straight(picture), returning(picture)
    group = {None, *(picture.edges[number].to for number in way)}
    nodes = [("start", _sized((START_SIZE, START_SIZE), is_grouped=True))]
    if picture.edges_from(CANCEL):
        nodes.append(("cancel", _sized(CANCEL_SIZE)))
    nodes += [(ids[name], _sized(block.size, is_grouped=name in group)) for name, block in node_blocks.items()]
    nodes += [(f"l{number}", _sized(block.size, is_grouped=number in way)) for number, block in edge_blocks.items()]
    edges: list[tuple[str, str, dict[str, str]]] = []
    for number, edge in enumerate(picture.edges):
        weight = _STRAIGHT if number in way else _BACK if number in back else _USUAL
        edges += _parts(ids[edge.source], ids[edge.to], number, number in edge_blocks, number in back, weight)
    output = graphviz.run(
        "dot",
        "json0",
        graph={"rankdir": "TB", "nodesep": "0.3", "ranksep": "0.3", **(_COARSE if len(node_blocks) > _MANY else _FINE)},
        node={"shape": "box", "fixedsize": "true", "label": "", "margin": "0"},
        edge={"dir": "none"},
        nodes=nodes,
        edges=edges,
    )
    names = {id: name for name, id in ids.items()}
    return _read(json.loads(output), names, back, node_blocks, edge_blocks)


def _sized(size: Point, *, is_grouped: bool = False) -> dict[str, str]:
    return {
        "width": f"{size[0] / _INCH:.4f}",
        "height": f"{size[1] / _INCH:.4f}",
        **({"group": "way"} if is_grouped else {}),
    }


def _parts(
    source: str, to: str, number: int, is_labelled: bool, is_back: bool, weight: str
) -> Iterator[tuple[str, str, dict[str, str]]]:
    """The edges of the layout for an edge of the picture, from top to bottom; `id` says which they are."""
    top, bottom = (to, source) if is_back else (source, to)
    if not is_labelled:
        yield top, bottom, {"id": f"{number}.0", "weight": weight, "tailclip": "false", "headclip": "false"}
        return
    near, far = (weight, weight) if weight == _STRAIGHT else (str(2 * int(weight)), weight)
    upper, lower = (far, near) if is_back else (near, far)
    first, second = int(is_back), int(not is_back)
    yield top, f"l{number}", {"id": f"{number}.{first}", "weight": upper, "tailclip": "false", "headport": "n"}
    yield f"l{number}", bottom, {"id": f"{number}.{second}", "weight": lower, "headclip": "false", "tailport": "s"}


def _read(
    output: Mapping[str, Any],
    names: Mapping[str, str | None],
    back: frozenset[int],
    node_blocks: Mapping[str, Block],
    edge_blocks: Mapping[int, Block],
) -> Layout:
    left, bottom, right, top = (float(part) for part in output["bb"].split(","))

    def place(text: str) -> Point:
        x, y = (float(part) for part in text.split(","))
        return x - left, top - y

    nodes: dict[str | None, Point] = {}
    labels: dict[int, Point] = {}
    for item in output["objects"]:
        if item["name"] in names:
            nodes[names[item["name"]]] = place(item["pos"])
        else:
            labels[int(item["name"][1:])] = place(item["pos"])
    curves: dict[int, dict[int, tuple[Point, ...]]] = {}
    for item in output["edges"]:
        number, part = (int(word) for word in item["id"].split("."))
        points = [place(text) for text in item["pos"].split()]
        curves.setdefault(number, {})[part] = tuple(reversed(points) if number in back else points)
    return Layout(
        size=(right - left, top - bottom),
        nodes=nodes,
        labels=labels,
        curves={number: _ordered(parts) for number, parts in curves.items()},
        node_blocks=node_blocks,
        edge_blocks=edge_blocks,
    )


def _ordered(parts: Mapping[int, tuple[Point, ...]]) -> tuple[tuple[Point, ...], ...]:
    return tuple(parts[part] for part in sorted(parts))
