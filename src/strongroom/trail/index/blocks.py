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
from itertools import count, groupby
from typing import Final

import orjson
import zstandard

from strongroom.audit.lookup import EventAttribute, EventEntry, parse_entry, short_name
from strongroom.trail.index.postings import MAX_AT, encode

__all__ = ["MAX_SPAN", "Block", "attribute_key", "cut_blocks", "unpack"]

BLOCK_RECORDS: Final = 63
"""So many fit a posting's mask."""
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


@dataclass(frozen=True, slots=True)
class Block:
    number: int
    data: bytes
    postings: Sequence[bytes]
    """As `postings.encode` makes them, in no order."""
    oldest: int
    newest: int
    count: int
    scopes: frozenset[tuple[str, str]]
    """The accounts and regions of its records."""


def attribute_key(account: str, region: str, attribute: EventAttribute | None, value: str) -> bytes:
    """Return the eight bytes a value is indexed by; without attribute, those of all records there.

    A thing's ARN has the key of its short name.
    """
    if attribute is EventAttribute.EVENT_ID and len(value) == _UUID_LENGTH:
        # Random enough as it is, and the one key that every record has for itself.
        try:
            return unhexlify(value[24:] + value[19:23])
        except ValueError:
            pass  # not a UUID
    if attribute is EventAttribute.RESOURCE_NAME and value.startswith("arn:"):
        value = short_name(value)
    return blake2b(_kind(account, region, attribute) + value.encode(errors="replace"), digest_size=8).digest()


@lru_cache(maxsize=1_024)
def _kind(account: str, region: str, attribute: EventAttribute | None) -> bytes:
    return f"{account}\0{region}\0{attribute or ''}\0".encode(errors="replace")


def cut_blocks(events: Iterable[bytes], first: int) -> Iterator[Block]:
    """Yield blocks with these records, numbered from `first` on, from the oldest to the newest; what is no
    record is left out, and what is from before 1970 or after 2106."""
    entries = ((parse_entry(event), event) for event in events)
    found = [(entry, event) for entry, event in entries if entry is not None and 0 <= entry.at <= MAX_AT]
    found = _in_order(found)
    numbers = count(first)
    begin, size = 0, 0
    for index, (entry, event) in enumerate(found):
        full = index - begin == BLOCK_RECORDS or (size and size + len(event) > BLOCK_BYTES)
        if full or entry.at > found[begin][0].at + MAX_SPAN:
            yield _block(next(numbers), found[begin:index])
            begin, size = index, 0
        size += len(event)
    if found:
        yield _block(next(numbers), found[begin:])


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


def _block(number: int, records: Sequence[tuple[EventEntry, bytes]]) -> Block:
    compressor = zstandard.ZstdCompressor(level=LEVEL, dict_data=_TYPICAL)
    return Block(
        number,
        compressor.compress(b"\n".join([event for _, event in records])),
        _postings(number, [entry for entry, _ in records]),
        records[0][0].at,
        records[-1][0].at,
        len(records),
        frozenset([(entry.account, entry.region) for entry, _ in records]),
    )


def _postings(number: int, entries: Sequence[EventEntry]) -> Sequence[bytes]:
    """Return what finds which of a block's records. Their times rise."""
    # Most of what a record is found by it has in common with others: that is looked up as one.
    often: dict[tuple[bytes, ...], int] = {}
    masks: dict[bytes, int] = {}
    bit = 1
    for entry in entries:
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
        bit <<= 1
    for keys, mask in often.items():
        for key in keys:
            masks[key] = masks.get(key, 0) | mask
    times = [entry.at for entry in entries]
    if times[0] == times[-1]:
        return [encode(key, times[0], number, 0, mask) for key, mask in masks.items()]
    found = []
    for key, mask in masks.items():
        newest = times[mask.bit_length() - 1]
        span = newest - times[(mask & -mask).bit_length() - 1]
        found.append(encode(key, newest, number, span, mask))
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
) -> tuple[bytes, ...]:
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
def _type_key(account: str, region: str, kind: str) -> bytes:
    return attribute_key(account, region, EventAttribute.RESOURCE_TYPE, kind)


@lru_cache(maxsize=16_384)
def _name_key(account: str, region: str, arn: str) -> bytes:
    return attribute_key(account, region, EventAttribute.RESOURCE_NAME, arn)
