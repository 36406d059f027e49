"""The codes of findings, each with the rule that it stands for. A code is never given a second meaning."""

from __future__ import annotations

from typing import Final

CODES: Final = {
    # the file as YAML
    "HP001": "a workflow is UTF-8 text without a byte order mark",
    "HP002": "a workflow is at most 1 MiB",
    "HP003": "a workflow is nested at most 64 deep",
    "HP004": "a workflow has at most 100,000 nodes, aliases written out",
    "HP005": "an alias stands for a complete node before it",
    "HP006": "a workflow is YAML",
    "HP007": "a key is given once",
    "HP008": "there are no merge keys",
    "HP009": "there are no tags",
    "HP010": "there are no directives",
    "HP011": "a file holds one workflow",
    "HP012": "a file is not empty",
    "HP013": "dates and times are quoted",
    "HP014": "numbers are finite, integers have 64 bits",
    "HP015": "keys are texts",
    "HP016": "there are no control characters, bidirectional controls or lone surrogates",
    # the shape of a workflow
    "HP101": "keys are known",
    "HP102": "required keys are there",
    "HP103": "values are of the right kind",
    "HP104": "a value from a fixed list is one of the list",
    "HP105": "names and references are well formed",
    "HP106": "exactly one of several keys is there",
    "HP107": "counts and lengths are within their bounds",
    "HP108": "reserved names are not used for states",
    "HP190": "the feature is not available in this version",
    # states, options, targets
    "HP201": "targets name states that exist",
    "HP202": "every target of a list can be taken: only the last has no condition",
    "HP203": "a state has the options that its type needs",
    "HP204": "an option is one that the state's type can have",
    "HP205": "an option has one target",
    "HP206": "a key has an effect where it stands",
    # time
    "HP210": "a timeout has exactly one of a default and a timeout edge",
    "HP211": "a default and a timeout edge have a timeout",
    "HP212": "a default is an option of its state",
    "HP213": "a default never sends the work back",
    "HP214": "the answers of a default meet the form, or the output's schema",
    "HP215": "what waits for a person or a signal says for how long",
    "HP216": "durations are whole, positive and in known units",
    "HP217": "time zones are known",
    "HP218": "a wait ends at an RFC 3339 time, or at what a template gives",
    # schemas
    "HP220": "JSON Schemas are valid",
    "HP221": "JSON Schemas refer to their own parts only",
    "HP222": "inputs and forms are objects",
    "HP223": "keywords of JSON Schemas are known",
    "HP225": "a required property of an input or a form is described",
    "HP226": "a required property of an output is described (a warning)",
    "HP224": "a state has one form, or forms by option",
    # people and what they are shown
    "HP230": "an assignee is a person, a role, the initiator or a template",
    "HP231": "an assignment by option names every option",
    "HP232": "what is shown is an artifact that a state makes",
    "HP233": "a return state shows first the artifact under review",
    "HP234": "comments are asked for options of the state",
    "HP235": "forms are for options of the state",
    "HP236": "who is excluded is a person, a role or the initiator",
    "HP238": "somebody may decide each option",
    "HP239": "somebody in flow.toml may decide each option (a warning)",
    "HP237": "somebody has each role that is asked (a warning)",
    # values
    "HP240": "expressions and templates are well formed",
    "HP241": "names in expressions are known",
    "HP242": "properties of known values are known",
    "HP243": "what a person has seen as an artifact is read as the artifact",
    # the graph
    "HP252": "one target of a list holds (a warning)",
    "HP257": "a target of a list can hold",
    "HP253": "what is read has been produced",
    "HP254": "what is read has been produced on every path (a warning)",
    "HP258": "a condition gives true or false, never none (a warning)",
    "HP255": "an artifact is shown or read (a warning)",
    "HP256": "an output is read (a warning)",
    "HP250": "every state can be reached",
    "HP251": "an end can be reached from every state",
    # proofs over all paths
    "HP301": "nothing irreversible is done without a person's approval",
    "HP302": "what takes effect is what was approved",
    "HP310": "a run ends though nobody ever answers (a warning)",
    "HP311": "every cycle passes a person or a bounded counter",
    # attempts
    "HP260": "delays between attempts are elapsed time",
    "HP261": "a first delay is not longer than the longest",
}
