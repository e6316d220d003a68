"""Log files and hourly digests in a directory that is laid out as CloudTrail's bucket.

What S3 would keep as metadata of a digest (its signature) stands in a file beside it, `<name>.metadata.json`.
Layout and order of writing: docs/spec/trail.md, section 11.
"""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from strongroom.audit.digest import (
    ALGORITHM,
    DigestChain,
    LogFile,
    LogPositions,
    PreviousDigest,
    digest_content,
    digest_name,
    log_name,
    public_der,
    sign_digest,
)
from strongroom.errors import IntegrityError
from strongroom.names import is_region
from strongroom.ports import ACCOUNTS, DIGEST_CHAINS, LOG_POSITIONS, TRAILS, Clock, RootKey, Store, WriteUnit
from strongroom.trail.feed import FedRecord

__all__ = ["DIGEST_SECONDS", "LogDelivery"]

DIGEST_SECONDS: Final = 3600
MAX_FILES: Final = 500
"""A digest of so many log files is written before its hour is over."""
MAX_REGIONS: Final = 40
"""Calls may name any region. Records of more of them than these are filed under the first."""
DEFAULT_TRAIL: Final = "strongroom"
PURPOSE: Final = "digest-signing"
KEY_BITS: Final = 2048
METADATA: Final = ".metadata.json"
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class _Event(msgspec.Struct):
    """What of a record decides where it goes."""

    eventTime: str  # noqa: N815 - as CloudTrail writes it
    recipientAccountId: str | None = None  # noqa: N815
    awsRegion: str | None = None  # noqa: N815

    @classmethod
    def of(cls, record: FedRecord) -> _Event | None:
        try:
            return msgspec.json.decode(record.event, type=cls)
        except msgspec.MsgspecError:
            return None


class LogDelivery:
    """A `Follower` of the feed. One thread at a time."""

    name = "log files"

    def __init__(
        self,
        directory: Path,
        bucket: str,
        store: Store,
        root_key: RootKey,
        clock: Clock,
        *,
        generate: Callable[[], rsa.RSAPrivateKey] | None = None,
    ) -> None:
        """`directory` stands for the bucket with that name. `generate` makes the private keys."""
        self._directory = directory
        self._bucket = bucket
        self._store = store
        self._root_key = root_key
        self._clock = clock
        self._generate = generate or (lambda: rsa.generate_private_key(65537, KEY_BITS))

    def positions(self) -> Mapping[str, int]:
        """As `Follower.positions`."""
        found = self._store.read(lambda unit: unit.find(LOG_POSITIONS, "", "logs"))
        return {} if found is None else found.slots

    def take(self, records: Sequence[FedRecord]) -> None:
        """Write one log file for each account and region.

        As `Follower.take`: should the process die between file and database, the records come again, and
        stand in another file as well, which no digest names.
        """
        self.finish()
        slots = dict(self.positions())
        groups: dict[tuple[str, str], list[tuple[str, bytes]]] = {}
        chains = {(each.account_id, each.region): each for each in self._chains()}
        for each in records:
            if each.number <= slots.get(each.slot, 0):
                continue
            slots[each.slot] = each.number
            event = _Event.of(each)
            place = None if event is None else self._place(event, chains, groups)
            if event is not None and place is not None:
                groups.setdefault(place, []).append((event.eventTime, each.event))
        for place, members in groups.items():
            chain = chains.get(place) or self._new_chain(*place)
            chains[place] = msgspec.structs.replace(
                chain, files=(*chain.files, self._write_logs(place, members))
            )
        changed = [chains[place] for place in groups]
        self._save(*changed, positions=LogPositions(slots=slots))

    def digest(self) -> int:
        """Write the digests that are due; return how many that were."""
        self.finish()
        now, count = self._now(), 0
        for chain in self._chains():
            age = (now - chain.start).total_seconds()
            if age >= DIGEST_SECONDS or (len(chain.files) >= MAX_FILES and age >= 1):
                trail, home = self._trail_of(chain.account_id, chain.region)
                if (trail, home) != (chain.trail, chain.home_region):
                    # Under another name a chain begins anew, as AWS's does.
                    chain = msgspec.structs.replace(chain, trail=trail, home_region=home, previous=None)
                self._save(msgspec.structs.replace(chain, end=now))
                count += 1
        self.finish()
        return count

    def finish(self) -> None:
        """Write the digests that were begun: the same bytes however often it is done."""
        for chain in self._chains():
            if chain.end is not None:
                self._write_digest(chain, chain.end)

    def _write_digest(self, chain: DigestChain, end: dt.datetime) -> None:
        name, content = digest_name(chain, end), digest_content(chain, end, self._bucket)
        signature = sign_digest(self._private(chain), chain, end, self._bucket, content)
        metadata = {"signature": signature, "signature-algorithm": ALGORITHM}
        # The signature first: where there is a digest, its signature is there.
        self._put(f"{name}{METADATA}", orjson.dumps(metadata))
        self._put(name, gzip.compress(content, mtime=0))
        previous = PreviousDigest(
            bucket=self._bucket, name=name, hash=hashlib.sha256(content).hexdigest(), signature=signature
        )
        self._save(msgspec.structs.replace(chain, start=end, end=None, files=(), previous=previous))

    def _write_logs(self, place: tuple[str, str], members: Sequence[tuple[str, bytes]]) -> LogFile:
        content = b'{"Records":[' + b",".join(event for _, event in members) + b"]}"
        digest = hashlib.sha256(content)
        times = [at for at, _ in members]
        name = log_name(*place, self._clock.now().astimezone(dt.UTC), _alphanumerics(digest.digest()))
        self._put(name, gzip.compress(content, 6, mtime=0))
        return LogFile(name=name, hash=digest.hexdigest(), oldest=min(times), newest=max(times))

    def _place(self, event: _Event, *places: Collection[tuple[str, str]]) -> tuple[str, str] | None:
        """Return under which account and region a record is filed; None: under none, nobody's. `places` are
        those there are."""
        account, region = event.recipientAccountId or "", event.awsRegion or ""
        if any((account, region) in each for each in places):
            return account, region
        if self._store.read(lambda unit: unit.find(ACCOUNTS, "", account)) is None:
            return None
        regions = sorted({place[1] for each in places for place in each if place[0] == account})
        if len(regions) >= MAX_REGIONS or not is_region(region):
            region = regions[0] if regions else "us-east-1"
        return account, region

    def _new_chain(self, account: str, region: str) -> DigestChain:
        private = self._generate()
        public = public_der(private)
        der = private.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        trail, home = self._trail_of(account, region)
        now = self._now()
        return DigestChain(
            account_id=account,
            region=region,
            created_at=now,
            public_key=public,
            sealed=self._root_key.wrap(PURPOSE, der, _context(account, region)),
            start=now,
            trail=trail,
            home_region=home,
        )

    def _private(self, chain: DigestChain) -> rsa.RSAPrivateKey:
        der = self._root_key.unwrap(PURPOSE, chain.sealed, _context(chain.account_id, chain.region))
        private = serialization.load_der_private_key(der, None)
        if not isinstance(private, rsa.RSAPrivateKey) or public_der(private) != chain.public_key:
            raise IntegrityError("the public key of the digests is not that of their signing key")
        return private

    def _trail_of(self, account: str, region: str) -> tuple[str, str]:
        """Return name and home of the account's trail that delivers to the bucket from the region."""
        trails = self._store.read(lambda unit: unit.scan(TRAILS, account))
        for each in trails:
            if (
                each.logging
                and each.bucket == self._bucket
                and (each.multi_region or each.home_region == region)
            ):
                return each.name, each.home_region
        return DEFAULT_TRAIL, region

    def _chains(self) -> list[DigestChain]:
        return self._store.read(lambda unit: unit.scan(DIGEST_CHAINS, ""))

    def _save(self, *chains: DigestChain, positions: LogPositions | None = None) -> None:
        def save(unit: WriteUnit) -> None:
            for chain in chains:
                unit.save(DIGEST_CHAINS, chain)
            if positions is not None:
                unit.save(LOG_POSITIONS, positions)

        self._store.write(save).result()

    def _now(self) -> dt.datetime:
        return self._clock.now().astimezone(dt.UTC).replace(microsecond=0)

    def _put(self, name: str, data: bytes) -> None:
        """The file is there, whole and on disk."""
        path = self._directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.part")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _context(account: str, region: str) -> dict[str, str]:
    return {"Account": account, "Region": region}


def _alphanumerics(digest: bytes) -> str:
    number, found = int.from_bytes(digest[:16], "big"), []
    for _ in range(16):
        number, digit = divmod(number, len(_DIGITS))
        found.append(_DIGITS[digit])
    return "".join(found)
