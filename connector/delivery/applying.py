"""Apply one change: merge what the source says, then bring LaunchDarkly to it, one call after the other.

Every step is written down so that a crash at any instruction leaves either nothing done, or a trace that the next
attempt settles by reading back. It must never know partners or the web.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache, partial
from typing import Any, Protocol

from sqlalchemy import Connection as Tx

from connector.delivery.convergence import Create, actions
from connector.delivery.merging import Clock, Merged, merge
from connector.delivery.metrics import Metrics
from connector.delivery.pacing import Pace, Paced
from connector.delivery.retrying import due_after, given_up, opens_at
from connector.event_types import ChangeKind, Outcome
from connector.launchdarkly import (
    Call,
    CredentialRefused,
    Forbidden,
    LaunchDarkly,
    LaunchDarklyError,
    NotFound,
    RateLimited,
    Unauthorized,
)
from connector.policy import Plan, PolicyError, Rules, Source, plan_metrics
from connector.store import briefing as briefings
from connector.store import connections, leases, links
from connector.store.briefing import Briefing
from connector.store.connections import Connection, ConnectionState
from connector.store.database import Database
from connector.store.inbox import Attempt, Settled, Work
from connector.store.links import Link, LinkState
from connector.store.vault import Vault

log = logging.getLogger(__name__)

REPAIR = "repair"
"""The kind of a change that is applied to what LaunchDarkly really has: each of its metrics is read back first."""

SPREAD = 0.5
"""Seconds over which processes spread out that wait for the same window; only ever later."""


class Clients(Protocol):
    """Makes the LaunchDarkly client for a connection of `partner`; `gate` and `observe` are the client's."""

    def __call__(
        self,
        connection: Connection,
        partner: str,
        credential: str,
        *,
        observe: Callable[[Call], None] | None = None,
        gate: Callable[[str, str], None] | None = None,
    ) -> LaunchDarkly: ...


class InternalError(Exception):
    """A defect of ours, or a stored secret that no key opens. Its text never repeats the cause: that may be secret."""

    code = "internal_error"


@dataclass(frozen=True, slots=True)
class _Begun:
    """An attempt that has begun: what is known, what the change makes of it, and what is to be done.

    `reserved` are the links that were kept for the metrics to be made. `plan` is None where `failure` says why, or
    where the connection takes no changes now.
    """

    work: Work
    started: float
    briefing: Briefing
    merged: Merged
    plan: Plan | None
    failure: Exception | None
    reserved: Sequence[Link]


class Applier:
    """Applies claimed work. It may be used by many threads: it holds no state of its own."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        *,
        clients: Clients,
        rules: Rules,
        title: Callable[[str], str],
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._vault = vault
        self._clients = clients
        self._rules = rules
        self._title = title
        self._clock = clock
        self._chance = chance

    def apply(self, work: Work) -> Settled:
        """Make one attempt at `work` and write down what came of it. Raises `StoreUnavailable` only."""
        return self._database.write(lambda tx: self.begin(tx, work), durable=False)()

    def begin(self, tx: Tx, work: Work) -> Callable[[], Settled]:
        """The attempt at leased work, whose links are written within `tx`; call what it returns once that is durable.

        So what leases the work begins the attempt in the same transaction.
        """
        if work.change is None or work.event_type_id is None:
            raise ValueError(f"change {work.change_id} is no change of an event type")
        started = self._clock()
        briefing = briefings.of_event_type(tx, work.event_type_id)
        merged, plan, failure = Merged(briefing.registers), None, None
        try:
            clock = Clock.of(
                work.change, received_at=work.received_at, message_id=work.message_id, position=work.position
            )
            merged = merge(briefing.registers, work.change, clock)
            if briefing.connection.state is ConnectionState.ACTIVE:
                plan = self._plan(briefing, merged)
        except Exception as error:  # noqa: BLE001 - the attempt judges it: this transaction may be a webhook's
            failure = error
        reserved: list[Link] = []
        if plan is not None and merged.wanted:
            reserved = self._reserve_first(tx, work, briefing, merged, plan)
        return partial(self._attempt, _Begun(work, started, briefing, merged, plan, failure, reserved))

    def _plan(self, briefing: Briefing, merged: Merged) -> Plan:
        source = source_of(briefing.connection, briefing.partner, self._title(briefing.partner))
        rules = rules_of(briefing.connection, self._rules)
        return plan_metrics(merged.event_type, source, rules, key_hint=merged.key_hint)

    def _reserve_first(self, tx: Tx, work: Work, briefing: Briefing, merged: Merged, plan: Plan) -> list[Link]:
        """Keep the links of the metrics that are surely made next, under the keys that are tried first."""
        delete = briefing.connection.options.on_delete == "delete"
        steps = actions(plan.metrics, briefing.links, status=merged.status, delete=delete)
        first = [
            Link(step.planned.measure, step.planned.key, step.planned.body, LinkState.CREATING)
            for step in steps
            if isinstance(step, Create)
        ]
        return [link for link in first if self._reserve_in(tx, work, link)]

    def _attempt(self, begun: _Begun) -> Settled:
        work, briefing = begun.work, begun.briefing
        calls: list[Call] = []
        failure = begun.failure
        metrics: Metrics | None = None
        account: str | None = None
        if briefing.connection.state is ConnectionState.REMOVED:
            settled = Settled(Outcome.SKIPPED, result={"reason": "The connection was removed."})
        elif briefing.connection.state is ConnectionState.PAUSED:
            settled = Settled(None, due_at=begun.started)  # nobody claims it before the resume
        else:
            pace = Pace(self._database, briefing.connection, known=briefing.limited, clock=self._clock)

            def observe(call: Call) -> None:
                calls.append(call)
                pace.observe(call)

            try:
                if failure is not None:
                    raise failure  # noqa: TRY301 - judged with all that may come of the calls
                credential = self._vault.decrypt(briefing.credential)
                client = self._clients(
                    briefing.connection, briefing.partner, credential, observe=observe, gate=pace.gate
                )
                metrics = Metrics(
                    client, briefing.connection, briefing.links, reserve=lambda link: self._reserve(begun, link)
                )
                settled = self._converge(begun, metrics)
                if pace.limited and briefing.connection.account is None:
                    account = _account(client)
            except (LaunchDarklyError, PolicyError, CredentialRefused) as error:
                failure = error
                settled = self._failed(work, error)
            except Exception as error:
                # A defect of ours, or a stored secret that no key opens: neither is the change's fault, so it waits.
                log.exception("change %s failed unexpectedly", work.change_id)
                failure = InternalError(f"Something unexpected happened ({type(error).__name__}); the log has it.")
                settled = self._failed(work, failure)
        attempt = Attempt(
            started_at=begun.started,
            seconds=self._clock() - begun.started,
            code=str(settled.outcome) if settled.outcome else getattr(failure, "code", "held"),
            message=None if failure is None else str(failure),
            calls=[_seen(call) for call in calls],
        )
        self._write(begun, metrics, account, attempt, settled, failure)
        return settled

    def _reserve(self, begun: _Begun, link: Link) -> bool:
        if link in begun.reserved:
            return True
        return self._database.write(lambda tx: self._reserve_in(tx, begun.work, link), durable=False)

    def _reserve_in(self, tx: Tx, work: Work, link: Link) -> bool:
        assert work.event_type_id is not None  # noqa: S101 - `begin` has seen to it
        return links.reserve(tx, work.connection_id, work.event_type_id, link, now=self._clock())

    def _converge(self, begun: _Begun, metrics: Metrics) -> Settled:
        plan, merged = begun.plan, begun.merged
        assert plan is not None and begun.work.change is not None  # noqa: S101, PT018 - else there is a failure
        if plan.skipped_by is not None:
            return Settled(Outcome.SKIPPED, result={"reason": plan.skipped_by})
        if _reads_back(begun.work):
            metrics.read_back()
        if merged.wanted:
            metrics.converge(
                plan.metrics,
                identity=merged.identity,
                status=merged.status,
                delete=begun.briefing.connection.options.on_delete == "delete",
            )
        result: dict[str, Any] = {"metrics": metrics.summary()}
        if notes := [*plan.notes, *metrics.notes]:
            result["notes"] = notes
        return Settled(outcome_of(begun.work.change.kind, merged, metrics), result=result)

    def _failed(self, work: Work, error: Exception) -> Settled:
        now = self._clock()
        result = {"code": getattr(error, "code", InternalError.code), "reason": str(error)}
        if needs_new_key(error):
            return Settled(None, due_at=now, result=result)
        final = isinstance(error, PolicyError) or (isinstance(error, LaunchDarklyError) and not error.retryable)
        if not final:
            if not given_up(attempts=work.attempts, waited=now - work.queued_at):
                if window_opens_at(error) is not None:
                    return Settled(None, due_at=now, result=result)  # the whole account rests, see `_write`
                due_at = due_after(attempts=work.attempts, now=now, chance=self._chance())
                return Settled(None, due_at=due_at, result=result)
            result["next_step"] = f"Given up after {work.attempts} attempts; replay the delivery to try again."
        else:
            result["next_step"] = getattr(error, "advice", "") or "Mend it, then replay the delivery."
        return Settled(Outcome.PARKED, result=result)

    def _write(
        self,
        begun: _Begun,
        metrics: Metrics | None,
        account: str | None,
        attempt: Attempt,
        settled: Settled,
        failure: Exception | None,
    ) -> None:
        work, connection, now = begun.work, begun.briefing.connection, self._clock()
        event_type_id: int = work.event_type_id  # type: ignore[assignment]  # `begin` has seen to it
        kept = () if metrics is None else metrics.links
        dropped = {link.measure for link in begun.reserved} - {link.measure for link in kept}
        if metrics is not None:
            dropped |= metrics.dropped

        def write(tx: Tx) -> None:
            if not leases.settle(tx, work, attempt, settled, now=now, registers=begun.merged.registers):
                log.warning("change %s was taken over by another runner", work.change_id)
                return
            for measure in sorted(dropped):
                links.drop(tx, event_type_id, measure)
            for link in kept:
                links.save(tx, event_type_id, link, now=now)
            if account is not None:
                connections.set_account(tx, work.connection_id, account)
            if failure is None:
                return
            # A person may have been faster and set another key, which this failure says nothing about.
            same_key = connections.stored_credential(tx, work.connection_id) == begun.briefing.credential
            if needs_new_key(failure) and same_key:
                code = getattr(failure, "code", None)
                connections.set_state(tx, work.connection_id, ConnectionState.PAUSED, code=code, reason=str(failure))
            elif (opens := window_opens_at(failure)) is not None:
                connections.rest(tx, connection, max(now, opens) + self._chance() * SPREAD)

        self._database.write(write, durable=False)


def _reads_back(work: Work) -> bool:
    """Whether it is applied to what LaunchDarkly really has, and not to what it was told last."""
    return work.replays > 0 or work.kind == REPAIR


def source_of(connection: Connection, partner: str, title: str) -> Source:
    options = connection.options
    return Source(
        partner=partner,
        partner_title=title,
        key_prefix=options.key_prefix,
        tags=options.tags,
        maintainer_id=options.maintainer_id,
        analysis_units=options.analysis_units,
    )


def rules_of(connection: Connection, rules: Rules) -> Rules:
    """The rules of the installation, then the connection's own. Raises `PolicyError`."""
    own = connection.options.rules
    return rules + _parsed(own) if own else rules


@lru_cache(maxsize=1024)
def _parsed(rules: str) -> Rules:
    return Rules.parse(rules, "the connection's rules")


def window_opens_at(error: Exception) -> float | None:
    """When LaunchDarkly's window opens again, where the error is that it is closed."""
    if isinstance(error, Paced):
        return error.not_before
    return opens_at(error.limits) if isinstance(error, RateLimited) else None


def _account(client: LaunchDarkly) -> str | None:
    """Whose budget the calls use; where it cannot be told now, the connection goes on as its own account."""
    try:
        account = client.caller_identity().get("accountId")
    except LaunchDarklyError:
        return None
    return account if isinstance(account, str) and account else None


def needs_new_key(error: Exception) -> bool:
    """Whether nothing of this connection can succeed before a person sets a key or a project."""
    if isinstance(error, NotFound):
        return error.missing == "project"
    return isinstance(error, Unauthorized | Forbidden | CredentialRefused)


def outcome_of(kind: ChangeKind, merged: Merged, metrics: Metrics) -> Outcome:
    """One word for all that was done: the strongest, or what the change itself was about where that was done."""
    done = metrics.done
    if not done:
        return Outcome.UNCHANGED if merged.won or not merged.said else Outcome.SUPERSEDED
    asked = {
        ChangeKind.ARCHIVED: Outcome.ARCHIVED,
        ChangeKind.DELETED: Outcome.DELETED,
        ChangeKind.RESTORED: Outcome.RESTORED,
    }.get(kind)
    if asked in done:
        return asked
    return next(outcome for outcome in _STRONGEST if outcome in done)


_STRONGEST = (
    Outcome.CREATED,
    Outcome.ADOPTED,
    Outcome.RENAMED,
    Outcome.DELETED,
    Outcome.ARCHIVED,
    Outcome.RESTORED,
    Outcome.UPDATED,
)


_SEEN = [each.name for each in fields(Call) if each.name != "limits"]


def _seen(call: Call) -> dict[str, Any]:
    return {name: getattr(call, name) for name in _SEEN}
