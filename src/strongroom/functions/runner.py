"""The adapter of ports.FunctionRunner: sandboxes, warm or new, and the logs of what ran in them."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson

from strongroom.functions.answers import answer_of, report_line
from strongroom.functions.confinement import Confinement, Level, sandbox_level
from strongroom.functions.environment import environment_of, facts_of, lasting_environment
from strongroom.functions.limits import Limits
from strongroom.functions.logs import FunctionLogs
from strongroom.functions.places import Places
from strongroom.functions.pool import Busy, Pool
from strongroom.functions.redaction import sensitive_environment
from strongroom.functions.sandbox import End, Ending, Run, Sandbox, StartError
from strongroom.functions.trust import write_trust
from strongroom.functions.unpacking import CodeError
from strongroom.ports import Invocation, InvocationResult
from strongroom.secret.document import FaultKind, FunctionsBusy, RotationFault

__all__ = ["SandboxRunner"]

TAIL_BYTES = 4096


class SandboxRunner:
    """Runs functions, each in a sandbox; a ports.FunctionRunner. Threads share it.

    Nothing is started, and nothing on disk, before the first call or `expect`. One process's own: not to be
    carried over a fork.
    """

    def __init__(
        self,
        data_dir: Path,
        log: Any,
        *,
        limits: Limits | None = None,
        allow_unconfined: bool = False,
        hidden: Sequence[Path] = (),
        ca_bundle: Path | None = None,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        """`hidden`: what no function may see, the root key's file above all; the data directory is anyway.

        `ca_bundle`: the server's own certificate, for functions to trust beside the usual authorities.
        `allow_unconfined`: run functions also where nothing but limits holds them, as the server's own user.
        """
        self._log = log
        self._data_dir = data_dir.resolve()
        self._limits = limits or Limits()
        self._allow_unconfined = allow_unconfined
        self._hidden = (self._data_dir, *(path.resolve() for path in hidden))
        self._certificate = ca_bundle
        self._now = now
        self._logs = FunctionLogs(data_dir, self._limits)
        self._pool = Pool(self._open, self._limits, log)

    def invoke(self, invocation: Invocation) -> InvocationResult:
        """Run it to its end, or for `timeout_seconds`; blocks. A failure of the function is a result.

        Raises:
            RotationFault: (FUNCTION) it could not be started at all.
        """
        sandbox = self._sandbox_for(invocation)
        run = Run()
        run.redactor.add(_told(invocation))
        began = time.monotonic()
        try:
            end = sandbox.call(self._request(invocation), invocation.timeout_seconds, run)
            taken = time.monotonic() - began
            kept = end.ending is Ending.ANSWER and not end.failed and sandbox.rest()
        except BaseException:
            self._pool.discard(sandbox)
            raise
        if kept:
            self._pool.keep(_fingerprint(invocation), sandbox)
        else:
            # The function's last words were said before it ended, and are read after it.
            self._pool.discard(sandbox, run)
        # Not sooner: a spare that is starting would take processors from the call.
        self._pool.prepare()
        return self._result(invocation, end, run, taken)

    def expect(self, *, spare: bool) -> None:
        """How functions are shut in is being found out, and with `spare` a sandbox prepared for whichever
        function is called next; returns at once."""
        if spare:
            self._pool.prepare()
        else:
            self._pool.prepare_room()

    def close(self) -> None:
        """No function runs any more, and nothing of them is on disk but their logs."""
        self._pool.close()

    def _open(self) -> tuple[Places, Confinement]:
        """Called once, when the first sandbox is wanted."""
        level, words = sandbox_level(self._limits)
        if level is Level.NONE and not (self._allow_unconfined and sys.platform == "linux"):
            raise RotationFault(FaultKind.FUNCTION, f"functions are not run on this machine: {words}")
        if level is Level.JAIL:
            self._log.info("functions are shut in", level=level.value, how=words)
        elif level is Level.NONE:
            self._log.warning(
                "FUNCTIONS ARE NOT SHUT IN, which the operator has allowed: whoever may deploy one has "
                "within reach what the server's user has, the root key too",
                level=level.value,
                how=words,
            )
        else:
            self._log.warning("functions are shut in less than they could be", level=level.value, how=words)
        places = Places(self._data_dir, level, self._limits)
        trusting = self._certificate is not None
        try:
            if self._certificate is not None:
                write_trust(self._certificate, places.runtime / "ca.pem")
        except OSError:
            places.close()
            raise
        return places, Confinement(level, self._limits, places.runtime, self._hidden, trusting)

    def _sandbox_for(self, invocation: Invocation) -> Sandbox:
        if not invocation.runtime.startswith("python3."):
            raise RotationFault(FaultKind.FUNCTION, "only Python functions are run")
        try:
            return self._pool.get(
                _fingerprint(invocation),
                invocation.timeout_seconds,
                (invocation.code_sha256, invocation.load_code),
                invocation.layers,
                lambda sandbox, confinement: self._load(sandbox, confinement, invocation),
            )
        except Busy as error:
            raise FunctionsBusy(FaultKind.FUNCTION, "too many functions are running") from error
        except CodeError as error:
            raise RotationFault(FaultKind.FUNCTION, f"the function cannot be started: {error}") from error
        except (OSError, StartError) as error:
            self._log.error("a sandbox could not be started", error=str(error))
            raise RotationFault(
                FaultKind.FUNCTION, f"the function's sandbox cannot be started: {error}"
            ) from error

    def _load(self, sandbox: Sandbox, confinement: Confinement, invocation: Invocation) -> None:
        jailed = confinement.level is Level.JAIL
        environment = environment_of(
            invocation,
            task="/var/task" if jailed else str(sandbox.place.task),
            temporary=None if jailed else str(sandbox.place.temporary),
            trust=confinement.trust(),
        )
        sandbox.load(invocation.handler, environment, invocation.memory_mb)

    def _request(self, invocation: Invocation) -> dict[str, Any]:
        return {
            # In any of the encodings of Unicode, as whoever checked that it is JSON may have taken it.
            "event": invocation.event.decode(json.detect_encoding(invocation.event), "surrogatepass"),
            "credentials": list(invocation.credentials),
            "timeout_seconds": invocation.timeout_seconds,
            "facts": dict(facts_of(invocation)),
        }

    def _result(self, invocation: Invocation, end: End, run: Run, seconds: float) -> InvocationResult:
        payload, error = answer_of(end, invocation.request_id, invocation.timeout_seconds, run.redactor)
        text = self._printed(invocation, end, run, seconds, payload)
        try:
            self._logs.write(invocation.function_arn, self._now(), invocation.request_id, error, text)
        except OSError as failure:
            self._log.warning("a function's log cannot be written", error=failure.strerror)
        return InvocationResult(payload, error, text[-TAIL_BYTES:])

    def _printed(self, invocation: Invocation, end: End, run: Run, seconds: float, payload: bytes) -> bytes:
        request_id = invocation.request_id
        output = run.redactor.redact(bytes(run.output))
        cut = run.dropped or len(output) > self._limits.output_bytes
        output = output[: self._limits.output_bytes]
        if output and not output.endswith(b"\n"):
            output += b"\n"
        if cut:
            output += b"(more was printed and is not kept)\n"
        if end.ending is not Ending.ANSWER:
            output += orjson.loads(payload)["errorMessage"].encode() + b"\n"
        return b"".join(
            (
                f"START RequestId: {request_id} Version: {invocation.version}\n".encode(),
                output,
                f"END RequestId: {request_id}\n".encode(),
                report_line(request_id, seconds, invocation.memory_mb, run.peak_bytes).encode(),
            )
        )


def _told(invocation: Invocation) -> list[str]:
    """Return the values that a call brings with it and that must not be printed."""
    told = [*invocation.credentials[1:], *sensitive_environment(invocation.environment)]
    try:
        event = orjson.loads(invocation.event)
    except orjson.JSONDecodeError:
        return told
    token = event.get("RotationToken") if isinstance(event, dict) else None
    return [*told, token] if isinstance(token, str) else told


def _fingerprint(invocation: Invocation) -> str:
    """Return what two calls that may share a sandbox have in common; each brings its own credentials."""
    parts = [
        invocation.function_arn,
        invocation.version,
        invocation.runtime,
        invocation.handler,
        invocation.code_sha256,
        *(sha256 for sha256, _ in invocation.layers),
        sorted(lasting_environment(invocation).items()),
        invocation.memory_mb,
        invocation.region,
        invocation.endpoint_url,
    ]
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()
