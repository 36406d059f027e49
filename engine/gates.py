"""How a run comes to wait for a person: requests are opened here, with all that they keep of what was rendered."""

from __future__ import annotations

from collections.abc import Mapping

from holdpoint.engine import jsonschemas
from holdpoint.engine.canonical import Json, as_text
from holdpoint.engine.definition import (
    CRASH_OPTIONS,
    DEFAULT_PRIORITY,
    SCHEMAS_BY_NAME,
    AgentState,
    Ask,
    Assignment,
    HumanState,
)
from holdpoint.engine.draft import Draft
from holdpoint.engine.errors import Invalid
from holdpoint.engine.expressions import Scope, parse_value
from holdpoint.engine.ids import request_id
from holdpoint.engine.model import RunRecord
from holdpoint.engine.names import arguments_shown
from holdpoint.engine.people import check_person

_RENDERED_IN_FORMS = frozenset({"enum", "const", "default", "minimum", "maximum", "title", "description"})


def open_gate(draft: Draft, state: HumanState) -> None:
    """Ask people what a state asks them. Raises `Invalid` where an expression fails, or the default its form."""
    run, scope = draft.run, draft.scope()
    options = state.offered(run.returns.get(state.name, 0))
    form = None if state.form is None else _render_form(state.form, scope)
    forms = {option: _render_form(form, scope) for option, form in state.forms.items()}
    _open(
        draft,
        kind=state.type,
        message=as_text(state.message.render(scope)),
        options=options,
        form=form,
        forms=forms or None,
        show=_shown(draft, state, scope),
        assign=_render_assign(draft, state.assign, scope) or None,
        exclude=excluded(state.exclude, run) or None,
        comment=[option for option in options if option in state.comment or option == "revise"] or None,
        priority=None if state.priority == DEFAULT_PRIORITY else state.priority,
        due_at=draft.due_text(state.timeout),
        default=_checked_default(state, form, forms),
    )


def open_crash_request(draft: Draft, ask: Ask, reason: str) -> None:
    """Ask a person what to do with an attempt of which nobody knows whether it took effect."""
    state, run = draft.state, draft.run
    scope = draft.scope()
    output = arguments = None
    if isinstance(state, AgentState):
        output, arguments = state.output, arguments_shown(state, draft.scope)
    _open(
        draft,
        kind="crash",
        message=(
            f"An attempt of agent {state.name!r} ended without an answer ({reason}); whether it took effect is not "
            "known. retry: run it again under the same key. done: it took effect, the answers are its output. "
            "fail: as when all attempts have failed."
        ),
        options=list(CRASH_OPTIONS),
        show=[],
        forms=None if output is None else {"done": output},
        assign=_render_assign(draft, ask.assign, scope) or None,
        exclude=excluded(ask.exclude, run) or None,
        priority=None if ask.priority == DEFAULT_PRIORITY else ask.priority,
        due_at=draft.due_text(ask.timeout),
        default=dict(ask.default) if ask.default else None,
        attempt={"number": run.attempts + 1, "key": run.key, "arguments": arguments},
    )


def excluded(entries: tuple[str, ...], run: RunRecord) -> list[str]:
    """Whom these entries of `exclude` mean; a run that nobody started excludes no initiator."""
    names = [run.initiator if entry == "initiator" else entry for entry in entries]
    return [name for name in names if name is not None]


def _open(draft: Draft, **data: Json) -> None:
    run = draft.run
    draft.emit("request.opened", request=request_id(run.id, run.seq + 1), **data)


def _shown(draft: Draft, state: HumanState, scope: Scope) -> list[Json]:
    if isinstance(state.show, Mapping):
        return [
            {"name": label, "value": draft.keep(value.render(scope), f"{label!r} shown in state {state.name!r}")}
            for label, value in state.show.items()
        ]
    shown = []
    for name in state.show:
        revision = draft.run.artifacts.get(name)
        shown.append(
            {
                "name": name,
                "revision": revision.revision if revision else None,
                "sha256": revision.sha256 if revision else None,
            }
        )
    return shown


def _render_assign(draft: Draft, assign: Assignment, scope: Scope) -> Json:
    if isinstance(assign, Mapping):
        return {option: _people(draft, entries, scope) for option, entries in assign.items()}
    return _people(draft, assign, scope)


def _people(draft: Draft, entries: tuple[str, ...], scope: Scope) -> list[str]:
    return [_render_person(draft, entry, scope) for entry in entries]


def _render_person(draft: Draft, entry: str, scope: Scope) -> str:
    template = parse_value(entry)
    if not template.is_constant:
        return check_person(template.render(scope), f"assign: {entry!r}")
    if entry != "initiator":
        return entry
    if draft.run.initiator is None:
        raise Invalid("assign: the run has no initiator", code="person")
    return draft.run.initiator


def _checked_default(state: HumanState, form: Json, forms: Mapping[str, Json]) -> Json:
    default = state.default
    if default is None:
        return None
    form = forms.get(default["decision"], form)
    if form is None:
        return {"decision": default["decision"]}
    answers = jsonschemas.fill_defaults(form, default.get("answers", {}))
    jsonschemas.validate(form, answers, "answers of the default", "answers")
    return {"decision": default["decision"], "answers": answers}


def _render_form(schema: Json, scope: Scope) -> Json:
    if isinstance(schema, list):
        return [_render_form(item, scope) for item in schema]
    if not isinstance(schema, dict):
        return schema
    rendered = {}
    for key, value in schema.items():
        if key in _RENDERED_IN_FORMS:
            rendered[key] = parse_value(value).render(scope)
        elif key in SCHEMAS_BY_NAME and isinstance(value, dict):
            rendered[key] = {name: _render_form(item, scope) for name, item in value.items()}
        else:
            rendered[key] = _render_form(value, scope)
    return rendered
