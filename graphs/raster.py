"""A drawing as PNG or PDF: Graphviz's painter draws it, shape by shape, as the background of a graph without nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from holdpoint.graphs import graphviz
from holdpoint.graphs.scene import MONO, SANS, Curve, Ellipse, Item, Point, Scene, Text
from holdpoint.graphs.themes import DARK, LIGHT, Theme

_DPI = 144
_MOST_PIXELS = 16_000
_MADE_AT = re.compile(rb"(/CreationDate \(D:)\d{14}")
_ANCHORS = {"start": -1, "middle": 0, "end": 1}


def emit(scene: Scene, format: str, theme: str) -> bytes:
    """The PNG or PDF of a drawing; *theme* is light or dark, and auto is light. Raises `graphviz.GraphvizFailed`."""
    colours = DARK if theme == "dark" else LIGHT
    w, h = scene.size
    invisible = {"shape": "point", "width": "0", "height": "0", "style": "invis", "label": ""}
    dpi = min(_DPI, int(_MOST_PIXELS * 72 / max(w, h)))
    painted = graphviz.run(
        "nop2",
        format,
        graph={
            "_background": "".join(_strokes(scene, colours)),
            "bb": f"0,0,{w:.2f},{h:.2f}",
            "bgcolor": colours["paper"],
            "label": "",
            "pad": "0",
            "margin": "0",
            **({"dpi": str(dpi)} if format == "png" else {}),
        },
        nodes=[("a", {"pos": "0,0", **invisible}), ("b", {"pos": f"{w:.2f},{h:.2f}", **invisible})],
    )
    # A PDF says when it was made; the same picture is to be the same bytes, of the same length.
    return _MADE_AT.sub(rb"\g<1>19700101000000", painted, count=1) if format == "pdf" else painted


def _strokes(scene: Scene, colours: Theme) -> Iterator[str]:
    for item in scene.items:
        yield from _item(item, colours, scene.size[1])


def _item(item: Item, colours: Theme, height: float) -> Iterator[str]:
    """An item in Graphviz's xdot: settings, then the shape; y counts upwards."""
    if isinstance(item, Text):
        yield from _text(item, colours, height)
        return
    fill = "" if isinstance(item, Curve) else item.fill
    dash = "" if isinstance(item, Ellipse) else item.dash
    yield _said("c", colours[item.stroke] if item.stroke else "transparent")
    yield _said("C", colours[fill] if fill else "transparent")
    yield _said("S", dash or "solid") + _said("S", f"setlinewidth({item.width:g})")
    if isinstance(item, Ellipse):
        (x, y), (rx, ry) = item.centre, item.radii
        yield f"{'E' if fill else 'e'} {x:.2f} {height - y:.2f} {rx:.2f} {ry:.2f} "
    else:
        letter = "B" if isinstance(item, Curve) else "P" if fill else "p"
        yield f"{letter} {len(item.points)} {_places(item.points, height)} "


def _text(item: Text, colours: Theme, height: float) -> Iterator[str]:
    yield _said("c", colours[item.fill])
    yield _said(f"F {item.size:g}", (MONO if item.is_mono else SANS).replace("'", ""))
    yield f"t {int(item.is_bold)} "
    # A backslash would begin an escape of xdot's own, which are counted in a way of their own.
    text = item.text.replace("\\", "\N{SET MINUS}")
    yield _said(f"T {item.at[0]:.2f} {height - item.at[1]:.2f} {_ANCHORS[item.anchor]} 0", text)


def _said(letter: str, text: str) -> str:
    return f"{letter} {len(text.encode())} -{text} "


def _places(points: tuple[Point, ...], height: float) -> str:
    return " ".join(f"{x:.2f} {height - y:.2f}" for x, y in points)
