"""Who reads which version of a secret, as the records of reads tell it, and what follows from that. Pure.

One read counts once, however many accounts have a record of it: the record of the reader's own account does.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

import msgspec

from strongroom.names import AWSCURRENT, AWSPREVIOUS, StagingLabel, VersionId

__all__ = ["Consumer", "Consumers", "Reading", "Standing", "consumers_of", "reading_of"]

_READ: Final = b'"eventName":"GetSecretValue"'


class _Named(msgspec.Struct, frozen=True, gc=False):
    arn: str = ""


class _Session(msgspec.Struct, rename="camel", frozen=True, gc=False):
    session_issuer: _Named = _Named()


class _Identity(msgspec.Struct, rename="camel", frozen=True, gc=False):
    type: str = ""
    arn: str = ""
    principal_id: str = ""
    account_id: str | None = None
    session_context: _Session = _Session()


class _Version(
    msgspec.Struct, rename={"id": "SecretVersionId", "stages": "SecretVersionStages"}, frozen=True, gc=False
):
    id: str | None = None
    stages: tuple[str, ...] = ()


class _Resource(msgspec.Struct, rename={"arn": "ARN"}, frozen=True, gc=False):
    type: str = ""
    arn: str = ""


class _Record(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """What of a record is looked at."""

    event_name: str = ""
    event_time: str = ""
    user_identity: _Identity = _Identity()
    recipient_account_id: str | None = None
    user_agent: str = ""
    source: str = msgspec.field(default="", name="sourceIPAddress")
    error_code: str | None = None
    additional_event_data: _Version | None = None
    resources: tuple[_Resource, ...] | None = None


_decode: Final = msgspec.json.Decoder(_Record).decode


class Reading(msgspec.Struct, frozen=True, gc=False):
    """All reads of one version by one principal. Times are as in records: `YYYY-MM-DDTHH:MM:SSZ`."""

    secret_arn: str
    version_id: str
    principal: str
    """A user's or root's ARN; for sessions the ARN of the role, or of the federated user."""
    first_at: str
    last_at: str
    current_at: str
    """When it was last read while it was AWSCURRENT; empty: never."""
    previous_at: str
    """When it was last read while it was AWSPREVIOUS; empty: never."""
    times: int
    session: str
    """Of the last read: the session's name, if it was one."""
    client: str
    """Of the last read: the user agent."""
    source: str
    """Of the last read: the address it came from."""

    def with_another(self, other: Reading) -> Reading:
        """Return this and another reading, of the same version by the same principal, as one."""
        mine = self.last_at, self.session, self.client, self.source
        last = other if (other.last_at, other.session, other.client, other.source) > mine else self
        return Reading(
            self.secret_arn,
            self.version_id,
            self.principal,
            first_at=min(self.first_at, other.first_at),
            last_at=last.last_at,
            current_at=max(self.current_at, other.current_at),
            previous_at=max(self.previous_at, other.previous_at),
            times=self.times + other.times,
            session=last.session,
            client=last.client,
            source=last.source,
        )


def reading_of(event: bytes) -> Reading | None:
    """Return what a record says of a read; None for a record of anything else."""
    if _READ not in event:
        return None
    record = _decode(event)
    identity, version = record.user_identity, record.additional_event_data
    if record.event_name != "GetSecretValue" or record.error_code is not None or version is None:
        return None
    secret = _secret(record.resources or ())
    # Another account's record of the same read does not know who it was.
    if version.id is None or secret is None or record.recipient_account_id != identity.account_id:
        return None
    at, stages = record.event_time, version.stages
    principal, session = _principal(identity)
    return Reading(
        secret_arn=secret,
        version_id=version.id,
        principal=principal,
        first_at=at,
        last_at=at,
        current_at=at if AWSCURRENT in stages else "",
        previous_at=at if AWSPREVIOUS in stages else "",
        times=1,
        session=session,
        client=record.user_agent,
        source=record.source,
    )


class Standing(Enum):
    """How a consumer stands to the current version."""

    CURRENT = "current"
    """It has read the version that is AWSCURRENT now, since that became so."""
    BEHIND = "behind"
    """It has not: what it holds is an older version."""
    PREVIOUS = "previous"
    """It has read the AWSPREVIOUS version while that was AWSPREVIOUS, so it knows it to be the old one."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """One principal that has read the secret in the time looked at."""

    principal: str
    standing: Standing
    last: Reading
    """What it read last."""
    readings: tuple[Reading, ...]
    """All of it, the last read first."""


@dataclass(frozen=True, slots=True)
class Consumers:
    current: str | None
    previous: str | None
    consumers: tuple[Consumer, ...]

    @property
    def safe_to_retire(self) -> bool:
        """True when nobody was seen to depend on any but the current version."""
        return all(each.standing is Standing.CURRENT for each in self.consumers)

    @property
    def advice(self) -> str:
        """Say in words whether the credential under AWSPREVIOUS can go."""
        if self.previous is None:
            return "There is no AWSPREVIOUS version: nothing to retire."
        if not self.consumers:
            return (
                "Nobody has read this secret in that time: nothing shows that the old credential is needed."
            )
        if self.safe_to_retire:
            return (
                f"Safe to retire: all {len(self.consumers)} that read this secret in that time have read the "
                "current version. (Several instances that share a principal count as one.)"
            )
        waiting = [each.principal for each in self.consumers if each.standing is not Standing.CURRENT]
        return f"Not safe to retire yet: {', '.join(waiting)} may still use an older version."


_SERVICE_ROLES: Final = ":role/aws-service-role/"


def consumers_of(
    readings: Iterable[Reading],
    labels: Mapping[StagingLabel, VersionId],
    since: dt.datetime | None = None,
) -> Consumers:
    """Return who has read a secret since a time (None: ever), and how they stand.

    `labels` are the secret's staging labels now. The service itself, which reads old versions in its own
    role while it rotates, is nobody who has to change over.
    """
    earliest = "" if since is None else since.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    current, previous = labels.get(AWSCURRENT), labels.get(AWSPREVIOUS)
    by_principal: dict[str, list[Reading]] = {}
    for reading in readings:
        if _SERVICE_ROLES not in reading.principal:
            by_principal.setdefault(reading.principal, []).append(reading)
    found = []
    for principal, own in by_principal.items():
        own.sort(key=lambda each: (each.last_at, each.version_id == current), reverse=True)
        if own[0].last_at >= earliest:
            standing = _standing(own, earliest, current, previous)
            found.append(Consumer(principal, standing, own[0], tuple(own)))
    found.sort(key=lambda each: (each.last.last_at, each.principal), reverse=True)
    return Consumers(current, previous, tuple(found))


def _standing(
    readings: Sequence[Reading], earliest: str, current: str | None, previous: str | None
) -> Standing:
    by_version = {each.version_id: each for each in readings}
    newest, old = by_version.get(current or ""), by_version.get(previous or "")
    if old is not None and old.previous_at and old.previous_at >= earliest:
        return Standing.PREVIOUS
    return Standing.CURRENT if newest is not None and newest.current_at else Standing.BEHIND


def _secret(resources: Iterable[_Resource]) -> str | None:
    for each in resources:
        if each.type == "AWS::SecretsManager::Secret":
            return each.arn
    return None


def _principal(identity: _Identity) -> tuple[str, str]:
    """Return who reads, the same for every session of a role, and the name of the session."""
    if identity.type != "AssumedRole":
        return identity.arn or identity.principal_id, ""
    return identity.session_context.session_issuer.arn, identity.arn.rpartition("/")[2]
