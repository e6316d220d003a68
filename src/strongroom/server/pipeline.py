"""The way of a call: route, authenticate, decode, find targets, authorize, handle, record, answer.

This is the one place that catches everything. Whatever happens, an answer leaves only after its audit record
was written (DESIGN promise 5), and a fault of ours says nothing about its cause (promise 6).
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple, Protocol

import orjson
from msgspec.structs import replace

from strongroom.audit.event import EventTemplate
from strongroom.errors import (
    IntegrityError,
    RequestEntityTooLargeException,
    ServiceError,
    UnknownOperationException,
    UnrecognizedClientException,
)
from strongroom.names import Region
from strongroom.operations.authorize import authorize
from strongroom.operations.call import (
    Again,
    AuthorizedCall,
    Call,
    Errand,
    Identification,
    NotSettled,
    Repeat,
    Resources,
    Unit,
)
from strongroom.operations.catalog import ServedService, known_actions
from strongroom.operations.iam.last_used import KeyUses
from strongroom.operations.sts.limits import verify_may_call
from strongroom.ports import Clock, ReadUnit, Store, Trail, WriteUnit
from strongroom.server.attempt import GLOBAL_REGION, Attempt
from strongroom.server.callers import Caller, Callers, described
from strongroom.server.errands import Errands
from strongroom.server.explaining import Explainer
from strongroom.server.metering import Meter
from strongroom.server.records import events_of
from strongroom.server.repeats import Kept, Place, Repeats, place_of
from strongroom.server.world import Uuids
from strongroom.wire.faults import JSON_TYPE, XML_TYPE, encode_fault, fault_of, internal_fault
from strongroom.wire.http import HttpRequest, HttpResponse
from strongroom.wire.models import ServiceModel
from strongroom.wire.rest import REST_TYPE, decode_rest, encode_rest
from strongroom.wire.routing import Route, Router
from strongroom.wire.sigv4 import UNKNOWN_TOKEN, Credential, verify

__all__ = ["Log", "Pipeline"]

SLOW_THREADS: Final = 4
PATIENT_THREADS: Final = 32
SMALL_BODY_BYTES: Final = 1_048_576
WAITED_SECONDS: Final = 3.0
"""How long a read may wait for its answer to settle."""
LOOK_SECONDS: Final = 0.005
"""How soon it is asked again; each time a little later, for other commits need have nothing to do with it."""
LATER: Final = 1.4
"""What is larger is not looked at in the event loop."""


class Log(Protocol):
    """What the pipeline tells the operator; `error` comes with the exception at hand."""

    def error(self, event: str, **fields: Any) -> Any: ...


class _ToKeep(NamedTuple):
    place: Place
    caller: Caller
    mark: int
    again: Again


class Pipeline:
    """Answers requests. One per process; construct after the process was forked."""

    def __init__(
        self,
        *,
        models: Mapping[str, ServiceModel],
        catalog: Mapping[str, ServedService],
        store: Store,
        trail: Trail,
        resources: Resources,
        clock: Clock,
        log: Log,
        meter: Meter | None = None,
    ) -> None:
        self._meter = meter or Meter()
        self._catalog = catalog
        self._store = store
        self._trail = trail
        self._resources = resources
        self._clock = clock
        self._log = log
        self._router = Router(models.values())
        self._callers = Callers(resources.root_key)
        # Of the writer's thread: records of one type of unit are objects of their own.
        self._writing_callers = Callers(resources.root_key)
        self._uuids = Uuids()
        keep = resources.keep_decision
        self._explainer = None if keep is None else Explainer(keep, known_actions(catalog))
        self._repeats = Repeats()
        self._key_uses = KeyUses(store)
        self._errands = Errands()
        # Threads start with the first slow call; a few, so that making keys cannot take every core for long.
        self._slow = ThreadPoolExecutor(SLOW_THREADS, thread_name_prefix="slow")
        self._patient = ThreadPoolExecutor(PATIENT_THREADS, thread_name_prefix="patient")

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """Return the answer to `request`, whose record has been written."""
        attempt = Attempt(request)
        begun = time.perf_counter()
        try:
            return await self._answer(attempt, begun)
        except Exception as error:
            await self._keep_refusals(attempt)
            return self._refuse(attempt, error)
        finally:
            service = attempt.service
            self._meter.note(
                "" if service is None else service.name,
                attempt.operation,
                attempt.outcome,
                time.perf_counter() - begun,
            )

    async def _answer(self, attempt: Attempt, begun: float) -> HttpResponse:
        route = self._route(attempt)
        if len(attempt.request.body) > SMALL_BODY_BYTES:
            await self._take_large(attempt)
        if attempt.declared is not None and attempt.declared.identification is not None:
            await self._run_errand(attempt, route, attempt.declared.identification)
        if attempt.declared is not None and attempt.declared.prepare is not None:
            await self._prepare(attempt, route)
        if attempt.declared is not None and attempt.declared.unit is Unit.WRITE:
            self._store.read(partial(self._accept, attempt, route))
            return await asyncio.wrap_future(self._store.write(partial(self._commit, attempt)))
        pause = LOOK_SECONDS
        while True:
            try:
                if attempt.declared is not None and attempt.declared.repeat is not None:
                    return self._answer_repeatable(attempt, route, attempt.declared.repeat)
                return await self._answer_read(attempt, route)
            except NotSettled:
                attempt.waited = not await self._changes(pause, begun + WAITED_SECONDS)
                pause *= LATER

    async def _changes(self, pause: float, deadline: float) -> bool:
        """Return when something was committed, looking again and again; False: not by the deadline."""
        mark = self._store.read(lambda unit: unit.mark)
        while time.perf_counter() < deadline:
            await asyncio.sleep(pause)
            if mark is None or self._store.read(lambda unit: unit.mark) != mark:
                return True
        return False

    def refuse(self, request: HttpRequest, error: ServiceError) -> HttpResponse:
        """Return the answer to a request that cannot be taken (its body is too long, or never came)."""
        attempt = Attempt(request)
        attempt.service = self._router.service_of(request)
        return self._refuse(attempt, error)

    # Stages

    def _route(self, attempt: Attempt) -> Route:
        attempt.service = self._router.service_of(attempt.request)
        route = self._router.route(attempt.request)
        attempt.service = route.service
        attempt.operation = route.operation
        attempt.model = route.service.operations[route.operation]
        attempt.declared = self._catalog[route.service.name].operations.get(route.operation)
        return route

    async def _take_large(self, attempt: Attempt) -> None:
        """Look at the whole of a large body once, on a worker thread, so that other calls go on meanwhile.

        Raises RequestEntityTooLargeException unless the operation has use for one.
        """
        if attempt.declared is None or not attempt.declared.large:
            raise RequestEntityTooLargeException(f"The request body is larger than {SMALL_BODY_BYTES} bytes.")
        hashed = partial(_hashed, attempt.request)
        attempt.request = await asyncio.get_running_loop().run_in_executor(self._slow, hashed)

    def _accept(self, attempt: Attempt, route: Route, unit: ReadUnit) -> Call:
        """Return the call, authenticated and decoded."""
        now = self._clock.now()
        evidence: Any = None
        # INVARIANT: without a signature only an operation goes on that declares how its caller is known.
        if attempt.declared is not None and attempt.declared.identification is not None:
            decoded = self._decoded(attempt, route, unit, attempt.declared.identification)
            found = attempt.declared.identification.identify(decoded, unit, self._resources, now)
            caller, evidence = described(found.principal, None), found.evidence
            attempt.caller = caller
        else:
            caller = self._authenticated(attempt, route, unit, now)
            decoded = self._decoded(attempt, route, unit, None)
        return self._received(attempt, route, caller, decoded, evidence, now)

    def _authenticated(self, attempt: Attempt, route: Route, unit: ReadUnit, now: dt.datetime) -> Caller:
        """Return who signed the call."""
        claimed: Caller | None = None

        def lookup(access_key_id: str, token: str | None) -> Credential | None:
            nonlocal claimed
            claimed = self._callers.find(unit, access_key_id, token)
            if claimed is None:
                return None
            attempt.claimed_account = claimed.principal.account_id
            return claimed.credential

        signature = verify(attempt.request, service=route.service.signing_name, lookup=lookup, now=now)
        caller = attempt.caller = claimed
        assert caller is not None  # noqa: S101 - nothing verifies without a credential
        attempt.region = signature.region
        self._key_uses.note(caller.principal, route.service.name, signature.region, now)
        verify_may_call(caller.principal, route.service.name, route.operation)
        return caller

    def _decoded(
        self, attempt: Attempt, route: Route, unit: ReadUnit, identification: Identification | None
    ) -> Mapping[str, Any]:
        """Return the request's members; for a call without signature, noting whom it concerns and where."""
        request = attempt.request
        if attempt.decoded is not None:
            return attempt.decoded
        if attempt.declared is None:
            # A botocore newer than this program may know more operations.
            unsupported = self._catalog[route.service.name].unsupported
            reason = unsupported.get(route.operation, "It is newer than this server.")
            raise UnknownOperationException(f"{route.operation} is not supported here. {reason}")
        model = route.service.operations[route.operation]
        if identification is not None:
            attempt.region = GLOBAL_REGION
        if route.service.protocol == "json":
            decoded = model.decode(request.body)
        elif route.service.protocol == "rest-json":
            decoded = decode_rest(model, route.parameters, request)
            if request.payload_hash is not None:
                attempt.decoded = decoded
        else:
            decoded = model.decode_query(route.parameters)
        if identification is not None:
            attempt.claimed_account = identification.account(decoded, unit) or ""
        return decoded

    def _received(
        self,
        attempt: Attempt,
        route: Route,
        caller: Caller,
        decoded: Mapping[str, Any],
        evidence: Any,
        now: dt.datetime,
    ) -> Call:
        request = attempt.request
        call = attempt.call = Call(
            service=route.service.name,
            operation=route.operation,
            request=decoded,
            principal=caller.principal,
            region=Region(attempt.region),
            received_at=now,
            request_id=request.request_id,
            identified=evidence,
            waited=attempt.waited,
            prepared=attempt.prepared,
            resources=self._resources,
            endpoint_policy=None if request.endpoint is None else request.endpoint.policy,
            context={
                **caller.context,
                **_position(request),
                "aws:SecureTransport": "true" if request.secure else "false",
                "aws:UserAgent": request.headers.get("user-agent") or "",
                "aws:RequestedRegion": attempt.region,
                **_time_context(int(now.timestamp())),
            },
        )
        return call

    async def _run_errand(self, attempt: Attempt, route: Route, identification: Identification) -> None:
        """Have done what it takes to identify the caller (fetch an issuer's keys), once for all who wait."""

        def ask(unit: ReadUnit) -> Errand | None:
            decoded = self._decoded(attempt, route, unit, identification)
            return identification.errand(decoded, unit, self._resources)

        errand = self._store.read(ask)
        if errand is None:
            return
        await self._errands.run(errand, attempt.claimed_account)

    async def _prepare(self, attempt: Attempt, route: Route) -> None:
        """Have the slow part of a call done on a worker thread, once policies allow the call.

        The call then goes its whole way as any other: what was revoked meanwhile is refused.
        """
        read = partial(self._store.read, partial(self._slow_work, attempt, route))
        if attempt.request.payload_hash is None:
            work = read()
        else:
            work = await asyncio.get_running_loop().run_in_executor(self._slow, read)
        if work is not None:
            patient = attempt.declared is not None and attempt.declared.patient
            threads = self._patient if patient else self._slow
            attempt.prepared = await asyncio.get_running_loop().run_in_executor(threads, work)

    def _slow_work(self, attempt: Attempt, route: Route, unit: ReadUnit) -> Callable[[], Any] | None:
        declared = attempt.declared
        assert declared is not None  # noqa: S101 - asked for by _prepare's caller
        assert declared.prepare is not None  # noqa: S101
        return declared.prepare(self._authorize(attempt, self._accept(attempt, route, unit), unit), unit)

    def _authorize(self, attempt: Attempt, call: Call, unit: Any) -> AuthorizedCall:
        declared = attempt.declared
        assert declared is not None  # noqa: S101 - _decoded has refused every other call
        targets = attempt.targets = declared.targets(call, unit)
        return authorize(call, unit, targets)

    def _perform(self, attempt: Attempt, call: Call, unit: Any) -> Mapping[str, Any] | None:
        """Return the response of a call whose targets policies allow."""
        declared = attempt.declared
        assert declared is not None  # noqa: S101 - _decoded has refused every other call
        return declared.handle(self._authorize(attempt, call, unit), unit)

    async def _answer_read(self, attempt: Attempt, route: Route) -> HttpResponse:
        def work(unit: ReadUnit) -> Mapping[str, Any] | None:
            return self._perform(attempt, self._accept(attempt, route, unit), unit)

        response = self._store.read(work)
        answer = self._encode(attempt, response)
        # Parts of a batch may have been refused.
        await self._keep_refusals(attempt)
        for event in events_of(attempt, None, self._uuids):
            self._trail.append(event)
        return answer

    async def _keep_refusals(self, attempt: Attempt) -> None:
        """Records of why the call, or part of it, was refused are kept."""
        if attempt.call is None or self._explainer is None:
            return
        try:
            attempt.explained_to = await self._explainer.keep(attempt.call)
        except Exception as bug:
            # Explained or not, the refusal stands, and so does what else the call came to.
            self._log.error("bug", request_id=attempt.request.request_id, exc_info=bug)

    def _answer_repeatable(self, attempt: Attempt, route: Route, repeat: Repeat) -> HttpResponse:
        """As `_answer_read`, for operations that say how an answer is made again."""

        def work(unit: ReadUnit) -> tuple[Mapping[str, Any] | None, Kept | None, _ToKeep | None]:
            now = self._clock.now()
            caller = self._authenticated(attempt, route, unit, now)
            place = place_of(attempt.request, caller, attempt.region, attempt.operation)
            mark = unit.mark
            kept = self._repeats.find(place, caller, mark)
            if kept is not None:
                try:
                    return kept.again(now), kept, None
                except Exception:
                    # The long way says what is wrong, to the caller and to the log.
                    self._repeats.drop(place)
            decoded = self._decoded(attempt, route, unit, None)
            call = self._received(attempt, route, caller, decoded, None, now)
            authorized = self._authorize(attempt, call, unit)
            assert attempt.declared is not None  # noqa: S101 - _decode has refused every other call
            response = attempt.declared.handle(authorized, unit)
            if mark is not None and self._repeats.is_second(place, mark):
                again = repeat(authorized, unit)
                if again is not None:
                    return response, None, _ToKeep(place, caller, mark, again)
            return response, None, None

        response, kept, to_keep = self._store.read(work)
        request = attempt.request
        answer = self._encode(attempt, response)
        if kept is not None:
            self._trail.append(
                kept.record.event(
                    at=request.received_at, request_id=request.request_id, event_id=self._uuids.next()
                )
            )
            return answer
        events = list(events_of(attempt, None, self._uuids))
        for event in events:
            self._trail.append(event)
        if to_keep is not None and len(events) == 1:
            event_id = orjson.loads(events[0])["eventID"]
            template = EventTemplate(
                events[0], at=request.received_at, request_id=request.request_id, event_id=event_id
            )
            self._repeats.keep(to_keep.place, Kept(to_keep.caller, to_keep.mark, to_keep.again, template))
        return answer

    def _commit(self, attempt: Attempt, unit: WriteUnit) -> HttpResponse:
        """Do a write together with its record; runs inside the transaction, which must be all or nothing."""
        response = self._perform(attempt, self._still_accepted(attempt, unit), unit)
        answer = self._encode(attempt, response)
        for event in events_of(attempt, response, self._uuids):
            unit.record(event)
        return answer

    def _still_accepted(self, attempt: Attempt, unit: WriteUnit) -> Call:
        """Return the call as whom its caller is by now.

        SECURITY: a write waits for its turn, behind other processes, too. Credentials revoked or tags changed
        before that are so for it.
        """
        call, caller = attempt.call, attempt.caller
        assert call is not None  # noqa: S101 - _accept ran before
        assert caller is not None  # noqa: S101
        credential = caller.credential
        if credential is None:
            return call
        now = self._writing_callers.find(unit, credential.access_key_id, credential.session_token)
        if now is None or now.credential is None or not now.credential.active:
            raise UnrecognizedClientException(UNKNOWN_TOKEN)
        if now.principal == caller.principal:
            return call
        attempt.caller = now
        request = {key: value for key, value in call.context.items() if key not in caller.context}
        attempt.call = replace(call, principal=now.principal, context={**request, **now.context})
        return attempt.call

    def _encode(self, attempt: Attempt, response: Mapping[str, Any] | None) -> HttpResponse:
        model = attempt.model
        assert model is not None  # noqa: S101 - routed
        if model.service.protocol == "json":
            return HttpResponse(200, JSON_TYPE, model.encode(response))
        if model.service.protocol == "rest-json":
            rest = encode_rest(model, response)
            return HttpResponse(rest.status, REST_TYPE, rest.body, rest.headers)
        return HttpResponse(200, XML_TYPE, model.encode_query(response, attempt.request.request_id))

    def _refuse(self, attempt: Attempt, error: Exception) -> HttpResponse:
        """Return the answer to a failed call, after its record was written and, for our faults, logged."""
        service = attempt.service
        told = error if isinstance(error, ServiceError) else internal_fault(service)
        request_id = attempt.request.request_id
        if told is not error:
            damage = isinstance(error, IntegrityError)
            self._log.error("damage found" if damage else "bug", request_id=request_id, exc_info=error)
        elif isinstance(error.__cause__, IntegrityError):
            self._log.error("damage found", request_id=request_id, exc_info=error.__cause__)
        if attempt.call is not None and attempt.call.details.get("decision_lost"):
            self._log.error("decision record not written", request_id=request_id)
        try:
            for event in events_of(attempt, None, self._uuids, told):
                self._trail.append(event)
        except ServiceError as unrecorded:
            # What was to be said has no record, so it is not said.
            told = unrecorded
        except Exception as bug:
            self._log.error("bug", request_id=request_id, exc_info=bug)
            told = internal_fault(service)
        attempt.outcome = fault_of(told, service).code
        return encode_fault(told, service, request_id)


def _hashed(request: HttpRequest) -> HttpRequest:
    """Return the request with its payload's hash: hashing lets other threads go on."""
    return replace(request, payload_hash=hashlib.sha256(request.body).hexdigest())


def _position(request: HttpRequest) -> dict[str, str]:
    """Return the condition keys of where a call comes from. AWS: through a VPC endpoint there is no
    aws:SourceIp (fact sheet iam, global condition keys)."""
    endpoint = request.endpoint
    if endpoint is None:
        return {"aws:SourceIp": request.source_ip}
    position = {"aws:SourceVpce": endpoint.endpoint_id, "aws:VpcSourceIp": request.source_ip}
    if endpoint.vpc_id is not None:
        position["aws:SourceVpc"] = endpoint.vpc_id
    return position


@lru_cache(maxsize=4)
def _time_context(second: int) -> Mapping[str, str]:
    moment = dt.datetime.fromtimestamp(second, dt.UTC)
    return {"aws:CurrentTime": moment.strftime("%Y-%m-%dT%H:%M:%SZ"), "aws:EpochTime": str(second)}
