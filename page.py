"""A page of HTML that needs nothing else: light and dark, no scripts, nothing from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Final

_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1c2530;--soft:#5b6774;--line:#d5dbe1;--paper:#fff;--a:#2f6fab;--b:#c2571a}
@media(prefers-color-scheme:dark){
:root{--ink:#e4e8ec;--soft:#9aa6b2;--line:#39424c;--paper:#14181d;--a:#6fb1ec;--b:#f0955a}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
body{max-width:46rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}.soft{color:var(--soft)}
.key b{color:var(--a)}.key i{color:var(--b);font-style:normal;font-weight:600}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}.scroll{overflow-x:auto}
th,td{padding:.25rem .6rem .25rem 0;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600;color:var(--soft)}
"""


def html_page(title: str, body: str, style: str = "") -> str:
    """The page: *body* is HTML, *title* a text; *style* comes after what all pages have."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}{style}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )
