"""What changed between two definitions: a pure comparison of their documents."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import meaning
from holdpoint.schema.changes.change import Change, Place, differing, is_same, now_and_was, quoted, told
from holdpoint.schema.changes.fields import compare_fields
from holdpoint.schema.changes.renames import find_renames, with_names
from holdpoint.schema.changes.states import Pair, added_state, compare_states, removed_state, written_targets

_TEXTS: Final = ("title", "description")


def compare_documents(before: Json, after: Json) -> tuple[Change, ...]:
    """The changes that lead from one normalised document to the other, in the order of the later one.

    None where the two are the same to the letter. Where their versions differ, at least one is not cosmetic.
    """
    old, new = meaning(before), meaning(after)
    renames = find_renames(old, new)
    old = with_names(old, new, renames)
    found = [*_whole(old, new), *_renamed(renames), *_states(old, new)]
    found += [*_texts(before, after, renames), *_orders(old, new)]
    if not found and _text(before) != _text(after):
        found.append(Place().cosmetic("the same is written in another way", None, None))
    return tuple(found)


def _whole(old: Json, new: Json) -> Iterator[Change]:
    """What is said of the workflow and not of a state."""
    for key, _, was, now in differing(*({**document, "states": None} for document in (old, new))):
        place = Place(key=key)
        if key == "input":
            yield from compare_fields("the input", place, was, now, is_input=True)
        elif key == "initial":
            text = f"a run now begins in {written_targets(now)}, was: {written_targets(was)}"
            yield place.change(text, was, now)
        elif key == "on_cancel":
            text = f"a cancelled run now goes to {_or_nowhere(now)}, was: {_or_nowhere(was)}"
            yield place.change(text, was, now)
        elif key == "timezone":
            yield place.change(f"the timezone is {now or 'UTC'}, was {was or 'UTC'}", was, now)
        elif key == "workflow":
            yield place.change(f"the workflow is called {now!r}, was {was!r}", was, now)
        else:
            yield place.change(now_and_was(f"{key!r} of the workflow", was, now), was, now)


def _or_nowhere(targets: Sequence[Json] | None) -> str:
    return written_targets(targets) if targets else "no state"


def _renamed(renames: Mapping[str, str]) -> Iterator[Change]:
    for old, new in renames.items():
        text = f"state {old!r} seems to be called {new!r} now: the two are nearly the same"
        yield Change(kind="renamed", text=text, state=new, before=old, after=new)


def _states(old: Json, new: Json) -> Iterator[Change]:
    for name, kind, was, now in differing(old["states"], new["states"]):
        if kind == "added":
            yield added_state(name, now)
        elif kind == "removed":
            yield removed_state(name, was)
        else:
            yield from _whole_state(Pair(name=name, before=was, after=now))


def _whole_state(pair: Pair) -> Iterator[Change]:
    found = list(compare_states(pair))
    yield from found
    if not found:
        yield Place(state=pair.name).change(f"{pair.who} is written in another way", pair.before, pair.after)


# -- what the version does not cover


def _texts(before: Json, after: Json, renames: Mapping[str, str]) -> Iterator[Change]:
    """Titles and descriptions: of the workflow, of its states, and of the fields of its schemas."""
    yield from _texts_of("the workflow", None, before, after)
    if is_same(meaning(before).get("input"), meaning(after).get("input")):
        yield from _texts_inside("the input", Place(key="input"), before.get("input"), after.get("input"))
    for name, state in before["states"].items():
        later = renames.get(name, name)
        other = after["states"].get(later)
        if other is None:
            continue
        yield from _texts_of(repr(later), later, state, other)
        old, new = (_meant(side) for side in (state, other))
        for key in ("form", "forms", "output"):
            if key in state and key in other and is_same(old.get(key), new.get(key)):
                what = f"the {key} of {later!r}"
                yield from _texts_inside(what, Place(state=later, key=key), state[key], other[key])


def _texts_of(what: str, state: str | None, old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[Change]:
    for key in _TEXTS:
        was, now = old.get(key), new.get(key)
        if was == now:
            continue
        texts = {
            (True, False): f"{what} has the {key} {told(now)}, and had none",
            (False, True): f"{what} no longer has a {key} (it was {told(was)})",
        }
        text = texts.get((was is None, now is None)) or now_and_was(f"the {key} of {what}", was, now)
        yield Place(state=state, key=key).cosmetic(text, was, now)


def _texts_inside(what: str, place: Place, old: Json, new: Json) -> Iterator[Change]:
    if not is_same(old, new):
        yield place.cosmetic(f"titles or descriptions of {what} are other ones", old, new)


def _meant(state: Json) -> Mapping[str, Json]:
    """A state as the version covers it."""
    states: Mapping[str, Mapping[str, Json]] = meaning({"states": {"it": state}})["states"]
    return states["it"]


def _orders(old: Json, new: Json) -> Iterator[Change]:
    """What is the same in another order: states, options, fields."""
    names = [name for name in new["states"] if name in old["states"]]
    was = [name for name in old["states"] if name in new["states"]]
    if names != was:
        yield Place(key="states").cosmetic(f"the states are in another order: {quoted(names)}", was, names)
    if _is_reordered(old.get("input"), new.get("input")):
        yield Place(key="input").cosmetic("the input is in another order", old["input"], new["input"])
    for name in names:
        earlier, later = old["states"][name], new["states"][name]
        for key in later:
            if key in earlier and _is_reordered(earlier[key], later[key]):
                place = Place(state=name, key=key)
                if key == "on":
                    text = f"the options of {name!r} are in another order: {quoted(later[key])}"
                    yield place.cosmetic(text, list(earlier[key]), list(later[key]))
                else:
                    yield place.cosmetic(f"{key!r} of {name!r} is in another order", earlier[key], later[key])


def _is_reordered(old: Json, new: Json) -> bool:
    return is_same(old, new) and _text(old) != _text(new)


def _text(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)
