"""The agent of the expense workflow: it drafts the report, in a language model's place and predictably."""


def draft_report(amount: float, feedback: str) -> dict[str, str]:
    """The report of an amount; with the feedback of the person who sent the last one back, if somebody did."""
    text = f"Expenses of {amount:,.2f} EUR"
    return {"text": f"{text}: {feedback}" if feedback else text}
