"""What lies over the picture of a definition: a run's way, the ways and the waiting of many, what tests cover."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias

from holdpoint.engine.model import MOVED, ON_CANCEL, Entry, RunRecord
from holdpoint.engine.times import say_span
from holdpoint.engine.traffic import Passage, Stay, Traffic, Way, passages
from holdpoint.graphs.picture import CANCEL, Edge, Mark, Node, Picture, one_line

HEATS = (
    (timedelta(minutes=1), "1 minute"),
    (timedelta(hours=1), "1 hour"),
    (timedelta(days=1), "1 day"),
    (timedelta(days=3), "3 days"),
)
"""Up to which median stay a node has the heat of the place in this table; a longer one has the heat behind the last."""

SHOWN_STEPS = 3
"""So many of a run's latest steps are shown on an edge."""

_Key: TypeAlias = tuple[str | None, str, str, bool]
_SECOND = timedelta(seconds=1)


def over_run(picture: Picture, run: RunRecord, history: Sequence[Entry]) -> Picture:
    """The picture with the way that a run came, where it is, and what it cannot come to any more."""
    way = tuple(replace(step, by=one_line(step.by)) for step in passages(history))
    steps: defaultdict[_Key, list[tuple[int, Passage]]] = defaultdict(list)
    for number, step in enumerate(way, start=1):
        steps[_key(step)].append((number, step))
    edges = [*picture.edges, *_further(picture, steps)]
    ahead = _ahead(edges, run)
    return replace(
        picture,
        nodes=tuple(_node_of_run(node, run, way, ahead) for node in picture.nodes),
        edges=tuple(_edge_of_run(edge, steps.get(_edge_key(edge), []), ahead) for edge in edges),
        overlay="run",
        caption=f"{one_line(run.id)} · {_standing(run, history)}",
        way=way,
    )


def over_traffic(picture: Picture, traffic: Traffic, *, is_all: bool) -> Picture:
    """The picture with how many runs went each way and how long they stayed; *is_all*: those of every version."""
    ways: defaultdict[_Key, list[Way]] = defaultdict(list)
    for way in traffic.ways:
        ways[_key(way)].append(way)
    edges = [*picture.edges, *_further(picture, ways)]
    leaving: Counter[str | None] = Counter()
    for edge_key, found in ways.items():
        leaving[edge_key[0]] += sum(way.times for way in found)
    stays, here = {stay.state: stay for stay in traffic.stays}, dict(traffic.here)
    reached = {edge_key[2] for edge_key in ways}
    return replace(
        picture,
        nodes=tuple(_node_of_many(node, stays.get(node.name), here, node.name in reached) for node in picture.nodes),
        edges=tuple(_edge_of_many(edge, ways.get(_edge_key(edge), []), leaving[edge.source]) for edge in edges),
        overlay="heat",
        caption=_counted(picture, traffic, ways, is_all),
    )


def over_coverage(picture: Picture, seen: Collection[tuple[str, ...]], percent: float) -> Picture:
    """The picture with what tests went through, and what they did not; *percent* is the share of what they could.

    Of *seen* these are looked at: `('state', NAME)`, `('chosen', STATE, OPTION, TARGET)`, `('default', STATE, OPTION,
    TARGET)` for the way that a deadline led in a person's place, and `('guard', STATE, OPTION, NUMBER, 'false')`.
    """
    nodes = tuple(_covered_node(node, seen) for node in picture.nodes)
    edges = tuple(_covered_edge(edge, picture, seen) for edge in picture.edges)
    return replace(picture, nodes=nodes, edges=edges, overlay="coverage", caption=f"scenarios cover {percent:.0f} %")


def times(count: int) -> str:
    """`once`, `twice`, `3 times`."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _key(step: Passage | Way) -> _Key:
    """What tells the edges apart by which a step can have gone."""
    if step.option == ON_CANCEL:
        return CANCEL, "", step.to, False
    return step.source, step.option, step.to, step.is_default or step.option == "timeout"


def _edge_key(edge: Edge) -> _Key:
    return edge.source, edge.option, edge.to, edge.is_timed


def _further(picture: Picture, taken: Iterable[_Key]) -> Iterator[Edge]:
    """Edges for the ways that no edge of the definition shows: an operator moved the run, another version had them."""
    known, names = {_edge_key(edge) for edge in picture.edges}, {node.name for node in picture.nodes}
    for source, option, to, is_timed in taken:
        if (source, option, to, is_timed) not in known and {source, to} <= names:
            yield Edge(source=source, option=one_line(option), guard="", to=to, is_timed=is_timed)


def _ahead(edges: Sequence[Edge], run: RunRecord) -> set[str | None]:
    """The states that the run is in or may still come to; with None where it has not begun, CANCEL if that may be."""
    if run.phase == "ended":
        return {run.state}
    waiting: list[str | None] = [run.state]
    if run.state is not None and not run.is_cancelling:
        waiting.append(CANCEL)
    ahead: set[str | None] = set()
    while waiting:
        place = waiting.pop()
        if place not in ahead:
            ahead.add(place)
            waiting += [edge.to for edge in edges if edge.source == place and edge.option != MOVED]
    return ahead


def _node_of_run(node: Node, run: RunRecord, way: Sequence[Passage], ahead: set[str | None]) -> Node:
    visits = run.visits.get(node.name, 0)
    marks: set[Mark] = {"visited"} if visits else set() if node.name in ahead else {"dim"}
    details: tuple[str, ...] = ()
    if run.state == node.name:
        marks.add("current")
        if run.failure is not None:
            marks.add("failed")
        word = "since" if run.phase != "ended" else "ended" if run.outcome is not None else "cancelled here, entered"
        details = (f"{word} {_minute(way[-1].at)}",) if way else ()
    return replace(node, marks=frozenset(marks), remark=f"visited {times(visits)}" if visits else "", details=details)


def _edge_of_run(edge: Edge, steps: Sequence[tuple[int, Passage]], ahead: set[str | None]) -> Edge:
    if not steps:
        return edge if edge.source in ahead else replace(edge, marks=frozenset({"dim"}))
    shown = [f"{number}. {_minute(step.at)}" + (f" {step.by}" if step.by else "") for number, step in steps]
    return replace(
        edge,
        marks=frozenset({"taken"}),
        remark=f"taken {times(len(steps))}",
        details=(*(["…"] if len(shown) > SHOWN_STEPS else []), *shown[-SHOWN_STEPS:]),
    )


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}Z"


def _standing(run: RunRecord, history: Sequence[Entry]) -> str:
    if run.status == "done":
        return f"done, with outcome {run.outcome}"
    where = f" in {run.state}" if run.state else ""
    if run.status == "failed":
        failed = next((entry for entry in history if entry.seq == run.failure), None)
        why = one_line(str(failed.data.get("message", ""))) if failed else ""
        return f"failed{where}" + (f": {why}" if why else "")
    word = run.status if run.status != "running" else "at work" if run.phase == "working" else "ready"
    return f"{word}{where}"


def _node_of_many(node: Node, stay: Stay | None, here: Mapping[str, int], is_reached: bool) -> Node:
    parts = []
    if stay is not None:
        parts += [f"median stay {say_span(stay.median)}", f"9 in 10 within {say_span(max(stay.most, _SECOND))}"]
    if node.name in here:
        parts.append(f"{here[node.name]} here now")
    return replace(
        node,
        marks=frozenset() if is_reached else frozenset({"dim"}),
        remark="; ".join(parts),
        heat=None if stay is None else sum(stay.median > limit for limit, _ in HEATS),
    )


def _edge_of_many(edge: Edge, ways: Sequence[Way], leaving: int) -> Edge:
    if not ways:
        return replace(edge, marks=frozenset({"dim"}), share=0.0)
    # Those of a cancelled run are kept by the state that it left: one run is in one of them only.
    runs, count = sum(way.runs for way in ways), sum(way.times for way in ways)
    remark = _runs(runs) if runs == count else f"{_runs(runs)}, {times(count)}"
    return replace(edge, marks=frozenset({"taken"}), remark=remark, share=count / leaving)


def _covered_node(node: Node, seen: Collection[tuple[str, ...]]) -> Node:
    if ("state", node.name) in seen:
        return replace(node, marks=frozenset({"covered"}))
    return replace(node, marks=frozenset({"uncovered"}), remark="not covered")


def _covered_edge(edge: Edge, picture: Picture, seen: Collection[tuple[str, ...]]) -> Edge:
    if _is_covered(edge, picture, seen):
        never = "" if _was_refused(edge, picture, seen) else "its condition always held"
        return replace(edge, marks=frozenset({"uncovered" if never else "covered"}), remark=never)
    return replace(edge, marks=frozenset({"uncovered"}), remark="not covered")


def _is_covered(edge: Edge, picture: Picture, seen: Collection[tuple[str, ...]]) -> bool:
    if edge.source is None and len(picture.edges_from(None)) == 1:
        return ("state", edge.to) in seen
    source, option = _place_of(edge)
    return ("default" if edge.is_default else "chosen", source, option, edge.to) in seen


def _was_refused(edge: Edge, picture: Picture, seen: Collection[tuple[str, ...]]) -> bool:
    """Whether the edge's condition, if it has one, also came out false. Of a default the option's own edge says so."""
    if edge.is_default or not edge.guard.startswith("when "):
        return True
    source, option = _place_of(edge)
    beside = [
        other for other in picture.edges_from(edge.source) if other.option == edge.option and not other.is_default
    ]
    return ("guard", source, option, str(beside.index(edge) + 1), "false") in seen


def _place_of(edge: Edge) -> tuple[str, str]:
    """The state and the option as what was seen names them."""
    if edge.source is None:
        return "(start)", "start"
    return edge.source, ON_CANCEL if edge.source == CANCEL else edge.option


def _runs(count: int) -> str:
    return f"{count} run" if count == 1 else f"{count} runs"


def _counted(picture: Picture, traffic: Traffic, ways: Mapping[_Key, Sequence[Way]], is_all: bool) -> str:
    said = f"{_runs(traffic.runs)} of {'all versions' if is_all else 'this version'}"
    if traffic.others:
        said += f"; {traffic.others} of other versions left out"
    names = {None, CANCEL, *(node.name for node in picture.nodes)}
    strange = sum(way.times for key, found in ways.items() if not {key[0], key[2]} <= names for way in found)
    return said + (f"; {strange} steps between states that this version lacks not shown" if strange else "")
