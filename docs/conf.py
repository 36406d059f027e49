"""How Sphinx builds the site; docs/README.md has the command."""

import tomllib
from pathlib import Path

_project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = "Holdpoint"
version = release = _project["version"]

extensions = ["myst_parser", "sphinxcontrib.mermaid"]
exclude_patterns = ["README.md", "design"]
html_theme = "furo"
html_title = f"{project} {version}"
html_show_copyright = False

# checks.md shows files that are no YAML, and says so.
suppress_warnings = ["misc.highlighting_failure"]

myst_heading_anchors = 3
myst_fence_as_directive = ["mermaid"]
