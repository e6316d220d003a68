"""Names of functions and layers, in all the forms callers write them."""

from __future__ import annotations

import pytest

from strongroom.function.references import FunctionRef, LayerRef, parse_function_ref, parse_layer_ref
from strongroom.names import AccountId, Region

HERE, OWN = Region("eu-central-1"), AccountId("111122223333")
OTHER = AccountId("444455556666")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rotate", FunctionRef(HERE, OWN, "rotate", None)),
        ("rotate:live", FunctionRef(HERE, OWN, "rotate", "live")),
        ("rotate:$LATEST", FunctionRef(HERE, OWN, "rotate", "$LATEST")),
        ("function:rotate", FunctionRef(HERE, OWN, "rotate", None)),
        ("444455556666:function:rotate:7", FunctionRef(HERE, OTHER, "rotate", "7")),
        (
            "arn:aws:lambda:us-east-1:444455556666:function:rotate",
            FunctionRef(Region("us-east-1"), OTHER, "rotate", None),
        ),
        (
            "arn:aws-us-gov:lambda:us-gov-west-1:444455556666:function:a_b-c:live",
            FunctionRef(Region("us-gov-west-1"), OTHER, "a_b-c", "live"),
        ),
        ("a b", None),
        ("a.b", None),
        ("", None),
        ("arn:aws:sns:us-east-1:444455556666:function:rotate", None),
        ("rotate:live:again", None),
    ],
)
def test_functions(text: str, expected: FunctionRef | None) -> None:
    assert parse_function_ref(text, HERE, OWN) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("drivers", LayerRef(HERE, OWN, "drivers", None)),
        (
            "arn:aws:lambda:eu-west-1:444455556666:layer:drivers",
            LayerRef(Region("eu-west-1"), OTHER, "drivers", None),
        ),
        (
            "arn:aws:lambda:eu-west-1:444455556666:layer:drivers:12",
            LayerRef(Region("eu-west-1"), OTHER, "drivers", 12),
        ),
        ("arn:aws:lambda:eu-west-1:444455556666:layer:drivers:x", None),
        ("arn:aws:lambda:::awslayer:AmazonLinux", None),
        ("a b", None),
    ],
)
def test_layers(text: str, expected: LayerRef | None) -> None:
    assert parse_layer_ref(text, HERE, OWN) == expected


def test_arns_are_made_again() -> None:
    ref = FunctionRef(HERE, OWN, "rotate", "live")
    assert ref.arn == "arn:aws:lambda:eu-central-1:111122223333:function:rotate"
    assert ref.qualified_arn == f"{ref.arn}:live"
    assert parse_function_ref(ref.qualified_arn, Region("x-y-1"), OTHER) == ref
