"""`/setup/{token}`: the page on which a customer gives a connection its LaunchDarkly key, or consents by OAuth.

Whoever has the link may use it, once: it shows the partner and what will be done, and nothing else of the installation.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, make_response, redirect, render_template, request, url_for

from connector.connections import ConnectionRefused
from connector.delivery import Runner
from connector.delivery.applying import Clients
from connector.installation import OAUTH_CALLBACK
from connector.launchdarkly import BASE_URLS, CredentialRefused, Grant, least_privilege_policy
from connector.partners import Partners
from connector.setup_links import Setup, SetupLinkRefused, SetupLinks
from connector.web import pages
from connector.web.pages.forms import Forms
from connector.web.pages.tries import Tries
from connector.web.problems import Problem
from connector.web.setup.consent import Consent
from connector.web.setup.trying import KeyNotUsable, try_key, try_project

MOST_TRIES = 10
TRIES_WITHIN = 600.0
"""Keys and projects tried on one link within so many seconds, in each process."""

REGIONS = {"us": "United States (app.launchdarkly.com)", "eu": "EU (app.eu.launchdarkly.com)"} | {
    "federal": "Federal (app.launchdarkly.us)"
}


class SetupPage:
    """The steps of the page: a key is tried, a project is chosen, both are stored.

    `title` is what customers call the product that asks; without it they are told the partner's name. With `consent`
    they may connect by OAuth.
    """

    def __init__(
        self,
        links: SetupLinks,
        clients: Clients,
        partners: Partners,
        runner: Runner,
        consent: Consent | None = None,
        *,
        title: str | None = None,
    ) -> None:
        self._consent = consent
        self._title = title
        self._links = links
        self._clients = clients
        self._partners = partners
        self._runner = runner
        self._tries = Tries(MOST_TRIES, TRIES_WITHIN)

    def open(self, token: str) -> Setup:
        """Raises `Problem`."""
        try:
            return self._links.open(token)
        except SetupLinkRefused as refused:
            raise Problem(404 if refused.code == "setup_link_unknown" else 410, refused.code, str(refused)) from None

    def show(self, token: str, setup: Setup, wrong: KeyNotUsable | None = None) -> tuple[str, int]:
        """The form of the step that is next."""
        about: dict[str, Any] = {
            "setup": setup,
            "token": token,
            "partner": self._asking(setup),
            "wrong": wrong,
            "oauth": self._consent is not None,
        }
        status = 200 if wrong is None else 422
        if setup.credential is None or not setup.chooses_project:
            regions = REGIONS if setup.base_url in BASE_URLS.values() else {}
            region = next((name for name, url in BASE_URLS.items() if url == setup.base_url), "us")
            policy = least_privilege_policy(setup.connection.project_key or "YOUR-PROJECT-KEY")
            return render_template("setup/key.html", **about, regions=regions, region=region, policy=policy), status
        try:
            tried = try_key(self._clients, setup.connection, setup.partner, setup.base_url, setup.credential)
        except KeyNotUsable as refused:
            tried, about["wrong"], status = None, wrong or refused, 422
        chosen = request.form.get("project", "")
        return render_template(
            "setup/project.html",
            **about,
            tried=tried,
            chosen=chosen,
            consented=isinstance(setup.credential, Grant),
        ), status

    def take_key(self, token: str, setup: Setup, region: str, key: str) -> Any:
        self._count(setup)
        return self._take(token, setup, _base_url(setup, region), key)

    def _take(self, token: str, setup: Setup, base_url: str, key: str | Grant) -> Any:
        try:
            tried = try_key(self._clients, setup.connection, setup.partner, base_url, key)
            if not setup.chooses_project:
                ends = tried.holder.expires_at
                return self._finish(setup, setup.connection.project_key, base_url, key, expires_at=ends)
            self._links.hold(setup, base_url=base_url, credential=key)
        except KeyNotUsable as refused:
            return self.show(token, setup, refused)
        return redirect(url_for("setup.show", token=token), 303)

    def ask_consent(self, setup: Setup, region: str) -> Any:
        """A page that leads on to LaunchDarkly: a redirect of a form's answer is what its own policy forbids."""
        consent = self._consenting()
        self._count(setup)
        url, departure = consent.begin(setup, _base_url(setup, region))
        response = make_response(render_template("setup/leave.html", setup=setup, url=url))
        consent.remember(response, departure)
        return response

    def take_consent(self) -> Any:
        """The customer comes back from LaunchDarkly. Raises `Problem`."""
        consent = self._consenting()
        try:
            returned = consent.returned(request)
        except SetupLinkRefused as refused:
            raise Problem(400, refused.code, str(refused)) from None
        try:
            response = make_response(
                self._take(returned.token, returned.setup, returned.base_url, consent.pay_in(returned, request))
            )
        except KeyNotUsable as refused:
            response = make_response(self.show(returned.token, returned.setup, refused))
        consent.forget(response)
        return response

    def _consenting(self) -> Consent:
        if self._consent is None:
            raise Problem(404, "not_found", "There is no such page.")
        return self._consent

    def take_project(self, token: str, setup: Setup, project: str) -> Any:
        self._count(setup)
        if setup.credential is None or not setup.chooses_project:
            return redirect(url_for("setup.show", token=token), 303)
        try:
            return self._finish(setup, project, setup.base_url, setup.credential)
        except KeyNotUsable as refused:
            return self.show(token, setup, refused)

    def forget_key(self, setup: Setup) -> None:
        self._links.release(setup)

    def _finish(
        self, setup: Setup, project: str, base_url: str, key: str | Grant, *, expires_at: float | None = None
    ) -> Any:
        """Raises `KeyNotUsable` or `Problem`."""
        try:
            left = try_project(self._clients, setup.connection, setup.partner, base_url, key, project)
            self._links.finish(setup, project_key=project, base_url=base_url, credential=key, expires_at=expires_at)
        except (ConnectionRefused, CredentialRefused) as refused:
            raise KeyNotUsable(refused.code, str(refused)) from None
        except SetupLinkRefused as refused:
            raise Problem(410, refused.code, str(refused)) from None
        self._tries.forget(setup.link_id)
        self._runner.ring()
        return render_template(
            "setup/done.html",
            partner=self._asking(setup),
            project=project,
            left=left,
            chooses=setup.chooses_project,
            oauth=self._consent is not None,
        )

    def _asking(self, setup: Setup) -> str:
        return self._title or self._partners.get(setup.partner).title

    def _count(self, setup: Setup) -> None:
        if wait := self._tries.wait(setup.link_id):
            minutes = int(wait // 60) + 1
            raise Problem(
                429,
                "setup_limited",
                f"Too many tries with this link. Load the page again in {minutes} minutes.",
                headers={"Retry-After": str(int(wait) + 1)},
            )
        self._tries.count(setup.link_id)


def _base_url(setup: Setup, region: str) -> str:
    """The LaunchDarkly that the customer chose, where there is a choice."""
    chooses = region in BASE_URLS and setup.base_url in BASE_URLS.values()
    return BASE_URLS[region] if chooses else setup.base_url


def blueprint(page: SetupPage, forms: Forms) -> Blueprint:
    routes = Blueprint("setup", __name__, url_prefix="/setup", template_folder="templates")

    @routes.before_request
    def frame() -> None:
        g.error_page = "setup/error.html"

    pages.protect(routes, forms)

    @routes.get("/<token>")
    def show(token: str) -> tuple[str, int]:
        return page.show(token, page.open(token))

    @routes.post("/<token>/key")
    def take_key(token: str) -> Any:
        key = request.form.get("api_key", "").strip()
        return page.take_key(token, page.open(token), request.form.get("region", ""), key)

    @routes.post("/<token>/oauth")
    def ask_consent(token: str) -> Any:
        return page.ask_consent(page.open(token), request.form.get("region", ""))

    @routes.get(OAUTH_CALLBACK.removeprefix("/setup"))
    def take_consent() -> Any:
        return page.take_consent()

    @routes.post("/<token>/project")
    def take_project(token: str) -> Any:
        form = request.form
        project = form.get("project_key", "").strip() or form.get("project", "").strip()
        return page.take_project(token, page.open(token), project)

    @routes.post("/<token>/another-key")
    def forget_key(token: str) -> Any:
        page.forget_key(page.open(token))
        return redirect(url_for("setup.show", token=token), 303)

    return routes
