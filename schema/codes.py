"""The codes of findings, each with the rule that it stands for and how much breaking it matters.

A code is never given a second meaning, and has one severity. `docs/checks.md` has a section for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from holdpoint.engine.errors import Severity


@dataclass(frozen=True, slots=True)
class Rule:
    """What a code stands for: a sentence that is true of every workflow in which it is not found."""

    code: str
    rule: str
    severity: Severity = "error"

    @property
    def heading(self) -> str:
        """The title of its section in `docs/checks.md`."""
        return f"{self.code}: {self.rule}"


def _warning(code: str, rule: str) -> Rule:
    return Rule(code, rule, "warning")


_RULES: Final = (
    # the file as YAML
    Rule("HP001", "a workflow is UTF-8 text without a byte order mark"),
    Rule("HP002", "a workflow is at most 1 MiB"),
    Rule("HP003", "a workflow is nested at most 64 deep"),
    Rule("HP004", "a workflow has at most 100,000 nodes, aliases written out"),
    Rule("HP005", "an alias stands for a complete node before it"),
    Rule("HP006", "a workflow is YAML"),
    Rule("HP007", "a key is given once"),
    Rule("HP008", "there are no merge keys"),
    Rule("HP009", "there are no tags"),
    Rule("HP010", "there are no directives"),
    Rule("HP011", "a file holds one workflow"),
    Rule("HP012", "a file is not empty"),
    Rule("HP013", "dates and times are quoted"),
    Rule("HP014", "numbers are finite, integers have 64 bits"),
    Rule("HP015", "keys are texts"),
    Rule("HP016", "there are no control characters, bidirectional controls or lone surrogates"),
    _warning("HP018", "a person's name is what it looks like"),
    _warning("HP019", "two properties of an object do not look alike"),
    # the shape of a workflow
    Rule("HP101", "keys are known"),
    Rule("HP102", "required keys are there"),
    Rule("HP103", "values are of the right kind"),
    Rule("HP104", "a value from a fixed list is one of the list"),
    Rule("HP105", "names and references are well formed"),
    Rule("HP106", "exactly one of several keys is there"),
    Rule("HP107", "counts and lengths are within their bounds"),
    Rule("HP108", "reserved names are not used for states"),
    Rule("HP190", "the feature is not available in this version"),
    # states, options, targets
    Rule("HP201", "targets name states that exist"),
    Rule("HP202", "every target of a list can be taken: only the last has no condition"),
    Rule("HP203", "a state has the options that its type needs"),
    Rule("HP204", "an option is one that the state's type can have"),
    Rule("HP205", "an option has one target"),
    Rule("HP206", "a key has an effect where it stands"),
    _warning("HP207", "keys about a process stand where one runs"),
    _warning("HP209", "a command is a list of words, the program first"),
    _warning("HP208", "a return state shows artifacts, which can be edited"),
    # time
    Rule("HP210", "a timeout has exactly one of a default and a timeout edge"),
    Rule("HP211", "a default and a timeout edge have a timeout"),
    Rule("HP212", "a default is an option of its state"),
    Rule("HP213", "a default never sends the work back"),
    Rule("HP214", "the answers of a default meet the form, or the output's schema"),
    _warning("HP215", "what waits for a person or a signal says for how long"),
    Rule("HP216", "durations are whole, positive and in known units"),
    Rule("HP217", "time zones are known"),
    Rule("HP218", "a wait ends at an RFC 3339 time, or at what a template gives"),
    # schemas
    Rule("HP220", "JSON Schemas are valid"),
    Rule("HP221", "JSON Schemas refer to their own parts only"),
    Rule("HP222", "inputs and forms are objects"),
    _warning("HP223", "keywords of JSON Schemas are known"),
    Rule("HP224", "a state has one form, or forms by option"),
    Rule("HP225", "a required property of an input or a form is described"),
    _warning("HP226", "a required property of an output is described"),
    # people and what they are shown
    Rule("HP230", "an assignee is a person, a role, the initiator or a template"),
    Rule("HP231", "an assignment by option names every option"),
    Rule("HP232", "what is shown is an artifact that a state makes"),
    Rule("HP233", "a return state shows first the artifact under review"),
    Rule("HP234", "comments are asked for options of the state"),
    Rule("HP235", "forms are for options of the state"),
    Rule("HP236", "who is excluded is a person, a role or the initiator"),
    _warning("HP237", "somebody has each role that is asked, and it is written as a role"),
    Rule("HP238", "somebody may decide each option"),
    _warning("HP239", "somebody in flow.toml may decide each option"),
    # values
    Rule("HP240", "expressions and templates are well formed"),
    Rule("HP241", "names in expressions are known"),
    Rule("HP242", "properties of known values are known"),
    Rule("HP243", "what a person has seen as an artifact is read as the artifact"),
    Rule("HP244", "values that are compared are of kinds that can be equal, or ordered"),
    Rule("HP245", "a value is compared with what it can be"),
    Rule("HP246", "operators, filters and tests get values that they work on"),
    Rule("HP247", "a condition gives true or false"),
    Rule("HP248", "a template gives what its place takes"),
    _warning("HP249", "a condition can hold, and can fail to hold"),
    # the graph
    _warning("HP250", "every state can be reached"),
    Rule("HP251", "an end can be reached from every state"),
    _warning("HP252", "one target of a list holds"),
    Rule("HP253", "what is read has been produced"),
    _warning("HP254", "what is read has been produced on every path"),
    _warning("HP255", "an artifact is shown or read"),
    _warning("HP256", "an output is read"),
    Rule("HP257", "a target of a list can hold"),
    _warning("HP258", "a condition gives true or false, never none"),
    _warning("HP259", "what came before has what is read of it, whichever way a run came"),
    # attempts
    Rule("HP260", "delays between attempts are elapsed time"),
    _warning("HP261", "a first delay is not longer than the longest"),
    _warning("HP262", "what is tried again is a failure that agents have"),
    # the project
    Rule("HP270", "a name stands for one file of a project"),
    # comments
    _warning("HP271", "an ignore names the code of a warning that is there"),
    # proofs over all paths
    Rule("HP301", "nothing irreversible is done without a person's approval"),
    Rule("HP302", "what takes effect is what was approved"),
    _warning("HP310", "a run ends though nobody ever answers"),
    Rule("HP311", "every cycle passes a person or a bounded counter"),
)

CODES: Final[Mapping[str, Rule]] = {rule.code: rule for rule in _RULES}
"""What is found in workflows."""

_SCENARIO_RULES: Final = (
    Rule("HP402", "a scenario file names a workflow that is there"),
    Rule("HP403", "a scenario has a name of its own"),
    Rule("HP404", "times and durations of scenarios are well formed"),
    Rule("HP405", "scenarios name states, options, roles, agents, artifacts, signals and refusals that there are"),
    Rule("HP406", "a step does one thing, and has the keys of that"),
    Rule("HP407", "an agent is made up as one can be"),
    Rule("HP408", "an invariant has one of the four forms, and names what its workflow has"),
)
SCENARIO_CODES: Final[Mapping[str, Rule]] = {rule.code: rule for rule in _SCENARIO_RULES}
"""What is found in scenario files besides: as YAML and in its shape, one has the rules of a workflow."""

CASE_CODES: Final[Mapping[str, Rule]] = {
    rule.code: rule
    for rule in (
        Rule("HP421", "cases, their columns and decisions are well formed, and give and read what their workflow has"),
    )
}
"""What is found in files of cases besides; names, times and durations in them have the codes of scenarios."""
