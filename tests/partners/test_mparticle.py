"""mParticle. The sample is put together from those of https://docs.mparticle.com/developers/apis/dataplanning-api/."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from connector.event_types import EventType, Value
from connector.partners import PayloadRefused
from connector.partners.asking import bearer

from .source_contract import SourceContract, filled_in
from .stand_in import Answer, Asked, Unauthorised

VERSIONS = "data_plan_versions"
POINT = f"{VERSIONS}.1.version_document.data_points.0"


class TestMParticleSource(SourceContract):
    """The items are the data points of the versions: an empty plan still has its versions."""

    partner = "mparticle"
    credential = filled_in(
        workspace_id="1234",
        plan_id="mobile_data_plan",
        client_id="client_1",
        client_secret="canary-9c",
    )
    calls = 2
    event_types = (
        EventType(
            key="Search Event", description="A search with its number of results", value=Value(property="results")
        ),
        EventType(key="Old Search", description="Only older applications send this"),
    )
    # A JSON Schema is the customer's: what cannot be read in it names no number.
    ambiguous = frozenset(
        f"{POINT}.validator.definition{place}"
        for place in (
            "",
            ".properties",
            ".properties.data",
            ".properties.data.properties",
            ".properties.data.properties.custom_attributes.properties.results",
            ".properties.data.properties.custom_attributes.properties.results.type",
        )
    )

    def items(self) -> Sequence[Any]:
        return [version["version_document"]["data_points"] for version in self.sample("plan")[VERSIONS]]

    def answer(self, asked: Asked, items: Sequence[Any]) -> Any:
        if asked.path == "/oauth/token":
            return self._token(asked)
        asked.demand(**bearer(self.sample("token")["access_token"]))
        path = "/platform/v2/workspaces/1234/plans/mobile_data_plan"
        assert (asked.method, asked.path, asked.query) == ("GET", path, {})
        plan = self.sample("plan")
        for number, version in enumerate(plan[VERSIONS]):
            version["version_document"]["data_points"] = items[number] if items else []
        return plan

    def _token(self, asked: Asked) -> Any:
        assert (asked.method, asked.headers["content-type"]) == ("POST", "application/json")
        wanted = {"audience": "https://api.mparticle.com", "grant_type": "client_credentials"}
        asked_for = json.loads(asked.body)
        if asked_for != wanted | {"client_id": "client_1", "client_secret": "canary-9c"}:
            raise Unauthorised
        return self.sample("token")

    def test_a_plan_of_which_nothing_is_in_force_is_refused(self) -> None:
        """An empty list would archive every metric."""
        ((answer, asked, _),) = self.pages()
        for version in answer[VERSIONS]:
            version["activated_environment"] = "none"
        with pytest.raises(PayloadRefused) as refused:
            self.list_api.parse(answer, asked, self.entered())
        assert refused.value.errors == {VERSIONS: ["None is active in production: activate one in mParticle."]}

    def test_another_plan_is_refused(self) -> None:
        ((answer, asked, _),) = self.pages()
        with pytest.raises(PayloadRefused) as refused:
            self.list_api.parse(answer, asked, self.entered(plan_id="another"))
        assert refused.value.errors == {"data_plan_id": ["Is not the plan that was asked for."]}

    def test_a_token_that_is_none_is_one_error(self) -> None:
        self.stand_in.fail(1, lambda _: Answer.json({"access_token": ""}))
        with pytest.raises(Exception, match="The answer with the token is not as documented"):
            self.fetch()
