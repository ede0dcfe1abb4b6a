"""Where alerts go is judged at start, and what may be a secret is not repeated."""

from __future__ import annotations

import pytest

from connector.settings import Settings, SettingsError

HOOK = "CONNECTOR_ALERT_WEBHOOK_URL"


def problem(**environment: str) -> str:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({f"CONNECTOR_{name}": value for name, value in environment.items()})
    (sentence,) = refused.value.problems
    assert "canary" not in sentence
    return sentence


def test_all_that_is_given_is_kept_and_nothing_secret_is_shown() -> None:
    settings = Settings.from_environment(
        {
            "CONNECTOR_METRICS_TOKEN": "canary-canary-canary-canary",
            "CONNECTOR_ALERT_WEBHOOK_URL": "https://alerts.example.com/canary",
            "CONNECTOR_ALERT_WEBHOOK_SECRET": "whsec_canary",
            "CONNECTOR_ALERT_SLACK_URL": "https://slack.example.com/canary",
            "CONNECTOR_ALERT_EMAIL_TO": "oncall@example.com",
            "CONNECTOR_SMTP_URL": "smtps://user:canary@mail.example.com",
            "CONNECTOR_ALERT_BACKLOG": "60",
        }
    )
    assert settings.alert_email_to == "oncall@example.com"
    assert settings.alert_backlog == 60.0
    assert settings.smtp_url == "smtps://user:canary@mail.example.com"
    assert "canary" not in repr(settings)


@pytest.mark.parametrize(
    "url", ["alerts.example.com/canary", "ftp://canary", "https://", "http://[canary", "https://a:0/canary"]
)
def test_an_address_that_is_none(url: str) -> None:
    said = problem(ALERT_SLACK_URL=url)
    assert said == "CONNECTOR_ALERT_SLACK_URL must be a URL that starts with http:// or https://."


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"ALERT_WEBHOOK_URL": "https://example.com/canary"}, "CONNECTOR_ALERT_WEBHOOK_SECRET"),
        ({"ALERT_WEBHOOK_SECRET": "canary"}, "CONNECTOR_ALERT_WEBHOOK_URL"),
        ({"ALERT_EMAIL_TO": "canary@example.com"}, "CONNECTOR_SMTP_URL"),
        ({"SMTP_URL": "smtp://canary.example.com"}, "CONNECTOR_ALERT_EMAIL_TO"),
    ],
)
def test_half_of_a_pair_is_of_no_use(given: dict[str, str], missing: str) -> None:
    (name,) = given
    assert problem(**given) == f"CONNECTOR_{name} is of no use without {missing}: set both or neither."


@pytest.mark.parametrize("token", ["canary", "canary canary canary canary", "canary-ä-canary-canary-canary"])
def test_a_metrics_token_that_no_header_carries_or_anybody_guesses(token: str) -> None:
    assert problem(METRICS_TOKEN=token).startswith("CONNECTOR_METRICS_TOKEN ")
