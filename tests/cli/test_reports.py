"""What the reporters write, to the letter: names hold what names can hold, and nothing of it is taken for syntax."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET

import pytest
from rich.console import Console

from placer.cli.output.check import REPORTERS, Judgement, exit_code
from placer.cli.output.table import table
from placer.evaluation.checks import Check, limit_check

NASTY = Judgement(
    'a&b<"c">.json',
    "analytic",
    (
        limit_check("memory", "hub, 1: [red]", "memory of hub", 2e6, 1e6, "B"),
        Check("runs", "5 % <b>", "ok", "runs\x07 & fits"),
        Check("range", "cam", "skipped", 'no "position"'),
        Check("stale", "plan", "waived", "changed\nsince"),
    ),
)


def test_junit() -> None:
    message = NASTY.checks[0].message
    assert message == "memory of hub: 2 MB, allowed 1 MB, 1 MB too much"
    assert REPORTERS["junit"]([NASTY]) == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        "<testsuites>\n"
        '  <testsuite name="a&amp;b&lt;&quot;c&quot;&gt;.json" tests="4" failures="1" skipped="2">\n'
        '    <testcase classname="placer.memory" name="memory hub, 1: [red]">\n'
        f'      <failure type="violated" message="{message}" />\n'
        "    </testcase>\n"
        '    <testcase classname="placer.runs" name="runs 5 % &lt;b&gt;">\n'
        "      <system-out>runs? &amp; fits</system-out>\n"
        "    </testcase>\n"
        '    <testcase classname="placer.range" name="range cam">\n'
        '      <skipped message="no &quot;position&quot;" />\n'
        "    </testcase>\n"
        '    <testcase classname="placer.stale" name="stale plan">\n'
        '      <skipped message="changed&#10;since" />\n'
        "    </testcase>\n"
        "  </testsuite>\n"
        "</testsuites>\n"
    )


def test_junit_of_nothing_printable_is_read_back() -> None:
    every = "".join(map(chr, [*range(0x20), 0x7F, 0x85, 0xD800, 0xFFFE, 0xFFFF, 0x1F600]))
    text = REPORTERS["junit"]([Judgement(every, "analytic", (Check("runs", every, "violated", every),))])
    suite = ET.fromstring(text.encode("utf-8")).find("testsuite")
    assert suite is not None
    assert suite.get("name") == "?????????\t\n" + "?" * 21 + "\x7f\x85???\U0001f600"


def test_github() -> None:
    file = 'a&b<"c">.json'
    message = NASTY.checks[0].message
    assert REPORTERS["github"]([NASTY]).splitlines() == [
        f"::error file={file},title=placer%3A memory hub%2C 1%3A [red]::{message}",
        f'::notice file={file},title=placer%3A range cam::no "position"',
        f"::warning file={file},title=placer%3A stale plan::changed%0Asince",
        f"{file}: 1 kept, 1 violated",
    ]


def test_text() -> None:
    file = 'a&b<"c">.json'
    assert REPORTERS["text"]([NASTY]) == (
        f"{file}: violated: {NASTY.checks[0].message}\n"
        f'{file}: skipped: no "position"\n'
        f"{file}: waived: changed\nsince\n"
        f"{file}: NOT feasible (1 kept, 1 violated, 1 skipped, 1 waived; evaluator analytic)\n"
    )


def test_json() -> None:
    data = json.loads(REPORTERS["json"]([NASTY]))
    assert (data["format"], data["exit_code"]) == ("placer/check/1", 1)
    (plan,) = data["plans"]
    assert [check["status"] for check in plan["checks"]] == ["violated", "ok", "skipped", "waived"]
    assert plan["checks"][0]["excess"] == 1e6


@pytest.mark.parametrize(
    ("statuses", "code"),
    [((), 0), (("ok", "skipped", "waived"), 0), (("undecided",), 3), (("undecided", "violated"), 1)],
)
def test_exit_codes(statuses: tuple[str, ...], code: int) -> None:
    checks = tuple(Check("runs", "s", status, "m") for status in statuses)  # type: ignore[arg-type]
    assert exit_code([Judgement("p", "analytic", checks)]) == code


def test_a_table_shows_texts_as_they_are() -> None:
    out = io.StringIO()
    rows = [("[red]cam[/]", "1"), (":bell: \\[x]", "23")]
    Console(file=out, width=60).print(table("of [b]", ("[i]", "n"), rows, right=("n",)))
    assert out.getvalue() == (
        "of [b]            \n"
        "┏━━━━━━━━━━━━━┳━━━━┓\n"
        "┃ [i]         ┃  n ┃\n"
        "┡━━━━━━━━━━━━━╇━━━━┩\n"
        "│ [red]cam[/] │  1 │\n"
        "│ :bell: \\[x] │ 23 │\n"
        "└─────────────┴────┘\n"
    ).replace("of [b]            ", "of [b]              ")
