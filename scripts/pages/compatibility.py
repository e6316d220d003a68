"""Prints docs/compatibility.md: what the declared operations and the members' record say."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Final

from generated import ROOT, settle, tell
from members import Record, faults, left_alone, load_record, model, save_record, updated

from strongroom.operations.catalog import CATALOG, ServedService
from strongroom.rotators.compatibility import DEVIATIONS, NOT_VERIFIED, TRIED_ON
from strongroom.rotators.registry import BUILT_IN, TEMPLATES, load_rotators
from strongroom.secret.document import Strategy

PAGE: Final = ROOT / "docs" / "compatibility.md"
COMMAND: Final = "./scripts/compatibility"

INTRODUCTION: Final = """\
# Compatibility with AWS

Written by `{command}` from the operations the program declares and from botocore's
service models (last looked through: {version}); do not edit it. A test fails when it is out of date, when a
model has an operation or a member that nobody has decided about, and when a member counts as served that no
code of its operation names.

What is marked as a deviation is of two kinds: where this program knowingly differs from AWS, and where AWS's
behaviour is not on record and something had to be decided.

## For all operations

- One port serves all services; `X-Amz-Target`, or `Version` and `Action`, or method and path, say which is
  meant.
- Every region name that has AWS's form is a namespace of its own. There are no endpoints per region.
- Requests are never throttled. AWS's quotas on sizes and counts hold where an operation's rules name them.
- Requests are signed with Signature Version 4; Version 4A (several regions in one signature) is refused.
- A request is at most 1 MiB, and its body must arrive within 20 seconds; one that brings code along is at
  most 70 MiB, and each worker process reads 140 MiB of such at a time.
- `GET /health` and `GET /ready` are answered without a signature, and say nothing but that.
- An operation that is not served answers `UnknownOperationException` with the reason given below.
- Of AWS's managed policies there are those that concern secrets, with their statements on the services that
  are here.

"""


def page(record: Record, version: str) -> str:
    """Return the whole page."""
    parts = [INTRODUCTION.format(command=COMMAND, version=version), "\n".join(_overview()), "\n"]
    for name, service in CATALOG.items():
        parts.append("\n" + "\n".join(_service(record, name, service)) + "\n")
    parts.append("\n" + "\n".join(_rotators()) + "\n")
    return "".join(parts)


def _rotators() -> Iterator[str]:
    yield "## Rotation without a function"
    yield ""
    yield "A secret whose JSON names one of these as its `engine` rotates without a function."
    yield ""
    yield "| `engine` | strategies | tried by the tests on |"
    yield "| --- | --- | --- |"
    rotators = load_rotators()
    for engine in sorted(BUILT_IN):
        rotator = rotators.find(engine)
        held = rotator.strategies if rotator else ()
        strategies = ", ".join(each.value for each in Strategy if each in held)
        yield f"| {engine} | {strategies} | {TRIED_ON.get(engine, NOT_VERIFIED)} |"
    yield ""
    yield "These names of AWS's rotation templates, as function ARNs, stand for them too:"
    yield ""
    served = [name for name in sorted(TEMPLATES) if rotators.named(name)]
    yield ", ".join(f"`{name}`" for name in served) + "."
    yield ""
    yield "### Deviations of rotation without a function"
    yield ""
    yield from (f"- {sentence}" for sentence in DEVIATIONS)


def _overview() -> Iterator[str]:
    yield "## Services"
    yield ""
    yield "| service | API version | operations served |"
    yield "| --- | --- | --- |"
    for name, service in CATALOG.items():
        yield f"| {service.title} | {model(name)['metadata']['apiVersion']} | {_count(name, service)} |"


def _service(record: Record, name: str, service: ServedService) -> Iterator[str]:
    yield f"## {service.title}: {_count(name, service)}"
    yield ""
    yield "| operation | served | |"
    yield "| --- | --- | --- |"
    for operation in sorted(model(name)["operations"]):
        declared = service.operations.get(operation)
        if declared is None:
            reason = service.unsupported.get(operation, "Not decided about.")
            yield f"| {operation} | no | {_cell(reason)} |"
        else:
            yield f"| {operation} | yes | {_deviations(len(declared.deviations))} |"
    deviating = {
        each: declared.deviations for each, declared in service.operations.items() if declared.deviations
    }
    if deviating:
        yield ""
        yield f"### Deviations of {service.title}"
        for operation in sorted(deviating):
            yield ""
            yield f"**{operation}**"
            yield ""
            yield from (f"- {sentence}" for sentence in deviating[operation])
    alone = [
        (operation, *member)
        for operation in sorted(service.operations)
        for member in left_alone(record, name, operation)
    ]
    if alone:
        yield ""
        yield f"### Members of {service.title} that are not read or not answered"
        yield ""
        yield "| operation | where | member | why |"
        yield "| --- | --- | --- | --- |"
        for operation, direction, path, reason in alone:
            yield f"| {operation} | {direction} | `{path}` | {_cell(reason)} |"


def _count(name: str, service: ServedService) -> str:
    return f"{len(service.operations)} of {len(model(name)['operations'])}"


def _deviations(count: int) -> str:
    return "" if count == 0 else "1 deviation" if count == 1 else f"{count} deviations"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description=f"Writes {PAGE.relative_to(ROOT)}.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 when it is out of date"
    )
    parser.add_argument(
        "--record", action="store_true", help="take new members up into docs/compatibility.json"
    )
    arguments = parser.parse_args()
    if arguments.record:
        save_record(updated(load_record()[1]))
    version, record = load_record()
    wrong = faults(record)
    for fault in wrong:
        tell(fault)
    if wrong:
        tell(f"Run {COMMAND} --record, then decide in docs/compatibility.json.")
    return settle(PAGE, page(record, version), check=arguments.check, command=COMMAND) or bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
