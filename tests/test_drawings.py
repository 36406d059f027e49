"""Drawings: what SVG, PNG and PDF show, that everybody can read them, and that no text breaks out of them."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdpoint.engine.definition import Definition
from holdpoint.engine.errors import UsageError
from holdpoint.graphs import draw, drawing, graphviz, metrics, picture_of, raster, svg
from holdpoint.graphs.blocks import outline
from holdpoint.graphs.curves import contains
from holdpoint.graphs.layout import Layout, lay_out
from holdpoint.graphs.picture import Edge, one_line
from holdpoint.graphs.routes import returning, straight
from holdpoint.graphs.scene import Curve, Group, Point, Polygon, Scene, Text
from holdpoint.graphs.themes import DARK, LIGHT, Theme
from tests.conftest import need
from tests.drawings import ALL, EXAMPLES, PICTURES, SHOWN, picture, shown, start_many
from tests.drawings import expense_agents as agents
from tests.examples import opened
from tests.test_graphs import HOSTILE, hostile

SVG = "{http://www.w3.org/2000/svg}"
SHAPES = {f"{SVG}{name}" for name in ("svg", "title", "desc", "style", "rect", "g", "path", "ellipse", "text")}


@pytest.fixture(autouse=True, scope="module")
def _graphviz() -> None:
    """Skips where the extra is not installed; in CI it is."""
    need("pygraphviz")


@cache
def _scene(name: str) -> Scene:
    return drawing.draw(picture(name))


@cache
def _layout(name: str) -> Layout:
    return lay_out(picture(name))


@cache
def _svg(name: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg.emit(_scene(name), "auto"))


def _group(scene: Scene, id: str) -> Group:
    return next(group for group in scene.groups if group.id == id)


def _texts(group: Group) -> list[str]:
    return [item.text for item in group.items if isinstance(item, Text)]


def _edges(name: str, **wanted: object) -> list[tuple[int, Edge]]:
    """The edges of a picture that are as wanted, with their numbers."""
    edges = enumerate(picture(name).edges)
    return [(number, edge) for number, edge in edges if all(getattr(edge, key) == wanted[key] for key in wanted)]


each_picture = pytest.mark.parametrize("name", ALL)
each_example = pytest.mark.parametrize("name", EXAMPLES)


# --- everybody can read it --------------------------------------------------------------------------------------------


def _luminance(colour: str) -> float:
    """As WCAG 2.2 has it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, two: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [pytest.param(LIGHT, id="light"), pytest.param(DARK, id="dark")])
@each_picture
def test_every_text_stands_out_from_what_is_behind_it(name: str, theme: Theme) -> None:
    pairs = {(item.fill, item.ground) for item in _scene(name).items if isinstance(item, Text)}

    assert [pair for pair in pairs if _contrast(theme[pair[0]], theme[pair[1]]) < 4.5] == []


@pytest.mark.parametrize("theme", [pytest.param(LIGHT, id="light"), pytest.param(DARK, id="dark")])
@pytest.mark.parametrize("step", range(5))
def test_texts_stand_out_from_each_heat(step: int, theme: Theme) -> None:
    assert _contrast(theme["heat-ink"], theme[f"heat{step}"]) >= 4.5


@pytest.mark.parametrize("theme", [pytest.param(LIGHT, id="light"), pytest.param(DARK, id="dark")])
def test_lines_stand_out_from_the_paper(theme: Theme) -> None:
    lines = ["edge", "timed", "error", "taken", "danger", *(role for role in theme if role.endswith("-line"))]

    assert [role for role in lines if role != "dim-line" and _contrast(theme[role], theme["paper"]) < 3] == []


def test_both_themes_have_the_same_roles() -> None:
    assert set(LIGHT) == set(DARK)


def test_each_type_of_state_has_a_figure_of_its_own() -> None:
    figures = {look: outline(look, (0, 0), (120, 60)) for look in ("agent", "approval", "return", "form", "wait")}
    ends = {look: outline(look, (0, 0), (120, 60)) for look in ("success", "failure", "cancelled")}

    assert len({*figures.values(), *ends.values()}) == len(figures) + 1


@each_example
def test_what_a_state_is_is_written_in_it(name: str) -> None:
    for node in picture(name).nodes:
        texts = _texts(_group(_scene(name), f"state-{node.name}"))

        assert (f"END: {node.outcome}" if node.outcome else node.type).upper() in texts
        assert ("IRREVERSIBLE" in texts) == node.is_irreversible


@each_picture
def test_a_reader_that_does_not_see_has_all_of_it_in_words(name: str) -> None:
    root = _svg(name)
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")

    assert title is not None
    assert description is not None
    assert description.text == draw(picture(name), "text")
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    assert root.get("role") == "img"
    titles = [group.findtext(f"{SVG}title") for group in root.iter(f"{SVG}g") if "state" in (group.get("class") or "")]
    assert [text.partition(":")[0] for text in titles if text] == [node.name for node in picture(name).nodes]


# --- everything is where it belongs -----------------------------------------------------------------------------------


@each_picture
def test_no_text_is_wider_than_its_state(name: str) -> None:
    for node in picture(name).nodes:
        block, place = _layout(name).node_blocks[node.name], (500.0, 500.0)
        figure = block.outline(place)
        for item in block.inside(place):
            if isinstance(item, Text):
                assert all(contains(figure, corner) for corner in _corners(item)), (node.name, item.text)


def _corners(item: Text) -> Iterator[Point]:
    half = metrics.width(item.text, item.size, is_bold=item.is_bold, is_mono=item.is_mono) / 2
    for x in (item.at[0] - half, item.at[0] + half):
        yield x, item.at[1]
        yield x, item.at[1] - item.size * 0.7


@given(st.text(max_size=80), st.integers(20, 200), st.integers(1, 4), st.booleans())
def test_wrapped_lines_are_no_wider_than_they_may_be(text: str, limit: int, lines: int, is_bold: bool) -> None:
    wrapped = metrics.wrap(text, 10, limit, lines=lines, is_bold=is_bold)

    assert 1 <= len(wrapped) <= lines
    assert all(metrics.width(line, 10, is_bold=is_bold) <= limit for line in wrapped)


def test_a_wide_character_counts_as_wide_and_an_accent_as_nothing() -> None:
    assert metrics.width("\u65e5\u672c", 10) == 20
    assert metrics.width("e\u0301", 10) == metrics.width("e", 10)


def test_a_long_name_is_cut_at_its_underscores() -> None:
    assert metrics.wrap("wait_for_the_release_of_the_office", 10, 90, lines=9) == [
        "wait_for_the_",
        "release_of_the_",
        "office",
    ]


def test_what_has_no_room_is_left_out_with_an_ellipsis() -> None:
    assert metrics.wrap("one two three four", 10, 30, lines=2) == ["one", "two…"]


@each_picture
def test_neither_states_nor_labels_lie_over_one_another(name: str) -> None:
    layout = _layout(name)
    boxes = [(layout.nodes[state], block.size) for state, block in layout.node_blocks.items()]
    boxes += [(layout.labels[number], block.size) for number, block in layout.edge_blocks.items()]

    for ((x1, y1), (w1, h1)), ((x2, y2), (w2, h2)) in itertools.combinations(boxes, 2):
        assert abs(x1 - x2) >= (w1 + w2) / 2 or abs(y1 - y2) >= (h1 + h2) / 2


@each_picture
def test_the_way_to_success_is_a_straight_line_downwards(name: str) -> None:
    layout = _layout(name)
    places = [layout.nodes[None], *(layout.nodes[picture(name).edges[number].to] for number in straight(picture(name)))]

    assert max(x for x, _ in places) - min(x for x, _ in places) < 2
    assert [y for _, y in places] == sorted(y for _, y in places)


@pytest.mark.parametrize(
    ("name", "way"),
    [
        pytest.param("expense/expense.yaml", "draft review manager pay paid", id="the shorter of two approvals"),
        pytest.param("incident/incident.yaml", "page_on_call first_line review closed", id="signals"),
        pytest.param("tactus/meeting-recap.yaml", "draft shown review release send sent", id="two successes"),
    ],
)
def test_the_way_to_success_is_that_of_the_first_options(name: str, way: str) -> None:
    assert [picture(name).edges[number].to for number in straight(picture(name))] == way.split()


@each_picture
def test_an_edge_goes_from_its_state_to_its_state_and_through_its_label(name: str) -> None:
    scene, layout = _scene(name), _layout(name)
    shift = _shift(scene, layout)

    for number, edge in enumerate(picture(name).edges):
        curves = [item for item in _group(scene, f"edge-{number}").items if isinstance(item, Curve)]
        (tip,) = (
            item.points[0]
            for item in _group(scene, f"edge-{number}").items
            if isinstance(item, Polygon) and len(item.points) == 3 and item.fill
        )
        assert _is_near(curves[0].points[0], layout, edge.source, shift)
        assert _is_near(tip, layout, edge.to, shift)


def _shift(scene: Scene, layout: Layout) -> Point:
    """How far the drawing is from its layout."""
    start = _group(scene, "start").items[0]
    assert not isinstance(start, Polygon | Curve | Text)
    return start.centre[0] - layout.nodes[None][0], start.centre[1] - layout.nodes[None][1]


def _is_near(point: Point, layout: Layout, name: str | None, shift: Point) -> bool:
    """Whether a point is at the border of a state, or of where runs start."""
    at = layout.nodes[name]
    block = layout.node_blocks.get(name or "")
    w, h = block.size if block is not None else (90.0, 30.0)
    x, y = abs(point[0] - shift[0] - at[0]), abs(point[1] - shift[1] - at[1])
    return x <= w / 2 + 6 and y <= h / 2 + 6 and (block is None or x > w / 4 or y > h / 4)


@each_picture
def test_without_the_edges_that_lead_back_no_way_comes_round(name: str) -> None:
    back = returning(picture(name))
    after: dict[str | None, list[str]] = {}
    for number, edge in enumerate(picture(name).edges):
        if number not in back:
            after.setdefault(edge.source, []).append(edge.to)

    def reached(place: str, seen: frozenset[str]) -> None:
        assert place not in seen
        for to in after.get(place, ()):
            reached(to, seen | {place})

    for places in list(after.values()):
        for place in places:
            reached(place, frozenset())


# --- what it shows ----------------------------------------------------------------------------------------------------


def test_a_timeout_is_a_dashed_edge_of_its_own_that_says_when_and_what() -> None:
    scene = _scene("expense/expense.yaml")
    ((number, _),) = _edges("expense/expense.yaml", source="review", is_timed=True)
    ((option, _),) = _edges("expense/expense.yaml", source="review", option="accept", is_timed=False)

    timed, chosen = _group(scene, f"edge-{number}"), _group(scene, f"edge-{option}")

    assert _texts(timed) == ["after 2d", "accept by default"]
    assert _texts(chosen) == ["accept"]
    assert {item.dash for item in timed.items if isinstance(item, Curve) and item.width < 1.31} >= {"dashed"}
    assert {item.dash for item in chosen.items if isinstance(item, Curve)} == {""}


def test_a_guard_stands_on_its_edge_whole() -> None:
    ((number, edge),) = _edges("migration/migration.yaml", source="confirm", option="accept", to="hold")

    option, *guard = _texts(_group(_scene("migration/migration.yaml"), f"edge-{number}"))

    assert option == "accept"
    assert len(guard) > 1
    assert " ".join(guard) == edge.guard


def test_an_error_edge_and_what_happens_on_cancel_are_shown() -> None:
    scene = _scene("deploy/deploy.yaml")
    ((number, _),) = _edges("deploy/deploy.yaml", source="canary", option="error")

    assert {item.dash for item in _group(scene, f"edge-{number}").items if isinstance(item, Curve)} >= {"dotted"}
    assert _texts(_group(scene, "cancelled")) == ["on cancel"]
    ((number, _),) = _edges("deploy/deploy.yaml", source="(cancel)")
    assert _group(scene, f"edge-{number}").says == "when it is cancelled → clean_up"


def test_a_title_is_large_and_the_name_small_beside_it() -> None:
    document = {
        "workflow": "titled",
        "initial": [{"to": "ask"}],
        "states": {
            "ask": {"type": "approval", "title": "Ask the board", "on": {"approve": [{"to": "end"}]}},
            "end": {"type": "end"},
        },
    }
    scene = drawing.draw(picture_of(Definition.from_document(document)))

    sizes = {item.text: item.size for item in _group(scene, "state-ask").items if isinstance(item, Text)}

    assert sizes["Ask the board"] > sizes["ask"]


@each_picture
def test_the_legend_says_what_occurs_and_nothing_else(name: str) -> None:
    texts = _texts(_group(_scene(name), "legend"))

    assert ("the clock decides" in texts) == any(edge.is_timed for edge in picture(name).edges)
    assert ("cannot be taken back" in texts) == any(node.is_irreversible for node in picture(name).nodes)
    assert ("person fills in" in texts) == any(node.type == "form" for node in picture(name).nodes)
    assert ("failed here" in texts) == (name == "failed")
    assert bool({"not any more", "no run came here"} & {*texts}) == any(
        "dim" in edge.marks for edge in picture(name).edges
    )
    assert ("longer" in texts) == (name == "heat")


def test_a_run_shows_where_it_is_and_who_chose_each_step() -> None:
    scene = _scene("waiting")
    ((number, _),) = _edges("waiting", source="review", option="revise")

    assert [group.id for group in scene.groups if "HERE" in _texts(group)] == ["state-manager"]
    assert "visited twice" in _texts(_group(scene, "state-draft"))
    assert _texts(_group(scene, f"edge-{number}")) == ["revise", "3. 2026-01-05 09:00Z ann"]


def test_a_run_dims_what_it_cannot_come_to_any_more() -> None:
    dim = {node.name for node in picture("refused").nodes if "dim" in node.marks}

    assert dim == {"director", "pay", "paid"}
    assert {node.name for node in picture("waiting").nodes if "dim" in node.marks} == set()


def test_a_failed_state_is_marked() -> None:
    scene = _scene("failed")

    assert [group.id for group in scene.groups if "FAILED HERE" in _texts(group)] == ["state-pay"]
    assert "<503> & closed" in " ".join(_texts(_group(scene, "heading")))


def test_what_an_operator_did_is_an_edge_too() -> None:
    ((_, moved),) = _edges("moved", option="moved by operator")
    ((_, cancelled),) = _edges("cancelled", source="(cancel)")

    assert (moved.source, moved.to, moved.remark) == ("manager", "draft", "taken once")
    assert cancelled.remark == "taken once"
    assert cancelled.details[0].endswith(" ann")


def test_the_heat_is_in_numbers_widths_and_colours() -> None:
    scene = _scene("heat")
    ways = [(number, edge) for number, edge in enumerate(picture("heat").edges) if edge.source == "manager"]
    widths = {number: _width(_group(scene, f"edge-{number}")) for number, _ in ways}

    assert sorted(widths, key=lambda number: widths[number]) == [
        number for number, _ in sorted(ways, key=lambda way: way[1].share or 0)
    ]
    assert sum(edge.share or 0 for _, edge in ways) == pytest.approx(1)
    texts = " ".join(_texts(_group(scene, "state-manager")))
    assert re.search(r"median stay \w+.* 9 in 10 within \w+", texts)
    manager = next(node for node in picture("heat").nodes if node.name == "manager")
    fills = {item.fill for item in _group(scene, "state-manager").items if isinstance(item, Polygon)}
    assert f"heat{manager.heat}" in fills


def _width(group: Group) -> float:
    return max(item.width for item in group.items if isinstance(item, Curve))


# --- nothing breaks out of it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("title", HOSTILE)
def test_no_title_breaks_out_of_an_svg(title: str) -> None:
    drawn = picture_of(hostile(title))
    text = str(draw(drawn, "svg"))
    root = ElementTree.fromstring(text)

    assert {item.tag for item in root.iter()} <= SHAPES
    assert drawn.title in (root.findtext(f"{SVG}title") or "")
    assert "<!" not in text
    assert "<?" not in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]", text)


@each_picture
def test_an_svg_needs_nothing_from_elsewhere(name: str) -> None:
    text = svg.emit(_scene(name), "auto")

    attributes = {key for item in ElementTree.fromstring(text).iter() for key in item.attrib}

    assert not any(key.startswith("on") or "href" in key or "src" in key for key in attributes)
    assert "url(" not in text
    assert "@import" not in text
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]


@pytest.mark.parametrize("format", ["png", "pdf"])
def test_every_title_can_be_painted(format: str) -> None:
    """All at once: what breaks out of one of them would break the rest."""
    scene = drawing.draw(picture_of(hostile(" ".join(HOSTILE))))
    one = replace(_scene("single-approval/single-approval.yaml"), groups=(*scene.groups, *_all_titles()))

    data = raster.emit(one, format, "light")

    assert data.startswith({"png": b"\x89PNG\r\n", "pdf": b"%PDF-"}[format])


def test_every_text_is_painted_as_it_is() -> None:
    scene = replace(_scene("single-approval/single-approval.yaml"), groups=tuple(_all_titles()))

    root = ElementTree.fromstring(raster.emit(scene, "svg", "light"))

    painted = [item.text for item in root.iter(f"{SVG}text")]
    assert painted == [one_line(title).replace("\\", "\N{SET MINUS}") for title in HOSTILE]


def _all_titles() -> Iterator[Group]:
    for number, title in enumerate(HOSTILE):
        text = Text(at=(9, 9.0 * number), text=one_line(title), size=9, fill="ink", ground="paper")
        yield Group(id=f"title-{number}", classes=(), says="", items=(text,))


# --- formats and themes -----------------------------------------------------------------------------------------------


def test_an_svg_follows_its_reader_unless_it_is_told_a_theme() -> None:
    drawn = picture("expense/expense.yaml")
    auto, light, dark = (str(draw(drawn, "svg", theme)) for theme in ("auto", "light", "dark"))

    before, after = auto.split("@media (prefers-color-scheme: dark) {")
    assert f".f-paper {{ fill: {LIGHT['paper']} }}" in before
    assert f".f-paper {{ fill: {DARK['paper']} }}" in after
    assert "@media" not in light + dark
    assert (LIGHT["paper"] in light, LIGHT["paper"] in dark) == (True, False)
    assert (DARK["paper"] in light, DARK["paper"] in dark) == (False, True)


@pytest.mark.parametrize("format", ["svg", "png", "pdf"])
def test_the_same_picture_is_the_same_bytes(format: str) -> None:
    drawn = picture("waiting")

    assert draw(drawn, format) == draw(drawn, format)


def test_a_painting_is_light_unless_it_is_told_dark() -> None:
    drawn = picture("single-approval/single-approval.yaml")

    assert draw(drawn, "png", "auto") == draw(drawn, "png", "light") != draw(drawn, "png", "dark")


def test_a_picture_of_many_states_is_drawn_with_straight_lines() -> None:
    states: dict[str, object] = {
        f"s{number}": {
            "type": "agent",
            "value": 1,
            "on": {"done": [{"to": f"s{number + 1}"}], "error": [{"to": "bad"}]},
        }
        for number in range(60)
    }
    states |= {"s60": {"type": "end"}, "bad": {"type": "end", "outcome": "failure"}}
    document = {"workflow": "many", "initial": [{"to": "s0"}], "states": states}

    root = ElementTree.fromstring(draw(picture_of(Definition.from_document(document)), "svg"))

    assert sum("state" in (group.get("class") or "").split() for group in root.iter(f"{SVG}g")) == 62


@pytest.mark.parametrize("file", SHOWN)
def test_the_drawings_of_the_documentation_are_up_to_date(file: str) -> None:
    """As far as Graphviz allows: where things stand may differ from one version of it to the next."""
    stored = (PICTURES / file).read_text(encoding="utf-8")

    assert _PLACES.sub("", shown(file)) == _PLACES.sub("", stored), "run python -m tests.drawings"


_PLACES = re.compile(r' (?:d|x|y|cx|cy|width|height|viewBox)="[^"]*"')


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["svg", "png", "pdf"])
def test_a_missing_extra_says_its_name_and_how_to_install_it(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)

    with pytest.raises(UsageError) as refused:
        draw(picture("single-approval/single-approval.yaml"), format)

    assert refused.value.code == "missing_extra"
    assert refused.value.message == (
        f"format {format!r} needs the extra 'graph'; install it with: pip install -e '.[graph]' in a clone of "
        "Holdpoint, else pip install 'holdpoint[graph]'"
    )


def test_what_graphviz_says_is_told() -> None:
    with pytest.raises(graphviz.GraphvizFailed, match="nonsense"):
        graphviz.run("nonsense", "svg", graph={})


def test_what_is_no_workflow_has_no_heat(tmp_path: Path) -> None:
    with opened("single-approval", tmp_path) as example:
        run = example.start()

        with pytest.raises(UsageError, match="not for one run"):
            example.engine.graph(run.id, heat=True)
        with pytest.raises(UsageError, match="for heat alone"):
            example.engine.graph(run.id, all_versions=True)


# --- through the engine -----------------------------------------------------------------------------------------------


def test_heat_counts_the_runs_of_this_version_unless_told_all(tmp_path: Path) -> None:
    with opened("expense", tmp_path, agents=agents()) as example:
        start_many(example, 5)
        text = (example.folder / "expense.yaml").read_text(encoding="utf-8")
        other = example.engine.loads(text.replace("amount > 5000", "amount > 9000"))
        example.engine.start(other, {"employee": "ann", "amount": 1})

        this = example.engine.graph(example.definition, heat=True)
        every = example.engine.graph(example.definition, heat=True, all_versions=True)

    assert "5 runs of this version; 1 of other versions left out\n" in this
    assert "6 runs of all versions\n" in every


def test_emission_is_what_the_engine_gives(tmp_path: Path) -> None:
    with opened("single-approval", tmp_path) as example:
        run = example.start()

        assert svg.emit(_scene("single-approval/single-approval.yaml"), "dark") == example.engine.graph(
            example.definition, "svg", theme="dark"
        )
        assert "HERE" in example.engine.graph(run.id, "svg")
