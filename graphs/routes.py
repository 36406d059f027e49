"""Which edges lead straight to success, and which lead back: what a drawing is arranged by."""

from __future__ import annotations

from heapq import heappop, heappush

from holdpoint.engine.model import MOVED
from holdpoint.graphs.picture import CANCEL, Edge, Picture

# What an edge costs on the way to success: the first option of a state is what its author hopes for.
_FIRST, _OTHER, _UNHOPED = 2, 5, 50


def straight(picture: Picture) -> list[int]:
    """The edges from the start to a success, by their numbers: of all such ways the one that is hoped for most."""
    ends = {node.name for node in picture.nodes if node.outcome == "success"}
    leaving = _leaving(picture)
    queue: list[tuple[int, list[int], str | None]] = [(0, [], None)]
    seen: set[str | None] = set()
    while queue:
        cost, path, place = heappop(queue)
        if place in ends:
            return path
        if place in seen:
            continue
        seen.add(place)
        for number in leaving.get(place, ()):
            edge, first = picture.edges[number], picture.edges[leaving[place][0]]
            if edge.to not in seen:
                heappush(queue, (cost + _cost(edge, first.option), [*path, number], edge.to))
    return []


def _leaving(picture: Picture) -> dict[str | None, list[int]]:
    """The edges by the state that they leave, in the author's order."""
    leaving: dict[str | None, list[int]] = {}
    for number, edge in enumerate(picture.edges):
        leaving.setdefault(edge.source, []).append(number)
    return leaving


def _cost(edge: Edge, first: str) -> int:
    if edge.is_timed or edge.is_error or edge.option == MOVED:
        return _UNHOPED
    return _FIRST if edge.option == first else _OTHER


def returning(picture: Picture) -> frozenset[int]:
    """The edges, by their numbers, that lead back to where the way has come from."""
    first = set(straight(picture))
    after = {
        place: sorted(numbers, key=lambda number: number not in first) for place, numbers in _leaving(picture).items()
    }
    back: set[int] = set()
    done: set[str | None] = set()
    for beginning in (None, CANCEL, *(node.name for node in picture.nodes)):
        _walk(picture, after, beginning, done, back)
    return frozenset(back)


def _walk(
    picture: Picture, after: dict[str | None, list[int]], beginning: str | None, done: set[str | None], back: set[int]
) -> None:
    """Go everywhere from a place, depth first; an edge to a place that the walk is still in leads back."""
    if beginning in done:
        return
    within = {beginning}
    stack = [(beginning, iter(after.get(beginning, ())))]
    while stack:
        place, numbers = stack[-1]
        number = next(numbers, None)
        if number is None:
            stack.pop()
            within.discard(place)
            done.add(place)
            continue
        to = picture.edges[number].to
        if to in within:
            back.add(number)
        elif to not in done:
            within.add(to)
            stack.append((to, iter(after.get(to, ()))))
