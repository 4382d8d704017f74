"""Results as JUnit XML, which build servers show: a suite a file, a case a test."""

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as Xml

from gateway.errors import UserError
from gateway.scenario.report import failure_lines
from gateway.scenario.suite import FileOutcome, Result

#: What XML 1.0 cannot hold, section 2.2.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(path: Path, outcomes: Sequence[FileOutcome]) -> None:
    """Write the results of a run.

    Raises:
        UserError: the file cannot be written.
    """
    root = Xml.Element("testsuites", name="forewarn rules test")
    root.extend(_suite(outcome) for outcome in outcomes)
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    root.set("time", f"{sum(float(suite.get('time', '0')) for suite in root):.3f}")
    tree = Xml.ElementTree(root)
    Xml.indent(tree)
    try:
        tree.write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None


def _suite(outcome: FileOutcome) -> Xml.Element:
    suite = Xml.Element("testsuite", name=outcome.file)
    suite.extend(_case(result) for result in outcome.results)
    if outcome.problems:
        case = Xml.SubElement(suite, "testcase", name="the file is right", classname=outcome.file)
        error = Xml.SubElement(case, "error", message=_clean(outcome.problems[0]), type="wrong file")
        error.text = _clean("\n".join(outcome.problems))
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(sum(bool(result.failures) for result in outcome.results)))
    suite.set("errors", str(int(bool(outcome.problems))))
    suite.set("time", f"{sum(result.seconds for result in outcome.results):.3f}")
    return suite


def _case(result: Result) -> Xml.Element:
    scenario = result.scenario
    case = Xml.Element(
        "testcase",
        name=_clean(scenario.name),
        classname=scenario.file,
        file=scenario.file,
        line=str(scenario.line),
        time=f"{result.seconds:.3f}",
    )
    if result.failures:
        first = result.failures[0]
        message = f"expected {first.expected}, got {first.got}"
        lines = (line.text for line in failure_lines(result))
        found = Xml.SubElement(case, "failure", message=_clean(message), type="expectation")
        found.text = _clean("\n".join(lines))
    return case


def _clean(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
