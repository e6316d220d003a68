"""The layout of CiphertextBlobs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.keys.ciphertext import encode_header, parse_ciphertext

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
ARN = f"arn:aws:kms:eu-central-1:111122223333:key/{KEY_ID}"
MATERIAL_ID = "0f" * 32
SEALED = bytes(16 + 12 + 16)


def test_a_blob_names_its_key_and_material() -> None:
    header = encode_header(ARN, MATERIAL_ID)
    parts = parse_ciphertext(header + SEALED)
    assert parts is not None
    assert (parts.key_arn, parts.region, parts.account_id) == (ARN, "eu-central-1", "111122223333")
    assert (parts.key_id, parts.material_id) == (KEY_ID, MATERIAL_ID)
    assert (parts.header, parts.sealed) == (header, SEALED)


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_layout(partition: str) -> None:
    arn = ARN.replace("arn:aws:", f"arn:{partition}:")
    assert encode_header(arn, MATERIAL_ID) == (
        b"SRKC\x01" + bytes((len(arn),)) + arn.encode() + bytes.fromhex(MATERIAL_ID)
    )


@pytest.mark.parametrize(
    "blob",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"SRKC\x01", id="magic only"),
        pytest.param(encode_header(ARN, MATERIAL_ID), id="nothing sealed"),
        pytest.param(encode_header(ARN, MATERIAL_ID) + SEALED[:-1], id="too short for a tag"),
        pytest.param(b"SRKC\x02" + encode_header(ARN, MATERIAL_ID)[5:] + SEALED, id="later version"),
        pytest.param(b"AQIDAH" + bytes(200), id="a blob of AWS"),
        pytest.param(b"SRKC\x01\xff" + ARN.encode() + bytes(100), id="ARN beyond the end"),
        pytest.param(b"SRKC\x01\x00" + bytes(100), id="no ARN"),
        pytest.param(
            encode_header(ARN, MATERIAL_ID).replace(b":kms:", b":sns:") + SEALED, id="ARN of another service"
        ),
        pytest.param(encode_header(ARN, MATERIAL_ID).replace(b":key/", b":kex/") + SEALED, id="not a key"),
        pytest.param(
            encode_header(ARN, MATERIAL_ID).replace(b"1234abcd", b"1234ABCD") + SEALED, id="capitals"
        ),
        pytest.param(
            encode_header(ARN, MATERIAL_ID).replace(b"1111", b"\xb9\xb9\xb9\xb9") + SEALED, id="not ASCII"
        ),
    ],
)
def test_what_is_no_blob_of_ours_is_none(blob: bytes) -> None:
    assert parse_ciphertext(blob) is None


@given(data=st.binary(max_size=300))
def test_any_bytes_are_answered(data: bytes) -> None:
    parts = parse_ciphertext(b"SRKC\x01" + data)
    assert parts is None or parts.header + parts.sealed == b"SRKC\x01" + data


@pytest.mark.parametrize(
    ("arn", "material_id"),
    [(ARN + ":x", MATERIAL_ID), ("arn:aws:kms:r:1:key/x", MATERIAL_ID), (ARN, "0f"), (ARN, "zz" * 32)],
)
def test_a_header_is_made_of_a_key_arn_and_material_id_only(arn: str, material_id: str) -> None:
    with pytest.raises(ValueError, match=r"not a KMS key's ARN|non-hexadecimal"):
        encode_header(arn, material_id)
