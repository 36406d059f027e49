"""A drawing as SVG: one file that needs no other, has no script, and follows the reader's light or dark by itself.

Shapes have the colours of the light theme as attributes and classes for the style sheet, so that a program without
style sheets shows it too. All texts are escaped. Each group has its words as `<title>`, the whole as `<desc>`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape, quoteattr

from holdpoint.graphs.scene import MONO, SANS, Curve, Ellipse, Group, Item, Point, Polygon, Scene, Text
from holdpoint.graphs.themes import DARK, LIGHT, Theme

_DASHES = {"dashed": "7 4", "dotted": "1.5 4"}
_ANCHORS = {"start": "", "middle": ' text-anchor="middle"', "end": ' text-anchor="end"'}


def emit(scene: Scene, theme: str) -> str:
    """The SVG of a drawing; *theme* is light, dark or auto."""
    return "\n".join(_lines(scene, theme)) + "\n"


def _lines(scene: Scene, theme: str) -> Iterator[str]:
    w, h = (_number(size) for size in scene.size)
    name = quoteattr(f"{scene.id}-title {scene.id}-desc")
    ground = DARK if theme == "dark" else LIGHT
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img" '
        f'aria-labelledby={name} class="holdpoint" font-family="{SANS}">'
    )
    yield f"<title id={quoteattr(f'{scene.id}-title')}>{escape(scene.title)}</title>"
    yield f"<desc id={quoteattr(f'{scene.id}-desc')}>{escape(scene.says)}</desc>"
    yield "<style>"
    yield from _rules(scene, ground)
    if theme == "auto":
        yield "@media (prefers-color-scheme: dark) {"
        yield from _rules(scene, DARK)
        yield "}"
    yield "</style>"
    yield f'<rect width="{w}" height="{h}"{_paint("paper", "", ground)}/>'
    for group in scene.groups:
        yield from _group(group, scene.id, ground)
    yield "</svg>"


def _rules(scene: Scene, theme: Theme) -> Iterator[str]:
    """The colours of the roles that occur."""
    fills, strokes = {"paper"}, set()
    for item in scene.items:
        fills.add("" if isinstance(item, Curve) else item.fill)
        strokes.add("" if isinstance(item, Text) else item.stroke)
    for role in sorted(fills - {""}):
        yield f".holdpoint .f-{role} {{ fill: {theme[role]} }}"
    for role in sorted(strokes - {""}):
        yield f".holdpoint .s-{role} {{ stroke: {theme[role]} }}"


def _group(group: Group, prefix: str, ground: Theme) -> Iterator[str]:
    yield f"<g id={quoteattr(f'{prefix}-{group.id}')} class={quoteattr(' '.join(group.classes))}>"
    if group.says:
        yield f"<title>{escape(group.says)}</title>"
    for item in group.items:
        yield _item(item, ground)
    yield "</g>"


def _item(item: Item, ground: Theme) -> str:
    match item:
        case Polygon():
            path = f"M{_path(item.points)}Z"
            return f'<path d="{path}"{_paint(item.fill, item.stroke, ground)}{_line(item)}/>'
        case Curve():
            path = f"M{_path(item.points[:1])}C{_path(item.points[1:])}"
            return f'<path d="{path}"{_paint("", item.stroke, ground)}{_line(item)}/>'
        case Ellipse():
            (x, y), (rx, ry) = item.centre, item.radii
            place = f'cx="{_number(x)}" cy="{_number(y)}" rx="{_number(rx)}" ry="{_number(ry)}"'
            return f"<ellipse {place}{_paint(item.fill, item.stroke, ground)}{_line(item)}/>"
        case Text():
            return _text(item, ground)


def _text(item: Text, ground: Theme) -> str:
    font = f' font-size="{_number(item.size)}"'
    font += (' font-weight="bold"' if item.is_bold else "") + (f' font-family="{MONO}"' if item.is_mono else "")
    place = f'x="{_number(item.at[0])}" y="{_number(item.at[1])}"{_ANCHORS[item.anchor]}'
    return f"<text {place}{font}{_paint(item.fill, '', ground)}>{escape(item.text)}</text>"


def _paint(fill: str, stroke: str, ground: Theme) -> str:
    classes = " ".join(f"{kind}-{role}" for kind, role in (("f", fill), ("s", stroke)) if role)
    colours = f' fill="{ground[fill] if fill else "none"}"' + (f' stroke="{ground[stroke]}"' if stroke else "")
    return f' class="{classes}"{colours}'


def _line(item: Polygon | Curve | Ellipse) -> str:
    width = f' stroke-width="{_number(item.width)}"' if item.stroke and item.width != 1 else ""
    dash = _DASHES.get("" if isinstance(item, Ellipse) else item.dash)
    return width + (f' stroke-dasharray="{dash}" stroke-linecap="round"' if dash else "")


def _path(points: Iterable[Point]) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


def _number(value: float) -> str:
    text = f"{value:.1f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
