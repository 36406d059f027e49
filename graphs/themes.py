"""The colours of pictures, light and dark: each role is one thing's, and texts stand out from what is behind them.

A state's role begins with its look (its type, of an end its outcome): `agent` is its ground, `agent-line` its border,
`agent-ink` its texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

Theme = Mapping[str, str]

_HUMAN_LIGHT = ("#fff4d6", "#a56a00", "#4a3000")
_HUMAN_DARK = ("#33270a", "#e3b341", "#ffe9b3")


def _theme(looks: Mapping[str, tuple[str, str, str]], heats: tuple[str, ...], **roles: str) -> Theme:
    theme = dict(roles)
    for look, (ground, line, ink) in looks.items():
        theme |= {look: ground, f"{look}-line": line, f"{look}-ink": ink}
    theme |= {f"heat{step}": ground for step, ground in enumerate(heats)}
    return MappingProxyType(theme)


LIGHT = _theme(
    {
        "agent": ("#e8f0fe", "#1a56b0", "#102a56"),
        "approval": _HUMAN_LIGHT,
        "return": _HUMAN_LIGHT,
        "form": _HUMAN_LIGHT,
        "wait": ("#efe9fb", "#6a3fb5", "#2f1a57"),
        "success": ("#e3f5e6", "#1e7a34", "#0d3a18"),
        "failure": ("#fde8e8", "#b02a2a", "#561010"),
        "cancelled": ("#eceff2", "#57606a", "#24292f"),
    },
    ("#fff9e8", "#ffe7ad", "#ffca70", "#ffa24d", "#f2763a"),
    **{"heat-ink": "#2b1600"},
    paper="#ffffff",
    ink="#1b1f24",
    muted="#57606a",
    **{"edge": "#5f6368", "timed": "#6a3fb5", "error": "#b02a2a", "taken": "#d4006a", "taken-ink": "#ffffff"},
    **{"dim": "#f6f7f8", "dim-line": "#b8bec5", "dim-ink": "#636b74"},
    **{"danger": "#b02a2a", "danger-ink": "#ffffff"},
    covered="#1e7a34",
    uncovered="#c2410c",
)
DARK = _theme(
    {
        "agent": ("#12233f", "#6ea8ff", "#dbe8ff"),
        "approval": _HUMAN_DARK,
        "return": _HUMAN_DARK,
        "form": _HUMAN_DARK,
        "wait": ("#251a40", "#b392f0", "#e6dcff"),
        "success": ("#0f2d18", "#56d364", "#c6f6d0"),
        "failure": ("#3a1414", "#ff7b72", "#ffd7d5"),
        "cancelled": ("#22272e", "#9aa4af", "#dbe1e8"),
    },
    ("#241c0c", "#423010", "#664210", "#8a4a10", "#a8480f"),
    **{"heat-ink": "#fff3e0"},
    paper="#0f1419",
    ink="#e6edf3",
    muted="#9aa4af",
    **{"edge": "#8b949e", "timed": "#b392f0", "error": "#ff7b72", "taken": "#ff6ab0", "taken-ink": "#3b0020"},
    **{"dim": "#14191f", "dim-line": "#3d444d", "dim-ink": "#8b949e"},
    **{"danger": "#ff7b72", "danger-ink": "#2d0606"},
    covered="#56d364",
    uncovered="#ff9a3d",
)


def pen_width(share: float) -> float:
    """How wide an edge is that this part of all that left its state went by, in points."""
    return round(1 + 5 * share, 1)
