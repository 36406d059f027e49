"""The agent of the article workflow: it writes. A language model's place, taken by a few lines that are predictable."""


def write(topic: str, notes: list[str], draft: str | None, feedback: str) -> str:
    """An article in Markdown: from the notes; or, once an editor sent it back, from the draft and the feedback.

    It understands `title: …`, which renames the article, and `shorter`, which drops the last paragraph. Of any other
    feedback it makes a paragraph.
    """
    if not draft:
        return _article(topic, notes)
    title, *paragraphs = draft.strip().split("\n\n")
    title = title.removeprefix("# ")
    word, _, rest = feedback.partition(":")
    if word.lower() == "title":
        return _article(rest.strip(), paragraphs)
    if word.lower() == "shorter":
        return _article(title, paragraphs[:-1] or paragraphs)
    return _article(title, [*paragraphs, feedback])


def _article(title: str, paragraphs: list[str]) -> str:
    return "\n\n".join([f"# {title}", *paragraphs]) + "\n"
