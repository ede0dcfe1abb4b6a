"""The metrics of one event type: performs actions in LaunchDarkly and keeps the links in step with what it did.

A link is reserved before its metric is created; what a lost answer leaves open is settled by reading back. It must
never know where links are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from connector.delivery.convergence import (
    UNSETTLED,
    Action,
    Archive,
    Create,
    Delete,
    Patch,
    Restore,
    Settle,
    actions,
    as_found,
    redefined,
)
from connector.event_types import Outcome
from connector.launchdarkly import ConcurrentUpdate, KeyExists, LaunchDarkly, LaunchDarklyError, NotFound
from connector.policy import PlannedMetric, candidate_keys
from connector.store.connections import Connection
from connector.store.links import Link, LinkState

COMMENT = "Synced by Metric Connector"

_MOST_ACTIONS = 50
_IN_USE = ("experimentCount", "activeExperimentCount", "activeGuardedRolloutCount")


class Metrics:
    """One attempt's view of one event type's metrics; `done` and `notes` tell what it did, `links` what to keep.

    `reserve` keeps a link before its metric is made, and says whether its key is free for this event type.
    """

    def __init__(
        self,
        client: LaunchDarkly,
        connection: Connection,
        known: Sequence[Link],
        *,
        reserve: Callable[[Link], bool],
    ) -> None:
        self._client = client
        self._connection = connection
        self._reserve = reserve
        self._links = {link.measure: link for link in known}
        self._dropped: set[str] = set()
        self._identity = ""
        self.done: set[Outcome] = set()
        self.notes: list[str] = []

    def converge(self, planned: Sequence[PlannedMetric], *, identity: str, status: str, delete: bool) -> None:
        """Act until nothing is left to do. Raises `LaunchDarklyError`; what was done until then is in the links."""
        self._identity = identity
        for _ in range(_MOST_ACTIONS):
            steps = actions(planned, list(self._links.values()), status=status, delete=delete)
            if not steps:
                return
            self._perform(steps[0])
        raise RuntimeError(f"the metrics of event type {identity!r} do not come to rest")

    def read_back(self) -> None:
        """See what LaunchDarkly really has: what the source owns and somebody changed there is then set again."""
        for link in list(self._links.values()):
            if link.state in UNSETTLED:
                continue  # `converge` settles it
            try:
                metric = self._client.get_metric(self._connection.project_key, link.metric_key)
            except NotFound as error:
                self._gone(link, error)
            else:
                if "kind" in redefined(metric, link.body):  # no patch could bring that back
                    self.notes.append(f'The metric "{link.metric_key}" is another one now: it is left alone.')
                    self._drop(link)
                else:
                    self._keep(as_found(link, metric))

    @property
    def links(self) -> Sequence[Link]:
        """As they are now, to be kept."""
        return list(self._links.values())

    @property
    def dropped(self) -> frozenset[str]:
        """The measures that had a link and have none any more."""
        return frozenset(self._dropped - self._links.keys())

    def summary(self) -> list[dict[str, str]]:
        """Each metric for the answer and for people."""
        return [
            {
                "key": link.metric_key,
                "measure": link.measure,
                "url": self._client.metric_url(self._connection.project_key, link.metric_key),
            }
            for link in self._links.values()
        ]

    def _perform(self, action: Action) -> None:
        project = self._connection.project_key
        match action:
            case Settle(link):
                self._settle(link)
            case Create(planned):
                self._create(planned)
            case Patch(link, body, operations):
                try:
                    answer = self._client.patch_metric(
                        project, link.metric_key, [dict(op) for op in operations], COMMENT
                    )
                except NotFound as error:
                    self._gone(link, error)
                    return
                self._compare(answer, action.changed)
                self._keep(replace(link, body=body))
                self.done.add(Outcome.RENAMED if action.renames else Outcome.UPDATED)
            case Archive(link):
                try:
                    self._client.archive_metric(project, link.metric_key, COMMENT)
                except NotFound as error:
                    self._note_gone(link, error)  # as good as archived: a restore makes it anew
                self._keep(replace(link, state=LinkState.ARCHIVED))
                self.done.add(Outcome.ARCHIVED)
            case Restore(link):
                try:
                    self._client.restore_metric(project, link.metric_key, COMMENT)
                except NotFound as error:
                    self._gone(link, error)
                    return
                self._keep(replace(link, state=LinkState.LIVE))
                self.done.add(Outcome.RESTORED)
            case Delete(link):
                self._delete(link)

    def _settle(self, link: Link) -> None:
        metric = self._find(link.metric_key)
        if metric is None or redefined(metric, link.body):
            self._drop(link)
            return
        self._keep(replace(link, state=_state(metric)))
        # Where it was to be made, only the answer was lost.
        self.done.add(Outcome.ADOPTED if link.state is LinkState.ADOPTING else Outcome.CREATED)

    def _create(self, planned: PlannedMetric) -> None:
        project = self._connection.project_key
        for key in candidate_keys(planned.key, self._identity, self._connection.id):
            wanted = planned.with_key(key)
            link = Link(planned.measure, key, wanted.body, LinkState.CREATING)
            if not self._reserve(link):
                self.notes.append(f'The metric key "{key}" belongs to another event type.')
                continue
            self._keep(link)
            try:
                answer = self._client.create_metric(project, dict(wanted.body))
            except KeyExists as error:
                metric = self._find(key)
                if metric is None:
                    raise ConcurrentUpdate(f'The metric "{key}" came and went.') from error
                if not redefined(metric, wanted.body):
                    self._keep(replace(link, state=_state(metric)))
                    self.done.add(Outcome.ADOPTED)
                    return
                self.notes.append(f'The project has another metric with the key "{key}".')
                continue
            except LaunchDarklyError as error:
                if not error.ambiguous:
                    self._drop(link)  # surely not made: the next attempt need not look for it
                raise
            self._compare(answer, wanted.body)
            self._keep(replace(link, state=LinkState.LIVE))
            self.done.add(Outcome.CREATED)
            return
        raise KeyExists(f'No free metric key for "{planned.key}": its fallbacks are taken as well.')

    def _delete(self, link: Link) -> None:
        """Delete, unless an experiment or rollout uses the metric: then archive, and say so."""
        metric = self._find(link.metric_key, expand=("experimentCount",))  # also experiments that do not run now
        if metric is not None and any(metric.get(count) for count in _IN_USE):
            self.notes.append(f'The metric "{link.metric_key}" is used by an experiment or rollout: archived instead.')
            if link.state is not LinkState.ARCHIVED:
                self._client.archive_metric(self._connection.project_key, link.metric_key, COMMENT)
            self._drop(link)
            self.done.add(Outcome.ARCHIVED)
            return
        if metric is not None:
            self._client.delete_metric(self._connection.project_key, link.metric_key)
        self._drop(link)
        self.done.add(Outcome.DELETED)

    def _find(self, key: str, *, expand: Sequence[str] = ()) -> dict[str, Any] | None:
        try:
            return self._client.get_metric(self._connection.project_key, key, expand=expand)
        except NotFound as error:
            if error.missing == "project":
                raise
            return None

    def _gone(self, link: Link, error: NotFound) -> None:
        self._note_gone(link, error)
        self._drop(link)

    def _note_gone(self, link: Link, error: NotFound) -> None:
        if error.missing == "project":
            raise error
        self.notes.append(f'The metric "{link.metric_key}" was no longer in LaunchDarkly.')

    def _keep(self, link: Link) -> None:
        self._links[link.measure] = link

    def _drop(self, link: Link) -> None:
        del self._links[link.measure]
        self._dropped.add(link.measure)

    def _compare(self, answer: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        """LaunchDarkly ignores fields that it does not know: a 2xx does not prove that every field was applied."""
        ignored = [name for name, value in body.items() if name in answer and not _applied(answer[name], value)]
        if ignored:
            self.notes.append(f"LaunchDarkly did not apply: {', '.join(sorted(ignored))}.")


def _applied(answered: Any, sent: Any) -> bool:
    if isinstance(sent, list) and isinstance(answered, list):
        return sorted(map(str, sent)) == sorted(map(str, answered))
    if isinstance(sent, dict) and isinstance(answered, dict):
        return all(answered.get(name) == value for name, value in sent.items())
    return bool(answered == sent)


def _state(metric: Mapping[str, Any]) -> LinkState:
    return LinkState.ARCHIVED if metric.get("archived") else LinkState.LIVE
