"""The files of a new project, as `flow init` writes them."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from shlex import quote

SCHEMA = ".flow/workflow.schema.json"
"""Where the JSON Schema of the language lies, for editors."""

SCENARIOS_SCHEMA = ".flow/scenarios.schema.json"
"""Where that of scenario files lies."""

SETTINGS = """\
# The settings of this project; flow looks for this file here and upwards. All of them are optional.

database = "sqlite:///flow.db"     # relative to this folder
workflows = ["workflows"]          # where a NAME is looked up
lease = "30s"                      # how long an agent's process may be silent before it counts as crashed
advance = true                     # whether flow start and flow decide run the agents that follow

# Who has which role. A name that is not here is a person without roles.
[people.paul]
roles = ["publisher"]

# Once anybody has the role operator, only operators may retry, cancel, move and extend.
# [people.olga]
# roles = ["operator"]
"""

WORKFLOW = f"""\
# yaml-language-server: $schema=../{SCHEMA}
workflow: announcement
title: Announcement
description: An agent drafts, whoever asked for it accepts or sends back, a publisher releases, and it is published.
input:
  type: object
  required: [topic]
  properties:
    topic: {{type: string, minLength: 1}}
states:
  draft:
    type: agent
    python: announcement_agents:draft
    with:
      topic: "{{{{ input.topic }}}}"
      feedback: "{{{{ review.comment if review else '' }}}}"     # none the first time
    output: {{type: string, minLength: 1}}
    artifact: announcement                                   # each output is its next revision
    next: review
  review:                                                    # the return loop: revise leads back to the draft
    type: return
    message: "Is the draft about {{{{ input.topic }}}} right? Accept it, or send it back with a comment."
    show: [announcement]
    assign: [initiator]
    max_returns: 3
    on: {{accept: release, revise: draft}}
    timeout: 2d
    default: accept                                          # nothing is published yet: release still stands before it
  release:
    type: approval
    message: "Publish the announcement about {{{{ input.topic }}}}?"
    show: [announcement]
    assign: ["role:publisher"]
    exclude: [initiator]                                     # nobody releases what they asked for
    comment: [reject]
    on: {{approve: publish, reject: refused}}
    timeout: 2d
    default: reject                                          # silence publishes nothing
  publish:
    type: agent
    python: announcement_agents:publish
    with:
      text: "{{{{ artifacts.announcement }}}}"
    effect: irreversible
    after_crash:                                             # a person says whether it took effect
      ask: {{assign: ["role:publisher"], timeout: 1d, default: fail}}
    next: published
  published: {{type: end, output: "{{{{ publish }}}}"}}
  refused: {{type: end, outcome: failure}}
"""

SCENARIOS = f"""\
# yaml-language-server: $schema=../{SCENARIOS_SCHEMA}
workflow: announcement.yaml
people: {{paul: [publisher]}}
agents:                                       # what they give here; {{real: true}} runs the real one
  draft: [News about the office., News about the office. We move on Monday.]      # visit by visit
  publish: {{file: published/1.md}}
scenarios:
  - name: what was sent back is drafted again, and published once paul approves
    initiator: ann
    input: {{topic: the office}}
    steps:
      - {{decide: revise, at: review, by: ann, comment: We move on Monday.}}
      - {{decide: accept, at: review, by: ann}}
      - {{expect: {{state: release, requests: [{{assigned: ["role:publisher"], due: 2d}}]}}}}
      - {{decide: approve, at: release, by: ann, refused: not_allowed}}
      - {{decide: approve, at: release, by: paul}}
    expect:
      path: [draft, review, draft, review, release, publish, published]
      outcome: success
      output: {{file: published/1.md}}
      artifacts: {{announcement: News about the office. We move on Monday.}}
  - name: a publisher may refuse
    initiator: ann
    input: {{topic: the office}}
    steps:
      - {{decide: accept, at: review, by: ann}}
      - {{decide: reject, at: release, by: paul, comment: not before Monday}}
    expect: {{state: refused, outcome: failure}}
  - name: silence publishes nothing
    initiator: ann
    input: {{topic: the office}}
    steps: [{{advance: 4d}}]
    expect: {{state: refused, expired: 2, path: [draft, review, release, refused]}}
"""

AGENTS = '''\
"""The agents of the workflow announcement: functions that get what the workflow passes and return JSON."""

from pathlib import Path

from holdpoint import Context

PUBLISHED = Path(__file__).parent / "published"


def draft(topic: str, feedback: str) -> str:
    """The text to be reviewed. A language model may stand here as well."""
    text = f"News about {topic}.\\n"
    return f"{text}{feedback}\\n" if feedback else text


def publish(context: Context, text: str) -> dict[str, str]:
    """Write the text into a file that is named by the run: whoever does it again does no more than once."""
    PUBLISHED.mkdir(exist_ok=True)
    path = PUBLISHED / f"{context.run_id}.md"
    path.write_text(text, encoding="utf-8")
    return {"file": f"{PUBLISHED.name}/{path.name}"}
'''

README = """\
# Announcements

A project of workflows that wait for people. An agent drafts an announcement, whoever asked for it accepts it or sends
it back, a publisher releases it, and only then it is published.

| file | what it is |
|---|---|
| `flow.toml` | settings, and who has which role: paul is a publisher |
| `workflows/announcement.yaml` | the workflow |
| `workflows/announcement.scenarios.yaml` | its scenarios: tests with made-up agents, scripted people and virtual time |
| `announcement_agents.py` | its agents |
| `.flow/*.schema.json` | the JSON Schemas of workflows and scenarios, for editors; `flow schema` prints them |

Is the workflow right, and does it do what it should? Then start a run. It goes on until it needs somebody, and the
process ends:

```
flow check
flow test
flow graph announcement
flow --as ann start announcement -i topic="the new office"
```

What it printed says how to answer. Ann sends the draft back with a comment, then accepts the next one; paul releases
it (`RUN` is the run's id, or a unique beginning of it):

```
flow --as ann inbox --mine
flow --as ann decide RUN revise --comment "We move on Monday."
flow diff RUN announcement
flow --as ann decide RUN accept
flow --as paul decide RUN approve
flow history RUN
```

Had nobody answered, the defaults of the workflow would apply two days later. Let cron write that down,

```
* * * * * cd {folder} && {flow} tick --quiet >> tick.log 2>&1
```

or let a process do so: `flow serve --no-web`. A pass of `flow tick --quiet` prints a line where it did something; move
`tick.log` away when it grows. The runs are in `flow.db`: keep it, `tick.log` and `published/` out of version control.
"""


def files(folder: Path, schema: str, scenarios_schema: str) -> dict[str, str]:
    """Each file of a new project in *folder*, by its path in the project; with the two JSON Schemas."""
    # Cron has no PATH of ours: it needs to be told where this very program is.
    flow = shutil.which("flow", path=str(Path(sys.executable).parent)) or shutil.which("flow") or "flow"
    return {
        "flow.toml": SETTINGS,
        "workflows/announcement.yaml": WORKFLOW,
        "workflows/announcement.scenarios.yaml": SCENARIOS,
        "announcement_agents.py": AGENTS,
        "README.md": README.replace("{folder}", quote(str(folder))).replace("{flow}", quote(flow)),
        SCHEMA: schema,
        SCENARIOS_SCHEMA: scenarios_schema,
    }


def next_commands(prefix: str) -> tuple[str, ...]:
    """What to try first."""
    return (
        f"{prefix} check",
        f"{prefix} test",
        f"{prefix} --as ann start announcement -i topic=Holidays",
        f"{prefix} --as ann inbox --mine",
    )
