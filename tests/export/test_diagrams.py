"""Mermaid and DOT: the exact text of a tiny plan, and names that mean nothing to either language."""

from __future__ import annotations

from placer.export import dot, mermaid
from tests.export.helpers import LEAVE, plan_of, tiny, with_services

MERMAID = """\
%% tiny, given
flowchart LR
  subgraph device0["near"]
    source0(["look: input"])
    f0["look<br/>a<br/>10 ms"]
  end
  subgraph device1["far"]
    f1["look<br/>b … c<br/>50 ms"]
    sink0(["look: result"])
  end
  source0 -.->|"100 kB"| f0
  f0 -->|"50 kB, 100 ms<br/>via middle"| f1
  f1 -.->|"1 kB"| sink0
"""

DOT = """\
digraph plan {
  graph [rankdir=LR, fontname="Helvetica", label="tiny, given"];
  node [fontname="Helvetica", fontsize=11];
  edge [fontname="Helvetica", fontsize=9];
  subgraph cluster_0 {
    label="near";
    source0 [shape=ellipse, label="look: input"];
    f0 [shape=box, label="look\\na\\n10 ms"];
  }
  subgraph cluster_1 {
    label="far";
    f1 [shape=box, label="look\\nb … c\\n50 ms"];
    sink0 [shape=ellipse, label="look: result"];
  }
  source0 -> f0 [label="100 kB", style=dashed];
  f0 -> f1 [label="50 kB, 100 ms\\nvia middle"];
  f1 -> sink0 [label="1 kB", style=dashed];
}
"""


def test_mermaid_of_a_tiny_plan() -> None:
    compiled = tiny()
    assert mermaid.write(plan_of(compiled, "near far far"), compiled) == {"plan.mmd": MERMAID}


def test_dot_of_a_tiny_plan() -> None:
    compiled = tiny()
    assert dot.write(plan_of(compiled, "near far far"), compiled) == {"plan.dot": DOT}


def test_exits_are_shown_with_their_share() -> None:
    compiled = tiny(with_services(LEAVE))
    text = mermaid.write(plan_of(compiled, "near middle middle"), compiled)["plan.mmd"]
    assert 'f0["leave<br/>a<br/>10 ms<br/>40 % leave after a"]' in text
    assert 'f0 -.->|"40 %: 1 kB"| sink0' in text
    assert 'f1 -->|"60 %: 1 kB, 1 ms"| sink0' in text


def test_a_plan_without_a_route_says_so() -> None:
    compiled = tiny(with_services(LEAVE).replace("range: 25 m", "range: 15 m"))
    text = mermaid.write(plan_of(compiled, "near far far"), compiled)["plan.mmd"]
    assert 'f0 -->|"50 kB, no route"| f1' in text


def test_mermaid_escapes_what_it_would_read() -> None:
    assert mermaid.escape('a"];b#1`<b>') == "a#34;#93;#59;b#35;1#96;#60;b#62;"


def test_dot_escapes_what_it_would_read() -> None:
    assert dot.quote(['a"b\\N', "&lt;\n"]) == '"a\\"b\\\\N\\n&amp;lt; "'


def test_a_hostile_plan_name_stays_a_comment() -> None:
    compiled = tiny()
    plan = plan_of(compiled, "near far far")
    origin = plan.instance.model_copy(update={"name": "x\nend %%{init}"})
    lines = mermaid.write(plan.model_copy(update={"instance": origin}), compiled)["plan.mmd"].splitlines()
    assert lines[0] == "%% x end %% init , given"
    assert lines[1] == "flowchart LR"
