"""Publishes, once per key: takes the article as JSON on standard input and writes it to `published/SLUG.md`.

Whoever runs this a second time under the same FLOW_KEY gets the same answer, and nothing is written again. What another
run has published under the slug is never overwritten.
"""

import json
import os
import sys
from pathlib import Path


def main() -> None:
    """Print the path of the published file as JSON."""
    key = os.environ.get("FLOW_KEY") or sys.exit("FLOW_KEY is not set: it says who has published a file")
    article = json.load(sys.stdin)
    path = Path("published", f"{article['slug']}.md")
    mark = f"\n<!-- {key} -->\n"
    if not _write_new(path, article["text"] + mark) and not path.read_text(encoding="utf-8").endswith(mark):
        sys.exit(f"{path} was published by another run")
    json.dump({"path": str(path)}, sys.stdout)


def _write_new(path: Path, text: str) -> bool:
    """Write the whole file or nothing of it; False, and nothing is written, where there is one already."""
    path.parent.mkdir(exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    try:
        os.link(unfinished, path)
    except FileExistsError:
        return False
    finally:
        unfinished.unlink()
    return True


if __name__ == "__main__":
    main()
