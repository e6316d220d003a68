"""The condition keys of one request, found ignoring case.

Source: fact sheet iam sections 2 (key names) and 8 (which keys there are).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

Context = Mapping[str, "str | tuple[str, ...]"]
"""Condition key (any case) to its value, or to the values of a multivalued key."""


def fold_key(key: str) -> str:
    """Return `key` with the letters A to Z in lower case and every other character as it is.

    SECURITY: `str.lower` turns some non-ASCII letters into ASCII ones (KELVIN SIGN into `k`), which would
    let a look-alike tag key stand in for the one a policy names.
    """
    if key.isascii():
        return key.lower()
    return key.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


_DOCUMENTED = (
    "aws:CalledVia aws:CalledViaFirst aws:CalledViaLast aws:CurrentTime aws:EpochTime aws:PrincipalAccount"
    " aws:PrincipalArn aws:PrincipalIsAWSService aws:PrincipalType"
    " aws:RequestedRegion aws:ResourceAccount aws:SecureTransport aws:SourceIp aws:TagKeys"
    " aws:TokenIssueTime aws:UserAgent aws:ViaAWSService aws:userid aws:username"
    " kms:CallerAccount kms:EncryptionAlgorithm kms:EncryptionContextKeys kms:KeyOrigin kms:KeySpec"
    " kms:KeyUsage kms:MultiRegion kms:RequestAlias kms:ResourceAliases kms:ViaService"
    " secretsmanager:SecretId secretsmanager:SecretPrimaryRegion secretsmanager:VersionId"
    " secretsmanager:VersionStage secretsmanager:resource/AllowRotationLambdaArn secretsmanager:resource/Type"
)
_SPELLINGS = {key.lower(): key for key in _DOCUMENTED.split()}
"""Keys without a part that people choose. This program spells them as documented, so that a look at the
spelling finds them; names that are missing here are found as well, only later."""


def spelled(folded_key: str) -> str:
    """Return a folded key as AWS's documentation spells it, where this program knows."""
    return _SPELLINGS.get(folded_key, folded_key)


class ContextKeys:
    """Looks keys up in contexts, of which the first that knows a key has the say.

    A context is folded once, and only if a policy asks for a key that is not found by its spelling.
    """

    __slots__ = ("_contexts", "_folded")

    def __init__(self, *contexts: Context) -> None:
        self._contexts = contexts
        self._folded: tuple[dict[str, str | tuple[str, ...]], ...] | None = None

    def values(self, folded_key: str) -> str | tuple[str, ...] | None:
        """Return what the request carries under a key (already folded); None when absent or empty.

        Spellings of one key that differ in case only, with different values, count as one key with several
        values: a test meant for one value then cannot be evaluated (which is safe), instead of depending
        on which of them comes first.
        """
        spelling = _SPELLINGS.get(folded_key)
        if spelling is not None:
            for context in self._contexts:
                found = context.get(spelling)
                if found is not None:
                    return None if found == () else found
        folded = self._folded
        if folded is None:
            folded = self._folded = tuple([_fold(context) for context in self._contexts])
        for each in folded:
            found = each.get(folded_key)
            if found is not None:
                return None if found == () else found
        return None

    def items(self) -> Iterator[tuple[str, str | tuple[str, ...]]]:
        """Yield all that the contexts hold, keys as they are spelled, those that have no say included."""
        for context in self._contexts:
            yield from context.items()

    def single(self, folded_key: str) -> str | None:
        """Return the one value of a key; None when absent or when there are several."""
        found = self.values(folded_key)
        if found is None or isinstance(found, str):
            return found
        return found[0] if len(found) == 1 else None


def _fold(context: Context) -> dict[str, str | tuple[str, ...]]:
    if "".join(context).isascii():
        folded = {key.lower(): value for key, value in context.items()}
    else:
        folded = {fold_key(key): value for key, value in context.items()}
    if len(folded) == len(context):
        return folded
    merged: dict[str, tuple[str, ...]] = {}
    for key, value in context.items():
        name = fold_key(key)
        values = (value,) if isinstance(value, str) else value
        merged[name] = tuple(dict.fromkeys(merged.get(name, ()) + values))
    return dict(merged)
