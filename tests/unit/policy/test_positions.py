"""Where statements stand in a document's text."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from strongroom.policy.document import PolicyKind, parse_policy
from strongroom.policy.positions import Position, Span, statement_spans

ALLOW = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def cut(document: str, span: Span) -> str:
    """Return the text of a span, found by lines and columns."""
    lines = document.split("\n")
    start, end = span.start, span.end
    if start.line == end.line:
        return lines[start.line - 1][start.column - 1 : end.column - 1]
    middle = lines[start.line : end.line - 1]
    return "\n".join(
        [lines[start.line - 1][start.column - 1 :], *middle, lines[end.line - 1][: end.column - 1]]
    )


def test_one_statement_without_a_list() -> None:
    document = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'
    assert statement_spans(document) == (Span(Position(1, 37), Position(1, len(document))),)


def test_lines_and_columns_count_from_one() -> None:
    document = '{\n "Statement": [\n  {"Effect": "Deny", "Action": "*",\n   "Resource": "*"}\n ]\n}'
    assert statement_spans(document) == (Span(Position(3, 3), Position(4, 20)),)


def test_a_key_may_be_written_with_escapes() -> None:
    document = json.dumps({"Statement": [ALLOW]}).replace("Statement", "\\u0053tatement")
    parse_policy(document, PolicyKind.IDENTITY)
    assert [json.loads(cut(document, span)) for span in statement_spans(document)] == [ALLOW]


statements = st.lists(
    st.fixed_dictionaries(
        {
            "Effect": st.sampled_from(["Allow", "Deny"]),
            "Action": st.sampled_from(["*", ["iam:GetUser", "kms:*"]]),
            "Resource": st.sampled_from(["*", 'arn:aws:iam::111122223333:user/{a}[b]\\"c']),
        }
    ),
    min_size=1,
    max_size=4,
)


@given(statements, st.sampled_from([None, 1, 3, "\t"]), st.booleans(), st.sampled_from(["\n", "\r\n"]))
def test_every_span_holds_its_statement(
    written: list[dict[str, Any]], indent: Any, version_last: bool, line_end: str
) -> None:
    top = {"Version": "2012-10-17", "Statement": written}
    if version_last:
        top = dict(reversed(top.items()))
    document = " " + json.dumps(top, indent=indent).replace("\n", line_end) + line_end
    parse_policy(document, PolicyKind.IDENTITY)
    assert [json.loads(cut(document, span)) for span in statement_spans(document)] == written
