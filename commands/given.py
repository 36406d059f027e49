"""What a person gives with a decision, read as the request asks for it: answers to its form, an edit of an artifact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from holdpoint import Request
from holdpoint.commands.render import form_of
from holdpoint.commands.values import read_object, read_text, read_value
from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import Invalid


def read_answers(request: Request | None, option: str, file: str | None, pairs: Sequence[str]) -> Json:
    """The answers as given; keys are looked at where they can still be refused."""
    if request is None:
        return read_object(file, pairs, None, "answers", is_free=True)
    form = form_of(request, option)
    # An agent's output may have keys that its schema does not name; a form's answers may not.
    is_free = request.status != "open" or form is None or request.kind == "crash"
    return read_object(file, pairs, form, "answers", is_free=is_free)


def read_edit(request: Request | None, name: str) -> Json:
    """The edit in a file: text where the revision shown is a text, or none is shown and it will be refused."""
    shown = under_review(request)
    if shown is None or isinstance(shown.get("content"), str):
        return read_text(name)
    value = read_value(name)
    if value is None:
        raise Invalid(f"file {name!r} holds null, which is no edit", code="artifact")
    return value


def under_review(request: Request | None) -> Mapping[str, Json] | None:
    """The artifact that an edit is of: the first that is shown; None where there is none yet."""
    return next((item for item in request.show if item.get("revision") is not None), None) if request else None
