"""A workflow in canonical layout: keys in the order of the language's schema, two spaces a level, comments kept.

The order of states, options and whatever else an author names is the author's. What the author wrote in flow style
(`{…}`, `[…]`) stays so where it has no comment inside and fits into a line; block texts and the line breaks of other
long texts stay as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Final

from holdpoint.engine.canonical import Json
from holdpoint.schema.keywords import DEFINITIONS
from holdpoint.schema.layout import BLANK, CLOSE, Comment, Entry, Part, lay_out
from holdpoint.schema.shape import workflow_schema

WIDTH: Final = 120
"""As many characters a line may have that holds a whole collection; comments do not count."""

_INDENT: Final = "  "
_SIMPLE_KEY = re.compile(r"[a-z][a-z0-9_-]*")
_OTHER_VALUES: Final = ("null", "true", "false")
_INDICATORS: Final = ("-", "?", ":")  # plain texts in flow style, and more than that in block style
_PRAGMA: Final = ("# yaml-language-server:", "#!")


def formatted(text: str, *, is_ordered: bool = True) -> str:
    """A text in canonical layout; it was read without a problem. *is_ordered* says whether keys are put in order."""
    root = lay_out(text)
    header = _header(root)
    if is_ordered:
        _order(root, workflow_schema())
    return "\n".join([*header, *_block(root, ""), BLANK])


def _header(root: Part) -> list[str]:
    """Take the lines that stay at the top of the file, whichever key is the first: up to a blank line, or a pragma."""
    if not root.entries:
        return []
    before = _without_blanks_at_ends(root.entries[0].before, is_end_kept=True)
    last_blank = max((index for index, line in enumerate(before) if line == BLANK), default=-1)
    last_pragma = max((index for index, line in enumerate(before) if line.startswith(_PRAGMA)), default=-1)
    size = max(last_blank, last_pragma) + 1
    root.entries[0].before = before[size:]
    return before[:size]


def _order(part: Part, schema: Json) -> None:
    """Put the keys that the language names in its order, all the way down."""
    schema = _of_its_type(schema, part)
    properties: Mapping[str, Json] = schema.get("properties", {})
    others = schema.get("additionalProperties")
    if properties and others is False:
        places = {key: place for place, key in enumerate(properties)}
        part.entries.sort(key=lambda entry: places.get(_name(entry), len(places)))
    for entry in part.entries:
        below = schema.get("items") if entry.key is None else properties.get(_name(entry), others)
        if isinstance(below, dict) and _name(entry) != "on":
            _order(entry.value, below)


def _of_its_type(schema: Json, part: Part) -> Json:
    """The schema itself, references followed; of a state that of its type."""
    definitions = workflow_schema()["$defs"]
    while "$ref" in schema:
        schema = definitions[schema["$ref"].removeprefix(DEFINITIONS)]
    if "allOf" in schema:
        kind = next((entry.value.value for entry in part.entries if _name(entry) == "type"), "")
        return definitions.get(kind, schema)
    return schema


def _name(entry: Entry) -> str:
    return entry.key.value if entry.key is not None else ""


def _block(part: Part, indent: str) -> list[str]:
    """The lines of a collection in block style."""
    lines: list[str] = []
    is_open = True  # whether a blank line here would be one too many
    for entry in part.entries:
        own = _entry(entry, indent)
        lines += _own_lines(entry.before, indent, is_start_kept=not is_open)
        lines += own
        is_open = _keeps_breaks(entry.value)
    return lines + _own_lines(part.after, indent, is_start_kept=not is_open, is_end_kept=False)


def _keeps_breaks(part: Part) -> bool:
    """Whether a value ends with a block text to which blank lines below it would belong."""
    if part.entries:
        return not part.after and _keeps_breaks(part.entries[-1].value)
    return part.style in ("|", ">") and "+" in part.text.partition("\n")[0].partition("#")[0]


def _own_lines(texts: list[str], indent: str, *, is_start_kept: bool, is_end_kept: bool = True) -> list[str]:
    """Comments and blank lines between two entries, never two blank ones in a row."""
    kept = [text for number, text in enumerate(texts) if text != BLANK or number == 0 or texts[number - 1] != BLANK]
    kept = _without_blanks_at_ends(kept, is_start_kept=is_start_kept, is_end_kept=is_end_kept)
    return [text and indent + text for text in kept]


def _without_blanks_at_ends(texts: list[str], *, is_start_kept: bool = False, is_end_kept: bool = False) -> list[str]:
    start, end = 0, len(texts)
    while start < end and texts[start] == BLANK and not is_start_kept:
        start += 1
    while end > start and texts[end - 1] == BLANK and not is_end_kept:
        end -= 1
    return texts[start:end]


def _entry(entry: Entry, indent: str) -> list[str]:
    """The lines of an entry; comments that cannot stay where they were are put before it, or behind what is in it."""
    value = entry.value
    begin = f"{indent}- " if entry.key is None else f"{indent}{_key(entry.key)}: "
    begin += f"&{value.anchor} " if value.anchor is not None else ""
    if value.kind in ("mapping", "list"):
        if not value.entries:  # there is no room for a comment inside
            entry.before += value.after
            value.after = []
        whole = _in_a_line(value) if value.is_flow or not value.entries else None
        if whole is None or (len(begin) + len(whole) > WIDTH and value.entries):
            return _below(entry, begin, indent)
        lines = [begin + whole]
    elif value.kind == "alias":
        lines = [begin + value.text]
    else:
        lines = _scalar(value, begin, indent + _INDENT)
    comment_line = 0 if value.style in ("|", ">") else -1
    lines[comment_line] = _with_comment(lines[comment_line], entry.tail)
    return lines


def _below(entry: Entry, begin: str, indent: str) -> list[str]:
    """The lines of an entry whose value is a block below it."""
    value, head = entry.value, entry.head
    if value.is_flow:
        _without_columns(entry)
    if entry.tail is not None:
        if head is None and not _has_comments(value):
            head = entry.tail
        else:
            value.after.append(entry.tail.text)
    below = _block(value, indent + _INDENT)
    if entry.key is not None or value.anchor is not None:
        return [_with_comment(begin.rstrip(), head), *below]
    first = next((number for number, line in enumerate(below) if not _is_comment(line)), len(below))
    hoisted = [line and indent + line[len(indent) + len(_INDENT) :] for line in below[:first]]
    if head is not None:
        hoisted.insert(0, indent + head.text)
    entry.before += [line.strip() for line in hoisted]
    return [f"{indent}- {below[first][len(indent) + len(_INDENT) :]}", *below[first + 1 :]]


def _without_columns(entry: Entry) -> None:
    """Forget in which columns comments stood in a value whose lines are broken anew."""
    if entry.tail is not None:
        entry.tail = entry.tail._replace(column=0)
    for inner in entry.value.entries:
        _without_columns(inner)


def _is_comment(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _with_comment(line: str, comment: Comment | None) -> str:
    """A line with a comment at its end, in the column where it was if there is room."""
    if comment is None:
        return line
    return line.ljust(max(comment.column, len(line) + CLOSE)) + comment.text


def _has_comments(part: Part) -> bool:
    return any(text != BLANK for text in part.after) or any(
        entry.head or entry.tail or any(text != BLANK for text in entry.before) or _has_comments(entry.value)
        for entry in part.entries
    )


def _in_a_line(part: Part) -> str | None:
    """A collection in flow style, or None where it has comments or a block text."""
    if _has_comments(part):
        return None
    parts = [_flow_entry(entry) for entry in part.entries]
    if None in parts:
        return None
    inside = ", ".join(text for text in parts if text is not None)
    return f"{{{inside}}}" if part.kind == "mapping" else f"[{inside}]"


def _flow_entry(entry: Entry) -> str | None:
    value = _flow_value(entry.value)
    if value is None or entry.key is None:
        return value
    return f"{_key(entry.key)}: {value}"


def _flow_value(part: Part) -> str | None:
    anchor = f"&{part.anchor} " if part.anchor is not None else ""
    if part.kind in ("mapping", "list"):
        inside = _in_a_line(part)
        return None if inside is None else anchor + inside
    if part.style in ("|", ">"):
        return None
    return anchor + (part.text if part.kind == "alias" else _one_line(part) or "null")


def _one_line(part: Part) -> str:
    """A scalar that is not a block text, in one line."""
    if "\n" not in part.text:
        return _quoted(part)
    if part.style is None and "\n" not in part.value:
        return part.value
    return json.dumps(part.value, ensure_ascii=False)


def _quoted(part: Part) -> str:
    """A scalar of one line with its quotes, double ones where they need nothing escaped."""
    if part.style == "'" and not any(character in part.value for character in '"\\'):
        return f'"{part.value}"'
    return part.text


def _key(part: Part) -> str:
    anchor = f"&{part.anchor} " if part.anchor is not None else ""
    if part.kind == "alias":
        return f"{part.text} "  # the colon would be a part of its name
    if part.style in ("'", '"') and _SIMPLE_KEY.fullmatch(part.value) and part.value not in _OTHER_VALUES:
        return anchor + part.value
    if part.style in ("|", ">"):
        return anchor + json.dumps(part.value, ensure_ascii=False)
    return anchor + _one_line(part)


def _scalar(part: Part, begin: str, indent: str) -> list[str]:
    """The lines of a scalar behind its key; what goes on below is indented."""
    if part.style in ("|", ">"):
        return _block_text(part, begin, indent)
    if part.is_absent:
        return [begin.rstrip()]
    if part.style is None and part.text in _INDICATORS:
        return [f'{begin}"{part.text}"']
    first, *others = (_quoted(part) if "\n" not in part.text else part.text).split("\n")
    return [begin + first, *_indented((line.lstrip(" \t") for line in others), indent)]


def _block_text(part: Part, begin: str, indent: str) -> list[str]:
    header, _, content = part.text.partition("\n")
    indicators = header.partition("#")[0].strip()
    lines = content.removesuffix("\n").split("\n") if content else []
    shift = len(part.value.lstrip("\n")) - len(part.value.lstrip("\n").lstrip(" "))
    first = next((line for line in lines if line.strip(" ")), "")
    depth = len(first) - len(first.lstrip(" ")) - shift
    chomping = next((sign for sign in "+-" if sign in indicators), "")
    if chomping != "+":
        while lines and not lines[-1].strip(" "):
            lines.pop()
    if chomping != "-" and part.value.strip("\n") and not part.value.endswith("\n"):
        chomping = "-"  # the text ended with the file, without a line break
    digit = str(len(_INDENT)) if shift else ""
    return [begin + indicators[0] + digit + chomping, *_indented((line[depth:] for line in lines), indent)]


def _indented(lines: Iterable[str], indent: str) -> list[str]:
    return [line and indent + line for line in lines]
