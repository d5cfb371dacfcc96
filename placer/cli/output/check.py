"""The result of ``placer check`` in the formats that CI systems read. Each reporter returns the whole text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from placer.cli.common import plain
from placer.evaluation.checks import Check
from placer.evaluation.checks import exit_code as code_of


@dataclass(frozen=True)
class Judgement:
    """All checks of one plan file."""

    file: str
    evaluator: str
    checks: tuple[Check, ...]
    warnings: tuple[str, ...] = ()

    def count(self, status: str) -> int:
        """How many checks have a status."""
        return sum(check.status == status for check in self.checks)


def exit_code(judgements: Sequence[Judgement]) -> int:
    """0 when every plan keeps its limits, 1 when one does not, 3 when one is undecided."""
    return code_of(check for judgement in judgements for check in judgement.checks)


def text(judgements: Sequence[Judgement]) -> str:
    """For people: what is wrong, then the counts."""
    lines = []
    for judgement in judgements:
        lines += [f"{judgement.file}: warning: {line}" for line in judgement.warnings]
        if [check.kind for check in judgement.checks] == ["instance"]:
            lines.append(f"{judgement.file}: {judgement.checks[0].message}")
            continue
        lines += [f"{judgement.file}: {c.status}: {c.message}" for c in judgement.checks if c.status != "ok"]
        counts = ", ".join(
            f"{judgement.count(status)} {word}"
            for status, word in (
                ("ok", "kept"),
                ("violated", "violated"),
                ("undecided", "undecided"),
                ("skipped", "skipped"),
                ("waived", "waived"),
            )
            if status in ("ok", "violated") or judgement.count(status)
        )
        verdict = {0: "feasible", 1: "NOT feasible", 3: "undecided"}[exit_code([judgement])]
        lines.append(f"{judgement.file}: {verdict} ({counts}; evaluator {judgement.evaluator})")
    return "\n".join(lines) + "\n"


def as_json(judgements: Sequence[Judgement]) -> str:
    """One JSON document: every check with its figures."""
    plans = [
        {
            "file": judgement.file,
            "evaluator": judgement.evaluator,
            "feasible": exit_code([judgement]) == 0,
            "warnings": list(judgement.warnings),
            "excess": sum(check.relative_excess for check in judgement.checks),
            "checks": [{**plain(check), "excess": plain(check.excess)} for check in judgement.checks],
        }
        for judgement in judgements
    ]
    return json.dumps({"format": "placer/check/1", "exit_code": exit_code(judgements), "plans": plans}, indent=2) + "\n"


def junit(judgements: Sequence[Judgement]) -> str:
    """JUnit XML: a suite a plan, a test case a check."""
    import xml.etree.ElementTree as ET

    suites = ET.Element("testsuites")
    for judgement in judgements:
        figures = {
            "tests": len(judgement.checks),
            "failures": judgement.count("violated") + judgement.count("undecided"),
            "skipped": judgement.count("skipped") + judgement.count("waived"),
        }
        counts = {name: str(figure) for name, figure in figures.items()}
        suite = ET.SubElement(suites, "testsuite", {"name": _clean(judgement.file), **counts})
        for check in judgement.checks:
            name, message = _clean(f"{check.kind} {check.subject}"), _clean(check.message)
            case = ET.SubElement(suite, "testcase", classname=f"placer.{check.kind}", name=name)
            if check.status in ("violated", "undecided"):
                ET.SubElement(case, "failure", type=check.status, message=message)
            elif check.status in ("skipped", "waived"):
                ET.SubElement(case, "skipped", message=message)
            else:
                ET.SubElement(case, "system-out").text = message
        if judgement.warnings:
            ET.SubElement(suite, "system-err").text = _clean("\n".join(judgement.warnings))
    ET.indent(suites)
    # written by hand: the library's own declaration names the encoding of the terminal
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _clean(message: str) -> str:
    """Leave out what XML 1.0 cannot hold."""
    return re.sub("[^\t\n -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", message)


def github(judgements: Sequence[Judgement]) -> str:
    """Workflow commands of GitHub Actions: annotations on the plan file."""
    lines = []
    for judgement in judgements:
        for check in judgement.checks:
            level = {"violated": "error", "undecided": "error", "skipped": "notice", "waived": "warning"}.get(
                check.status
            )
            if level is not None:
                file, title = _property(judgement.file), _property(f"placer: {check.kind} {check.subject}")
                lines.append(f"::{level} file={file},title={title}::{_data(check.message)}")
        head = f"::warning file={_property(judgement.file)},title={_property('placer: warning')}::"
        lines += [head + _data(line) for line in judgement.warnings]
        lines.append(f"{judgement.file}: {judgement.count('ok')} kept, {judgement.count('violated')} violated")
    return "\n".join(lines) + "\n"


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")


REPORTERS: dict[str, Callable[[Sequence[Judgement]], str]] = {
    "text": text,
    "json": as_json,
    "junit": junit,
    "github": github,
}
