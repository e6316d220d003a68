"""Blocks: some records that came together, newest last, and what each of them is found by. Pure.

A block is the unit that is compressed, and that the index points to; which of its records are meant, a mask
says.
"""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import groupby
from typing import Final

import orjson
import zstandard

from strongroom.audit.lookup import EventAttribute, EventEntry, parse_entry, short_name

__all__ = ["MAX_SPAN", "Block", "Posting", "attribute_key", "cut_blocks", "unpack"]

BLOCK_RECORDS: Final = 63
"""So that a mask of a block's records is a positive number of SQLite's."""
BLOCK_BYTES: Final = 1024 * 1024
MAX_SPAN: Final = 10
"""Seconds between the oldest and the newest record of a block. What is newer by more than that cannot be in a
block with a record that is asked for."""
LEVEL: Final = 3
_UUID_LENGTH: Final = 36

# INVARIANT: part of the format; another text makes the blocks of older indexes unreadable (FORMAT in shards).
_TYPICAL: Final = zstandard.ZstdCompressionDict(
    orjson.dumps(
        {
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "AssumedRole",
                "principalId": "AROA",
                "arn": "arn:aws:sts::",
                "accountId": "",
                "accessKeyId": "ASIA",
                "sessionContext": {
                    "sessionIssuer": {
                        "type": "Role",
                        "principalId": "AROA",
                        "arn": "arn:aws:iam::",
                        "accountId": "",
                        "userName": "",
                    },
                    "webIdFederationData": {},
                    "attributes": {"creationDate": "2026-01-01T00:00:00Z", "mfaAuthenticated": "false"},
                },
            },
            "eventTime": "2026-01-01T00:00:00Z",
            "eventSource": "kms.amazonaws.com",
            "eventName": "GetSecretValue",
            "awsRegion": "us-east-1",
            "sourceIPAddress": "127.0.0.1",
            "userAgent": "Boto3/1. md/Botocore#1. ua/2. os/linux",
            "errorCode": "AccessDenied",
            "errorMessage": "User: arn:aws:iam:: is not authorized to perform: secretsmanager: on resource: "
            "arn:aws:secretsmanager:us-east-1: because no identity-based policy allows the action",
            "requestParameters": {"secretId": "arn:aws:secretsmanager:us-east-1:"},
            "responseElements": None,
            "requestID": "",
            "eventID": "",
            "readOnly": True,
            "resources": [
                {"accountId": "", "type": "AWS::SecretsManager::Secret", "ARN": "arn:aws:secretsmanager:"}
            ],
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": "",
            "eventCategory": "Management",
            "tlsDetails": {"tlsVersion": "TLSv1.3", "clientProvidedHostHeader": "localhost:7780"},
        }
    ),
    dict_type=zstandard.DICT_TYPE_RAWCONTENT,
)


Posting = tuple[int, int, int, int]
"""The records of one block that one key finds: the key; when the newest of them was, in seconds since 1970;
how many seconds earlier the oldest was; and a mask, of which bit n stands for record n of the block."""


@dataclass(frozen=True, slots=True)
class Block:
    data: bytes
    postings: Sequence[Posting]
    oldest: int
    newest: int
    count: int
    scopes: frozenset[tuple[str, str]]
    """The accounts and regions of its records."""


def attribute_key(account: str, region: str, attribute: EventAttribute | None, value: str) -> int:
    """Return the number an attribute's value is indexed by; without attribute, that of all records there.

    A thing's ARN has the key of its short name.
    """
    if attribute is EventAttribute.EVENT_ID and len(value) == _UUID_LENGTH:
        # Random enough as it is, and the one key that every record has for itself.
        try:
            return int.from_bytes(unhexlify(value[19:23] + value[24:]), "big") - (1 << 63)
        except ValueError:
            pass  # not a UUID
    if attribute is EventAttribute.RESOURCE_NAME and value.startswith("arn:"):
        value = short_name(value)
    text = "\0".join((account, region, attribute or "", value)).encode(errors="replace")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big", signed=True)


def cut_blocks(events: Iterable[bytes]) -> Iterator[Block]:
    """Yield blocks with these records, from the oldest to the newest; what is no record is left out."""
    found = [(entry, event) for event in events if (entry := parse_entry(event)) is not None]
    found = _in_order(found)
    begin, size = 0, 0
    for index, (entry, event) in enumerate(found):
        full = index - begin == BLOCK_RECORDS or (size and size + len(event) > BLOCK_BYTES)
        if full or entry.at > found[begin][0].at + MAX_SPAN:
            yield _block(found[begin:index])
            begin, size = index, 0
        size += len(event)
    if found:
        yield _block(found[begin:])


def unpack(data: bytes) -> list[bytes]:
    """Return a block's records, or raise ValueError when it is none."""
    try:
        return zstandard.ZstdDecompressor(dict_data=_TYPICAL).decompress(data).split(b"\n")
    except zstandard.ZstdError as exc:
        raise ValueError("the block cannot be read") from exc


def _in_order(found: list[tuple[EventEntry, bytes]]) -> list[tuple[EventEntry, bytes]]:
    """Return the records by time. Those of a second that fills more than a block: by who called and what was
    touched, so that a block has fewer things to be found by; else in the order they came."""
    found.sort(key=lambda each: each[0].at)
    ordered = []
    for _, group in groupby(found, lambda each: each[0].at):
        second = list(group)
        if len(second) > BLOCK_RECORDS:
            second.sort(key=_likeness)
        ordered += second
    return ordered


def _likeness(record: tuple[EventEntry, bytes]) -> str:
    entry = record[0]
    touched = entry.resources[0][1] if entry.resources else ""
    return f"{entry.account}{entry.username}{entry.access_key_id}{touched}"


def _block(records: Sequence[tuple[EventEntry, bytes]]) -> Block:
    compressor = zstandard.ZstdCompressor(level=LEVEL, dict_data=_TYPICAL)
    return Block(
        compressor.compress(b"\n".join([event for _, event in records])),
        _postings([entry for entry, _ in records]),
        records[0][0].at,
        records[-1][0].at,
        len(records),
        frozenset([(entry.account, entry.region) for entry, _ in records]),
    )


def _postings(entries: Sequence[EventEntry]) -> Sequence[Posting]:
    """Return what finds which of a block's records. Their times rise."""
    # Most of what a record is found by it has in common with others: that is looked up as one.
    often: dict[tuple[int, ...], int] = {}
    masks: dict[int, int] = {}
    for index, entry in enumerate(entries):
        bit = 1 << index
        shared = _shared_keys(
            entry.account,
            entry.region,
            entry.event_name,
            entry.event_source,
            entry.read_only,
            entry.username,
            entry.access_key_id,
        )
        often[shared] = often.get(shared, 0) | bit
        masks[attribute_key(entry.account, entry.region, EventAttribute.EVENT_ID, entry.event_id)] = bit
        for kind, arn in entry.resources:
            key = _type_key(entry.account, entry.region, kind)
            masks[key] = masks.get(key, 0) | bit
            key = _name_key(entry.account, entry.region, arn)
            masks[key] = masks.get(key, 0) | bit
    for keys, mask in often.items():
        for key in keys:
            masks[key] = masks.get(key, 0) | mask
    times = [entry.at for entry in entries]
    if times[0] == times[-1]:
        return [(key, times[0], 0, mask) for key, mask in masks.items()]
    found = []
    for key, mask in masks.items():
        newest = times[mask.bit_length() - 1]
        found.append((key, newest, newest - times[(mask & -mask).bit_length() - 1], mask))
    return found


@lru_cache(maxsize=8_192)
def _shared_keys(
    account: str,
    region: str,
    event_name: str,
    event_source: str,
    read_only: bool,
    username: str | None,
    access_key_id: str | None,
) -> tuple[int, ...]:
    """Return the keys of all attributes that say nothing of this one record alone."""
    keys = [
        attribute_key(account, region, None, ""),
        attribute_key(account, region, EventAttribute.EVENT_NAME, event_name),
        attribute_key(account, region, EventAttribute.EVENT_SOURCE, event_source),
        attribute_key(account, region, EventAttribute.READ_ONLY, "true" if read_only else "false"),
    ]
    if username is not None:
        keys.append(attribute_key(account, region, EventAttribute.USERNAME, username))
    if access_key_id is not None:
        keys.append(attribute_key(account, region, EventAttribute.ACCESS_KEY_ID, access_key_id))
    return tuple(keys)


@lru_cache(maxsize=1_024)
def _type_key(account: str, region: str, kind: str) -> int:
    return attribute_key(account, region, EventAttribute.RESOURCE_TYPE, kind)


@lru_cache(maxsize=16_384)
def _name_key(account: str, region: str, arn: str) -> int:
    return attribute_key(account, region, EventAttribute.RESOURCE_NAME, arn)
