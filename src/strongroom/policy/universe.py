"""The values that unknown condition keys are tried with: few enough to try them all, enough to miss nothing.

For each key the tests that policies make on it are looked at, and one value is taken for every way in which
they can come out. Keys that say one thing together (the time, the network position) vary together. Where the
values cannot be known to be enough, that is said (`Dimension.complete`). Source: fact sheet iam sections 2
and 8 (which keys there are, and when).
"""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import chain, combinations, pairwise, product
from typing import Final

import msgspec

from strongroom.policy.conditions import Operator, parse_date, parse_network, parse_number
from strongroom.policy.context import fold_key, spelled
from strongroom.policy.patterns import Static, Wildcard
from strongroom.policy.words import Pattern, words_for

__all__ = ["Choice", "Dimension", "KeyTest", "Setting", "dimensions"]

Choice = Mapping[str, "str | tuple[str, ...]"]
"""Values of the keys of one dimension; a key that is left out is absent from the request."""

MOST_SETS: Final = 5
"""Of so many single values all sets are tried, where a key can have several values."""
MOST_TOGETHER: Final = 1_024
"""Choices of one dimension whose keys vary together."""
SESSION_SECONDS: Final = 36 * 3600
"""No temporary credentials live longer."""

_TIMES: Final = ("aws:currenttime", "aws:epochtime")
_THROUGH_ENDPOINTS: Final[Mapping[str, str]] = {
    "aws:sourcevpce": "aws:SourceVpce",
    "aws:vpcsourceip": "aws:VpcSourceIp",
    "aws:sourcevpc": "aws:SourceVpc",
}
_NETWORK: Final = ("aws:sourceip", *_THROUGH_ENDPOINTS)
_CREDENTIALS: Final = ("aws:tokenissuetime", "aws:multifactorauthpresent")
_LISTED: Final[Mapping[str, str]] = {
    "aws:requesttag/": "aws:tagkeys",
    "kms:encryptioncontext:": "kms:encryptioncontextkeys",
}
"""What the keys that name something begin with, and the key that lists the names."""
_PREFIXES: Final = {
    fold_key(each): each
    for each in ("aws:RequestTag/", "aws:PrincipalTag/", "aws:ResourceTag/", "kms:EncryptionContext:")
}
_SINGLE: Final = frozenset(
    (
        *_TIMES,
        *_NETWORK,
        *_CREDENTIALS,
        "aws:federatedprovider",
        "aws:requestedregion",
        "aws:securetransport",
        "aws:sourceidentity",
        "aws:useragent",
        "aws:userid",
        "secretsmanager:versionid",
        "secretsmanager:versionstage",
    )
)
"""Keys that never have several values."""


_ALWAYS: Final = frozenset(("aws:useragent", "sts:rolesessionname"))
_CLAIMS: Final = (":aud", ":sub")
"""Ends of the keys that every web token brings."""


class KeyTest(msgspec.Struct, frozen=True):
    """What one condition asks of one key, as far as it can be said without the request."""

    operator: Operator
    values: tuple[Static, ...]
    """With the variables filled in whose values are known."""
    raw: tuple[str, ...]
    """As written: numbers, dates and addresses have no variables."""
    entangled: bool = False
    """True: the outcome hangs on another unknown key as well."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the caller's unknown keys."""

    now: int = 0
    """Seconds since 1970: the time is not before it."""
    temporary: bool | None = None
    """Whether the credentials are temporary ones; None: either."""
    user_id_prefix: str = ""
    """What aws:userid begins with (`AROA…:`); empty: it is known."""
    always: Mapping[str, str] = {}
    """Folded keys that may have another value than this one, but are never absent."""


class Dimension(msgspec.Struct, frozen=True):
    """Keys that vary together, and what they vary over."""

    keys: tuple[str, ...]
    """Folded."""
    choices: tuple[Choice, ...]
    complete: bool
    """True: whatever these keys are, the tests come out as with one of the choices."""


class _Values(msgspec.Struct, frozen=True):
    present: tuple[str, ...]
    exact: bool


def dimensions(
    tests: Mapping[str, Sequence[KeyTest]], setting: Setting, pool: Sequence[str] = ()
) -> list[Dimension]:
    """Return what to vary, given the tests on each unknown key (folded).

    `pool` are further values for keys whose tests are entangled. Keys without tests are looked at by other
    things than conditions (variables in a Resource), and never complete.
    """
    found: list[Dimension] = []
    left = dict(tests)
    times: dict[str, Sequence[KeyTest]] = {key: left.pop(key) for key in _TIMES if key in left}
    if times:
        found.append(_time(times, setting))
    network: dict[str, Sequence[KeyTest]] = {key: left.pop(key) for key in _NETWORK if key in left}
    if network:
        found.append(_network(network, pool))
    credentials: dict[str, Sequence[KeyTest]] = {key: left.pop(key) for key in _CREDENTIALS if key in left}
    if credentials:
        found.append(_credentials(credentials, setting))
    for prefix, listing in _LISTED.items():
        named = {key: left.pop(key) for key in list(left) if key.startswith(prefix) or key == listing}
        if named:
            found.append(_named(prefix, listing, named, pool))
    found += (_plain(key, each, setting, pool) for key, each in left.items())
    return found


# --- single keys -----------------------------------------------------------------------------------------


def _plain(key: str, tests: Sequence[KeyTest], setting: Setting, pool: Sequence[str]) -> Dimension:
    name = _shown(key)
    if key == "aws:securetransport":
        # Not absent, and nothing else: complete whatever is asked of it.
        return Dimension((key,), ({name: "true"}, {name: "false"}), not _entangled(tests))
    prefix = setting.user_id_prefix if key == "aws:userid" else ""
    values = _values(key, tests, pool, prefix)
    present: list[str | tuple[str, ...]] = list(values.present)
    exact = values.exact
    if _several(key, tests):
        sets, all_of_them = _sets(values.present)
        present += sets
        exact = exact and all_of_them
    choices: list[Choice] = [{name: each} for each in present]
    known = setting.always.get(key)
    if known is not None:
        choices = [{name: known}, *(each for each in choices if each[name] != known)]
    elif not prefix and key not in _ALWAYS and not key.endswith(_CLAIMS):
        choices.insert(0, {})
    return Dimension((key,), tuple(choices), exact)


def _shown(key: str) -> str:
    """Return a folded key as documentation spells it, where this program knows."""
    for prefix, shown in _PREFIXES.items():
        if key.startswith(prefix):
            return shown + key[len(prefix) :]
    return spelled(key)


def _several(key: str, tests: Sequence[KeyTest]) -> bool:
    return key not in _SINGLE and any(each.operator.set_operator is not None for each in tests)


def _sets(values: Sequence[str]) -> tuple[list[tuple[str, ...]], bool]:
    """Return sets of two values and more, and whether these are all there are."""
    if len(values) <= MOST_SETS:
        sizes = range(2, len(values) + 1)
        return list(chain.from_iterable(combinations(values, size) for size in sizes)), True
    return [*combinations(values[: 2 * MOST_SETS], 2), tuple(values)], False


def _entangled(tests: Iterable[KeyTest]) -> bool:
    return any(each.entangled for each in tests)


def _values(key: str, tests: Sequence[KeyTest], pool: Sequence[str], prefix: str = "") -> _Values:
    """Return values for all that the tests can tell apart in one value."""
    asked = [each for each in tests if each.operator.family != "Null"]
    families = {"String" if each.operator.family == "Arn" else each.operator.family for each in asked}
    exact = bool(tests) and len(families) <= 1 and not _entangled(tests)
    texts: dict[str, None] = {}
    patterns = frozenset(_patterns(asked, prefix))
    if patterns:
        words = words_for(patterns)
        exact = exact and words.exact
        texts |= dict.fromkeys(words.texts)
    elif not families:
        texts["x"] = None
    for each in asked:
        texts |= dict.fromkeys(_OF_FAMILY.get(each.operator.family, _nothing)(each.raw))
    if families - {"String"} and key not in _NETWORK:
        # What is no number, date or truth value at all cannot be evaluated, which is an outcome, too.
        texts |= dict.fromkeys(("no such value",))
    if not exact:
        texts |= dict.fromkeys(pool)
    return _Values(tuple(each for each in texts if each.startswith(prefix)), exact)


def _patterns(tests: Iterable[KeyTest], prefix: str) -> Iterator[Pattern]:
    if prefix:
        yield Pattern((prefix, Wildcard.ANY))
    for each in tests:
        if each.operator.family in ("String", "Arn"):
            for value in each.values:
                yield Pattern(value, each.operator.family == "Arn", each.operator.name.endswith("IgnoreCase"))


def _nothing(_: Sequence[str]) -> Iterator[str]:
    return iter(())


def _numbers(values: Sequence[str]) -> Iterator[str]:
    bounds = sorted({number for each in values if (number := parse_number(each)) is not None})
    for lower, upper in pairwise(bounds):
        yield _decimal((lower + upper) / 2)
    for bound in bounds:
        yield from (_decimal(bound + offset) for offset in (-1, 0, 1))


def _decimal(number: Decimal) -> str:
    return format(number, "f")


def _dates(values: Sequence[str]) -> Iterator[str]:
    return (_date(second) for second in _seconds(values))


def _seconds(values: Iterable[str]) -> Iterator[int]:
    """Yield the seconds at, before and after each date: times are whole seconds here."""
    for each in values:
        micro = parse_date(each)
        if micro is not None:
            second = micro // 1_000_000
            yield from (second, second - 1, second + 1)


def _date(second: int) -> str:
    try:
        moment = dt.datetime.fromtimestamp(second, dt.UTC)
    except (ValueError, OverflowError):
        return str(second)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _booleans(_: Sequence[str]) -> Iterator[str]:
    return iter(("true", "false"))


def _octets(values: Sequence[str]) -> Iterator[str]:
    yield from values
    longest = max(map(len, values), default=0)
    yield base64.b64encode(b"x" * (longest + 1)).decode()


def _addresses(values: Sequence[str]) -> Iterator[str]:
    """Yield an address of every stretch that the ends of the networks cut the address space into."""
    yield from ("192.0.2.1", "2001:db8::1")
    for value in values:
        network = parse_network(value)
        if network is None:
            continue
        version, start, mask = network
        width = 32 if version == 4 else 128
        behind = start + (1 << width) - mask
        for number in (start, start - 1, behind):
            if 0 <= number < 1 << width:
                yield str(ipaddress.IPv4Address(number) if version == 4 else ipaddress.IPv6Address(number))


_OF_FAMILY: Final = {
    "Numeric": _numbers,
    "Date": _dates,
    "Bool": _booleans,
    "Binary": _octets,
    "Ip": _addresses,
}


# --- keys that vary together -----------------------------------------------------------------------------


def _time(tests: Mapping[str, Sequence[KeyTest]], setting: Setting) -> Dimension:
    """The time from now on, under both its names."""
    every = [each for found in tests.values() for each in found]
    seconds = _from(every, setting.now)
    choices = tuple({"aws:CurrentTime": _date(each), "aws:EpochTime": str(each)} for each in seconds)
    return Dimension(_TIMES, choices, _about_time(every))


def _from(tests: Iterable[KeyTest], first: int) -> list[int]:
    """Return one second of each stretch between the tests' bounds, none before `first`."""
    bounds = (each.raw for each in tests)
    return sorted({max(each, first) for each in chain((first,), _seconds(chain.from_iterable(bounds)))})


def _about_time(tests: Iterable[KeyTest]) -> bool:
    """True when the tests compare times, or numbers of seconds, and nothing else."""
    for each in tests:
        if each.operator.family not in ("Date", "Numeric", "Null"):
            return False
        if each.operator.family == "Numeric" and any(parse_date(value) is None for value in each.raw):
            return False
    return True


def _credentials(tests: Mapping[str, Sequence[KeyTest]], setting: Setting) -> Dimension:
    """When temporary credentials were given out, among those that are not over. There are no MFA devices."""
    seconds = _from(tests.get("aws:tokenissuetime", ()), setting.now - SESSION_SECONDS)
    choices: list[Choice] = []
    if not setting.temporary:
        choices.append({})
    if setting.temporary is not False:
        choices += (
            {"aws:TokenIssueTime": _date(each), "aws:MultiFactorAuthPresent": "false"} for each in seconds
        )
    return Dimension(_CREDENTIALS, tuple(choices), _about_time(tests.get("aws:tokenissuetime", ())))


def _network(tests: Mapping[str, Sequence[KeyTest]], pool: Sequence[str]) -> Dimension:
    """From an address, or through an endpoint of a VPC (fact sheet iam section 8)."""
    values = {key: _values(key, found, pool) for key, found in tests.items()}
    direct = values["aws:sourceip"].present if "aws:sourceip" in values else ("192.0.2.1",)
    choices: list[Choice] = [{"aws:SourceIp": each} for each in direct]
    asked = [key for key in _THROUGH_ENDPOINTS if key in values]
    options = [
        (None, *values[key].present) if key == "aws:sourcevpc" else values[key].present for key in asked
    ]
    names = [_THROUGH_ENDPOINTS[key] for key in asked]
    # One at least, even where nothing is asked about endpoints: through them there is no aws:SourceIp.
    for combination in product(*options):
        pairs = zip(names, combination, strict=True)
        choices.append({name: value for name, value in pairs if value is not None})
    complete = all(each.exact for each in values.values()) and len(choices) <= MOST_TOGETHER
    return Dimension(_NETWORK, tuple(choices[:MOST_TOGETHER]), complete)


def _named(
    prefix: str, listing: str, tests: Mapping[str, Sequence[KeyTest]], pool: Sequence[str]
) -> Dimension:
    """Keys with a name of the caller's own choice, and the key that lists the names of those there are."""
    listed = _values(listing, tests.get(listing, ()), pool)
    names: dict[str, str] = (
        {fold_key(each): each for each in listed.present if each} if listing in tests else {}
    )
    options: dict[str, tuple[str | None, ...]] = dict.fromkeys(names, (None, "x"))
    exact = listing not in tests or listed.exact
    for key, found in tests.items():
        if key == listing:
            continue
        name = key.removeprefix(prefix)
        names.setdefault(name, name)
        values = _values(key, found, pool)
        exact = exact and values.exact
        options[name] = (None, *values.present)
    choices: list[Choice] = []
    for combination in product(*options.values()):
        if len(choices) >= MOST_TOGETHER:
            exact = False
            break
        present = {
            names[name]: value for name, value in zip(options, combination, strict=True) if value is not None
        }
        choice: dict[str, str | tuple[str, ...]] = {
            _shown(prefix) + name: value for name, value in present.items()
        }
        if present:
            choice[spelled(listing)] = tuple(present)
        choices.append(choice)
    return Dimension((*(prefix + name for name in options), listing), tuple(choices), exact)
