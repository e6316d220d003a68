"""The installed botocore's service models, compiled to decoders, encoders and redactors.

The model says which operations and members there are, what each may hold, and what is sensitive; nothing of
that is written down here again. Texts: fact sheet secretsmanager section 1; query protocol: iam section 10.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import gzip
import json
import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from xml.sax.saxutils import escape

import botocore
import orjson

from strongroom.errors import SerializationException, ValidationException

__all__ = ["OWN_MODELS", "OperationModel", "ServiceModel", "load_service"]

_MODELS: Final = Path(botocore.__file__).with_name("data")
OWN_MODELS: Final = Path(__file__).with_name("services")
"""Of services that are no service of AWS: a directory for AWS_DATA_PATH, so that SDKs know them, too."""
MAX_DEPTH: Final = 32
SHOWN: Final = 256
"""Characters of a refused value that an error repeats, at most."""

HANDLED_ELSEWHERE: Final[Mapping[tuple[str, str], frozenset[str]]] = {
    # Answered by the handlers with other errors (fact sheet secretsmanager sections 3 and 5).
    ("secretsmanager", "ClientRequestTokenType"): frozenset({"min", "max"}),
    ("secretsmanager", "SecretStringType"): frozenset({"min"}),
    ("secretsmanager", "SecretBinaryType"): frozenset({"min"}),
    # Refused by LookupEvents with errors of their own (fact sheet cloudtrail section 6).
    ("cloudtrail", "MaxResults"): frozenset({"min", "max"}),
    ("cloudtrail", "EventCategory"): frozenset({"enum"}),
    # Names that IAM checks by itself, with a text of its own (fact sheet iam section 11).
    ("iam", "userNameType"): frozenset({"pattern"}),
    ("iam", "groupNameType"): frozenset({"pattern"}),
    ("iam", "roleNameType"): frozenset({"pattern"}),
    ("iam", "policyNameType"): frozenset({"pattern"}),
}
_MEASURED_IN_BYTES: Final = frozenset({("secretsmanager", "SecretStringType")})
_NEVER_RECORDED: Final = frozenset({"Plaintext", "CiphertextBlob", "SecretAccessKey", "SessionToken"})
_EXACT: Final = 2**53
"""Up to here every whole number is a float of its own."""
_BASE64_STEP: Final = 1 << 20
"""Characters; a multiple of four."""
_URL_ENCODED: Final = frozenset({"policyDocumentType"})

Faults = list[str]
Decode = Callable[[Any, str, Faults], Any]
Redact = Callable[[Any], Any]
_DROPPED: Final = object()


def load_service(name: str) -> ServiceModel:
    """Return the compiled model of a service botocore knows, read from the installed package; or of our own.

    Of several API versions the newest is taken, as clients do. Read as files: botocore's own loader brings
    half the client along, which a server that starts in a moment has no use for.

    Raises:
        FileNotFoundError: botocore has no such service, or keeps its models in another way.
    """
    own = OWN_MODELS / name
    versions = sorted((own if own.is_dir() else _MODELS / name).iterdir())
    packed = versions[-1] / "service-2.json.gz"
    if packed.is_file():
        return ServiceModel(name, orjson.loads(gzip.decompress(packed.read_bytes())))
    return ServiceModel(name, orjson.loads((versions[-1] / "service-2.json").read_bytes()))


class ServiceModel:
    """One service: its identity on the wire, its operations, its error shapes."""

    def __init__(self, name: str, model: Mapping[str, Any]) -> None:
        metadata = model["metadata"]
        self.name = name
        self.signing_name: str = metadata.get("signingName", metadata["endpointPrefix"])
        self.target_prefix: str = metadata.get("targetPrefix", "")
        self.protocol: str = metadata["protocol"]
        """`json`, `query` or `rest-json`."""
        self.api_version: str = metadata["apiVersion"]
        self.xml_namespace: str = metadata.get("xmlNamespace", "")
        self.event_source: str = metadata.get("eventSource") or f"{metadata['endpointPrefix']}.amazonaws.com"
        self.shapes: Mapping[str, Any] = model["shapes"]
        self.error_shapes: Mapping[str, Mapping[str, Any]] = {
            shape: definition.get("error", {})
            for shape, definition in self.shapes.items()
            if definition.get("exception")
        }
        """Exception shape to what the model says of its code and status."""
        self.operations: Mapping[str, OperationModel] = {
            operation: OperationModel(self, operation, definition)
            for operation, definition in model["operations"].items()
        }


class OperationModel:
    """One operation's way over the wire. Compiled on first use."""

    def __init__(self, service: ServiceModel, name: str, definition: Mapping[str, Any]) -> None:
        self.service = service
        self.name = name
        self._input: str | None = definition.get("input", {}).get("shape")
        output = definition.get("output", {})
        http = definition.get("http", {})
        self.http_method: str = http.get("method", "POST")
        self.http_uri: str = http.get("requestUri", "/")
        """A template: `/2015-03-31/functions/{FunctionName}`."""
        self.http_status: int = http.get("responseCode", 200)
        self._output: str | None = output.get("shape")
        self._result_wrapper: str | None = output.get("resultWrapper")

    @property
    def input_shape(self) -> Mapping[str, Any] | None:
        return None if self._input is None else self.service.shapes[self._input]

    @property
    def output_shape(self) -> Mapping[str, Any] | None:
        return None if self._output is None else self.service.shapes[self._output]

    def decode(self, body: bytes) -> dict[str, Any]:
        """Return the request in a JSON body, checked against its shape; members not in the model are ignored.

        Raises:
            SerializationException: not a JSON object, a key twice in one object, or a value of another type.
            ValidationException: constraints broken, all of them named.
        """
        return self.checked(parse_json(body) if body else {})

    def decode_query(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        """Return the request in the parameters of a query call. Raises as `decode`."""
        if self._input is None:
            return {}
        return self.checked(_Unflattener(self.service.shapes, parameters).structure(self._input, ""))

    def encode(self, response: Mapping[str, Any] | None) -> bytes:
        """Return the JSON body of an answer: datetimes as epoch seconds, bytes as base64."""
        if response is None:
            return b"{}"
        return orjson.dumps(response, default=_plain, option=orjson.OPT_PASSTHROUGH_DATETIME)

    def encode_query(self, response: Mapping[str, Any] | None, request_id: str) -> bytes:
        """Return the XML body of an answer."""
        parts = [f'<{self.name}Response xmlns="{escape(self.service.xml_namespace)}">']
        if self._result_wrapper is not None:
            parts.append(f"<{self._result_wrapper}>")
            if self._output is not None:
                parts.append(_xml_members(self.service.shapes, self._output, response or {}))
            parts.append(f"</{self._result_wrapper}>")
        parts.append(
            f"<ResponseMetadata><RequestId>{escape(request_id)}</RequestId></ResponseMetadata></{self.name}Response>"
        )
        return "".join(parts).encode()

    def redact_request(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the trail may keep of a request: no sensitive member, names as CloudTrail has them."""
        return self._redacted(self._redact_input, request)

    def redact_response(self, response: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the trail may keep of an answer."""
        return self._redacted(self._redact_output, response)

    @staticmethod
    def _redacted(redact: Redact | None, members: Mapping[str, Any]) -> dict[str, Any]:
        kept: dict[str, Any] = {} if redact is None else redact(members)
        return kept

    def checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a request's members, converted and checked. Raises as `decode`."""
        if self._decode_input is None:
            return {}
        faults: Faults = []
        decoded: dict[str, Any] = self._decode_input(given, "", faults)
        if faults:
            count = len(faults)
            noun = "error" if count == 1 else "errors"
            raise ValidationException(f"{count} validation {noun} detected: {'; '.join(faults)}")
        return decoded

    @cached_property
    def _decode_input(self) -> Decode | None:
        return None if self._input is None else _Compiler(self.service).decoder(self._input)

    @cached_property
    def _redact_input(self) -> Redact | None:
        return None if self._input is None else _Compiler(self.service).redactor(self._input)

    @cached_property
    def _redact_output(self) -> Redact | None:
        return None if self._output is None else _Compiler(self.service).redactor(self._output)


# JSON


def parse_json(body: bytes) -> dict[str, Any]:
    """Return the JSON object in `body`. Raises SerializationException for anything else."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise SerializationException("The request body is not valid JSON.") from error
    if not isinstance(parsed, dict):
        raise SerializationException("The request body must be a JSON object.")
    # Each pair in the text has a colon, and so may strings: when all of them are found again in what
    # survived, no key came twice. (A colon may also be written as an escape, and then says nothing.)
    if body.count(b":") != _count_colons(parsed, 0) or (b"\\" in body and b"\\u003" in body):
        try:
            json.loads(body, object_pairs_hook=_unique)
        except RecursionError as error:
            raise SerializationException("The request body is nested too deeply.") from error
    return parsed


def _count_colons(value: Any, depth: int) -> int:
    """Return how many colons the text of `value` has: one for each pair, and those in strings."""
    if depth > MAX_DEPTH:
        raise SerializationException("The request body is nested too deeply.")
    if isinstance(value, str):
        return value.count(":")
    if isinstance(value, dict):
        count = len(value)
        for key, each in value.items():
            count += key.count(":")
            if isinstance(each, str):
                count += each.count(":")
            elif isinstance(each, (dict, list)):
                count += _count_colons(each, depth + 1)
        return count
    if isinstance(value, list):
        return sum(_count_colons(each, depth + 1) for each in value if isinstance(each, (dict, list, str)))
    return 0


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise SerializationException("The request body has an object with a duplicate key.")
    return members


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return round(value.timestamp(), 3)
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC).timestamp()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no place in an answer")


# Decoding


@dataclass(frozen=True, slots=True)
class _Compiler:
    service: ServiceModel

    def decoder(self, shape_name: str, sensitive: bool = False, path: tuple[str, ...] = ()) -> Decode:
        shape = self.service.shapes[shape_name]
        kind = shape["type"]
        sensitive = sensitive or bool(shape.get("sensitive"))
        if kind == "structure":
            return self._structure(shape_name, shape, path)
        if kind == "list":
            return self._list(shape_name, shape, sensitive, path)
        if kind == "map":
            return self._map(shape_name, shape, sensitive, path)
        if kind == "string":
            return _string(self._constraints(shape_name, shape), sensitive)
        if kind in ("integer", "long"):
            return _integer(self._constraints(shape_name, shape))
        if kind == "blob":
            return _blob(self._constraints(shape_name, shape), sensitive)
        return {"boolean": _boolean, "timestamp": _timestamp, "double": _number, "float": _number}[kind]

    def _constraints(self, shape_name: str, shape: Mapping[str, Any]) -> _Constraints:
        place = (self.service.name, shape_name)
        elsewhere = HANDLED_ELSEWHERE.get(place, frozenset())
        kept = {key: shape[key] for key in ("min", "max", "pattern", "enum") if key in shape}
        kept = {key: value for key, value in kept.items() if key not in elsewhere}
        return _Constraints(
            minimum=kept.get("min"),
            maximum=kept.get("max"),
            pattern=kept.get("pattern"),
            allowed=tuple(kept["enum"]) if "enum" in kept else None,
            in_bytes=place in _MEASURED_IN_BYTES,
        )

    def _structure(self, name: str, shape: Mapping[str, Any], path: tuple[str, ...]) -> Decode:
        if name in path:
            return lambda value, place, faults: self.decoder(name)(value, place, faults)
        inner = (*path, name)
        members = {
            member: self.decoder(definition["shape"], bool(definition.get("sensitive")), inner)
            for member, definition in shape["members"].items()
        }
        labels = {member: lowered(member) for member in members}
        required = tuple(shape.get("required", ()))

        def decode(value: Any, place: str, faults: Faults) -> Any:
            if not isinstance(value, dict):
                raise SerializationException("Start of structure or map found where not expected.")
            decoded = {}
            prefix = f"{place}." if place else ""
            for member, given in value.items():
                convert = members.get(member)
                if convert is not None and given is not None:
                    decoded[member] = convert(given, prefix + labels[member], faults)
            for member in required:
                if member not in decoded:
                    faults.append(
                        f"Value null at '{prefix}{labels[member]}' failed to satisfy constraint: "
                        "Member must not be null"
                    )
            return decoded

        return decode

    def _list(self, name: str, shape: Mapping[str, Any], sensitive: bool, path: tuple[str, ...]) -> Decode:
        item = self.decoder(shape["member"]["shape"], sensitive, path)
        constraints = self._constraints(name, shape)

        def decode(value: Any, place: str, faults: Faults) -> Any:
            if not isinstance(value, list):
                raise SerializationException("Expected list or null")
            constraints.check_length(len(value), _shown_list(value, sensitive), place, faults)
            return [
                item(each, f"{place}.{number}.member", faults)
                for number, each in enumerate(value, 1)
                if each is not None
            ]

        return decode

    def _map(self, name: str, shape: Mapping[str, Any], sensitive: bool, path: tuple[str, ...]) -> Decode:
        key = self.decoder(shape["key"]["shape"], sensitive, path)
        item = self.decoder(shape["value"]["shape"], sensitive, path)
        constraints = self._constraints(name, shape)

        def decode(value: Any, place: str, faults: Faults) -> Any:
            if not isinstance(value, dict):
                raise SerializationException("Expected map or null")
            constraints.check_length(len(value), None, place, faults)
            return {
                key(each, f"{place}.key", faults): item(given, f"{place}.{each[:SHOWN]}.member", faults)
                for each, given in value.items()
                if given is not None
            }

        return decode

    def redactor(self, shape_name: str, path: tuple[str, ...] = ()) -> Redact:
        """Return a function giving a value as the trail keeps it, or `_DROPPED`."""
        shape = self.service.shapes[shape_name]
        kind = shape["type"]
        if shape.get("sensitive") or kind == "blob":
            return lambda _: _DROPPED
        if kind == "structure":
            if shape_name in path:
                return lambda _: _DROPPED
            members = {
                member: (lowered(member), self.redactor(definition["shape"], (*path, shape_name)))
                for member, definition in shape["members"].items()
                if not definition.get("sensitive") and member not in _NEVER_RECORDED
            }

            def redact(value: Any) -> Any:
                kept = {}
                for member, given in value.items():
                    known = members.get(member)
                    if known is not None:
                        shown = known[1](given)
                        if shown is not _DROPPED:
                            kept[known[0]] = shown
                return kept

            return redact
        if kind == "list":
            item = self.redactor(shape["member"]["shape"], path)
            return lambda value: [each for each in map(item, value) if each is not _DROPPED]
        if kind == "map":
            inner = self.redactor(shape["value"]["shape"], path)
            return lambda value: {
                key: shown for key, given in value.items() if (shown := inner(given)) is not _DROPPED
            }
        if kind == "timestamp":
            return english_date
        return lambda value: value


@dataclass(frozen=True, slots=True)
class _Constraints:
    minimum: int | None
    maximum: int | None
    pattern: str | None
    allowed: tuple[str, ...] | None
    in_bytes: bool = False

    def check_length(self, length: int, shown: str | None, place: str, faults: Faults) -> None:
        if self.maximum is not None and length > self.maximum:
            faults.append(
                _fault(shown, place, f"Member must have length less than or equal to {self.maximum}")
            )
        if self.minimum is not None and length < self.minimum:
            faults.append(
                _fault(shown, place, f"Member must have length greater than or equal to {self.minimum}")
            )


def _fault(shown: str | None, place: str, constraint: str) -> str:
    """Say what is wrong. `shown` None: the value is sensitive and is left out."""
    value = "Value" if shown is None else f"Value '{shown[:SHOWN]}'"
    return f"{value} at '{place}' failed to satisfy constraint: {constraint}"


def _shown_list(value: Sequence[Any], sensitive: bool) -> str | None:
    if sensitive or not all(isinstance(each, str) for each in value):
        return None
    return f"[{', '.join(value)}]"


def _string(constraints: _Constraints, sensitive: bool) -> Decode:
    pattern = None if constraints.pattern is None else compiled(constraints.pattern)
    allowed = None if constraints.allowed is None else frozenset(constraints.allowed)
    in_bytes = constraints.in_bytes

    def decode(value: Any, place: str, faults: Faults) -> Any:
        if not isinstance(value, str):
            raise SerializationException(f"{type_name(value)} can not be converted to a String")
        shown = None if sensitive else value
        constraints.check_length(len(value.encode()) if in_bytes else len(value), shown, place, faults)
        if pattern is not None and pattern.fullmatch(value) is None:
            text = f"Member must satisfy regular expression pattern: {constraints.pattern}"
            faults.append(_fault(shown, place, text))
        if allowed is not None and value not in allowed:
            choices = ", ".join(constraints.allowed or ())
            faults.append(_fault(shown, place, f"Member must satisfy enum value set: [{choices}]"))
        return value

    return decode


def _integer(constraints: _Constraints) -> Decode:
    def decode(value: Any, place: str, faults: Faults) -> Any:
        # The parser gives what has no place in 64 bits as a float, which no longer says what was sent.
        if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT:
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise SerializationException(f"{type_name(value)} can not be converted to an Integer")
        if constraints.maximum is not None and value > constraints.maximum:
            text = f"Member must have value less than or equal to {constraints.maximum}"
            faults.append(_fault(str(value), place, text))
        if constraints.minimum is not None and value < constraints.minimum:
            text = f"Member must have value greater than or equal to {constraints.minimum}"
            faults.append(_fault(str(value), place, text))
        return value

    return decode


def _blob(constraints: _Constraints, sensitive: bool) -> Decode:
    del sensitive  # bytes are never shown

    def decode(value: Any, place: str, faults: Faults) -> Any:
        if isinstance(value, bytes):
            # Nothing in JSON: it is the body itself (`wire/rest`), or has been decoded (`wire/lifting`).
            decoded = value
        elif not isinstance(value, str):
            raise SerializationException(f"{type_name(value)} can not be converted to a Blob")
        else:
            try:
                decoded = from_base64(value)
            except (binascii.Error, ValueError) as error:
                raise SerializationException("A binary value is not valid base64.") from error
        constraints.check_length(len(decoded), None, place, faults)
        return decoded

    return decode


def from_base64(text: str) -> bytes:
    """Return what `text` encodes, in steps: each holds up the process's other threads. Raises ValueError."""
    if len(text) <= _BASE64_STEP:
        return base64.b64decode(text, validate=True)
    if 0 <= text.find("=") < len(text) - 2:
        raise ValueError("padding in between")
    steps = range(0, len(text), _BASE64_STEP)
    return b"".join([base64.b64decode(text[at : at + _BASE64_STEP], validate=True) for at in steps])


def from_base64_within(body: bytes, start: int, end: int) -> bytes:
    """As `from_base64`, of a part of `body`, which is not copied."""
    if 0 <= body.find(b"=", start, end) < end - 2:
        raise ValueError("padding in between")
    ends = [*range(start + _BASE64_STEP, end, _BASE64_STEP), end]
    steps = zip([start, *ends], ends, strict=False)
    return b"".join([base64.b64decode(body[at:to], validate=True) for at, to in steps])


def _boolean(value: Any, _place: str, _faults: Faults) -> Any:
    if not isinstance(value, bool):
        raise SerializationException(f"{type_name(value)} can not be converted to a Boolean")
    return value


def _number(value: Any, _place: str, _faults: Faults) -> Any:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise SerializationException(f"{type_name(value)} can not be converted to a Number")
    return value


def _timestamp(value: Any, _place: str, _faults: Faults) -> Any:
    try:
        if isinstance(value, str):
            return dt.datetime.fromisoformat(value).astimezone(dt.UTC)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return dt.datetime.fromtimestamp(value, dt.UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise SerializationException("A timestamp is out of range or malformed.") from error
    raise SerializationException(f"{type_name(value)} can not be converted to a Timestamp")


def type_name(value: Any) -> str:
    """Return what JSON calls the type of `value`."""
    return {bool: "Boolean", int: "Number", float: "Number", str: "String", list: "List"}.get(
        type(value), "Structure"
    )


def lowered(member: str) -> str:
    """Return a member's name with its first letter in lower case, as messages and the trail write it."""
    return member[:1].lower() + member[1:]


def compiled(pattern: str) -> re.Pattern[str]:
    """Return a pattern of the models. As in Java, `\\w` is ASCII; only properties reach beyond.

    SECURITY: a name with a look-alike letter from another alphabet is not a name.
    """
    return re.compile(translated(pattern), 0 if "\\p{" in pattern else re.ASCII)


def translated(pattern: str) -> str:
    """Return a Java regular expression of the models for `re`: classes by property are spelled out."""
    return (
        pattern.replace(r"\p{L}\p{Z}\p{N}", r"\w\s")
        .replace(r"\p{L}\p{M}\p{Z}\p{S}\p{N}\p{P}", r"\S\s")
        .replace(r"\p{L}\p{M}\p{S}\p{N}\p{P}", r"\S")
        .replace(r"\p{Alnum}", "A-Za-z0-9")
        .replace(r"\p{LD}", r"\w")
        .replace(r"\p{L}", r"\w")
    )


def english_date(moment: dt.datetime) -> str:
    """Return a time as CloudTrail writes it in request and response members: `May 3, 2018 5:51:02 PM`."""
    hour = moment.hour % 12 or 12
    half = "AM" if moment.hour < 12 else "PM"
    month = _MONTHS[moment.month - 1]
    return f"{month} {moment.day}, {moment.year} {hour}:{moment.minute:02}:{moment.second:02} {half}"


_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


# Query protocol


class _Unflattener:
    """Builds nested values from flat parameters such as `Tags.member.1.Key`."""

    def __init__(self, shapes: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
        self._shapes = shapes
        self._parameters = parameters
        self._names = sorted(parameters)

    def structure(self, shape_name: str, prefix: str) -> dict[str, Any]:
        members = {}
        for member, definition in self._shapes[shape_name]["members"].items():
            name = definition.get("locationName", member)
            value = self._value(definition["shape"], f"{prefix}{name}")
            if value is not None:
                members[member] = value
        return members

    def _value(self, shape_name: str, place: str) -> Any:
        shape = self._shapes[shape_name]
        kind = shape["type"]
        if kind in ("structure", "list", "map"):
            if not self._any_below(place):
                return [] if kind == "list" and self._parameters.get(place) == "" else None
            if kind == "structure":
                return self.structure(shape_name, f"{place}.")
            return self._list(shape, place) if kind == "list" else self._map(shape, place)
        text = self._parameters.get(place)
        return None if text is None else scalar(kind, text)

    def _any_below(self, place: str) -> bool:
        # SECURITY: looked up, not walked through: a list is asked this for every item, before any signature.
        prefix = f"{place}."
        position = bisect_left(self._names, prefix)
        return position < len(self._names) and self._names[position].startswith(prefix)

    def _list(self, shape: Mapping[str, Any], place: str) -> list[Any]:
        if not shape.get("flattened"):
            place = f"{place}.{shape['member'].get('locationName', 'member')}"
        items = []
        for number in range(1, len(self._parameters) + 1):
            item = self._value(shape["member"]["shape"], f"{place}.{number}")
            if item is None:
                break
            items.append(item)
        return items

    def _map(self, shape: Mapping[str, Any], place: str) -> dict[str, Any]:
        if not shape.get("flattened"):
            place = f"{place}.entry"
        key_name = shape["key"].get("locationName", "key")
        value_name = shape["value"].get("locationName", "value")
        members = {}
        for number in range(1, len(self._parameters) + 1):
            key = self._parameters.get(f"{place}.{number}.{key_name}")
            if key is None:
                break
            members[key] = self._value(shape["value"]["shape"], f"{place}.{number}.{value_name}")
        return members


def scalar(kind: str, text: str) -> Any:
    """Return what a text is as a value of a model's type; as it is, where it is none of that type."""
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.lower(), text)
    if kind in ("integer", "long") and re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    return text


def _xml_members(shapes: Mapping[str, Any], shape_name: str, members: Mapping[str, Any]) -> str:
    parts = []
    for member, definition in shapes[shape_name]["members"].items():
        value = members.get(member)
        if value is not None:
            parts.append(_xml(shapes, definition["shape"], definition.get("locationName", member), value))
    return "".join(parts)


def _xml(shapes: Mapping[str, Any], shape_name: str, tag: str, value: Any) -> str:
    shape = shapes[shape_name]
    kind = shape["type"]
    if kind == "structure":
        inner = _xml_members(shapes, shape_name, value)
    elif kind == "list":
        item = shape["member"]
        flat = shape.get("flattened")
        name = tag if flat else item.get("locationName", "member")
        inner = "".join(_xml(shapes, item["shape"], name, each) for each in value)
        if flat:
            return inner
    elif kind == "map":
        key, held = shape["key"], shape["value"]
        inner = "".join(
            "<entry>"
            + _xml(shapes, key["shape"], key.get("locationName", "key"), name)
            + _xml(shapes, held["shape"], held.get("locationName", "value"), each)
            + "</entry>"
            for name, each in value.items()
        )
    elif isinstance(value, bool):
        inner = "true" if value else "false"
    elif isinstance(value, dt.datetime):
        inner = value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    elif isinstance(value, bytes):
        inner = base64.b64encode(value).decode()
    elif shape_name in _URL_ENCODED:
        inner = quote(str(value), safe="-_.~")
    else:
        inner = escape(str(value))
    return f"<{tag}>{inner}</{tag}>" if inner else f"<{tag}/>"
