from __future__ import annotations

from typing import Any

import pytest

from connector.signatures import HmacScheme, SignatureRefused

SECRET = "a shared secret of enough bytes"
TIMED = {"template": "{ts}.{body}", "timestamp_header": "X-Time"}


@pytest.mark.parametrize(
    ("parameters", "wrong"),
    [
        ({"header": ""}, "header"),
        ({"header": "X Signature"}, "header"),
        ({"header": 7}, "header"),
        ({"prefix": "é"}, "prefix"),
        ({"algorithm": "md5"}, "algorithm"),
        ({"key_encoding": "hex"}, "key_encoding"),
        ({"digest_encoding": "base64url"}, "digest_encoding"),
        ({"timestamp_unit": "m"}, "timestamp_unit"),
        ({"covers": "nothing"}, "covers"),
        ({"separator": "|"}, "separator"),
        ({"separator": ","}, "prefix"),
        ({"separator": ",", "prefix": "v1,"}, "prefix"),
        ({"tolerance": 0}, "tolerance"),
        ({"tolerance": True}, "tolerance"),
        ({"tolerance": float("nan")}, "tolerance"),
        ({"tolerance": "300"}, "tolerance"),
        ({"pinned_header": "X-Algorithm"}, "pinned_value"),
        ({"timestamp_header": "X-Time"}, "timestamp_header"),
        ({"template": "{ts}.{body}"}, "timestamp_header"),
        ({"template": "{ts}.{body}", "timestamp_prefix": "t="}, "timestamp_prefix"),
        ({**TIMED, "separator": ",", "prefix": "t=1", "timestamp_prefix": "t="}, "timestamp_prefix"),
        ({**TIMED, "separator": ",", "prefix": "v1=", "timestamp_prefix": "t="}, "timestamp_header"),
        ({"template": "{id}.{body}"}, "id_header"),
        ({"id_header": "X-Id"}, "id_header"),
        ({"template": "{id}.{body}", "id_header": "X-Id", "uncovered_id_header": "X-Key"}, "uncovered_id_header"),
        ({"template": "body"}, "template"),
        ({"template": "{body}."}, "template"),
        ({"template": "{body}{body}"}, "template"),
        ({"template": "{body"}, "template"),
        ({"template": "{}{body}"}, "template"),
        ({"template": "{secret}{body}"}, "template"),
        ({"template": "{ts!r}.{body}", "timestamp_header": "X-Time"}, "template"),
        ({"template": "{ts.__class__}.{body}", "timestamp_header": "X-Time"}, "template"),
        ({"template": "{ts}{body}", "timestamp_header": "X-Time"}, "template"),
        ({"template": "{ts}0{body}", "timestamp_header": "X-Time"}, "template"),
        ({**TIMED, "timestamp_unit": "iso8601"}, "template"),
        ({"template": "{id}{body}", "id_header": "X-Id"}, "template"),
    ],
)
def test_a_wrong_parameter_is_named(parameters: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValueError, match=rf"^{wrong}\b"):
        HmacScheme(**{"header": "X-Signature", **parameters})


def test_a_character_cannot_move_from_the_id_into_the_body() -> None:
    scheme = HmacScheme(header="X-Signature", template="{id}/{body}", id_header="X-Id")
    headers = scheme.sign(b"b/c", SECRET, "a", 0)
    moved = {"x-signature": headers["X-Signature"], "x-id": "a/b"}
    with pytest.raises(SignatureRefused, match="without '/'"):
        scheme.verify(b"c", moved, [SECRET], 0)


def test_an_id_that_looks_like_a_placeholder_stays_what_it_is() -> None:
    scheme = HmacScheme(header="X-Signature", template="{id}.{ts}.{body}", id_header="X-Id", timestamp_header="X-Time")
    headers = {name.lower(): value for name, value in scheme.sign(b"{}", SECRET, "{ts}", 7).items()}
    assert scheme.verify(b"{}", headers, [SECRET], 7).message_id == "{ts}"


def test_a_dialect_without_tolerance_accepts_a_signed_time_of_any_age() -> None:
    scheme = HmacScheme(header="X-Signature", tolerance=None, **TIMED)
    headers = {name.lower(): value for name, value in scheme.sign(b"{}", SECRET, "", 1_000).items()}
    assert scheme.verify(b"{}", headers, [SECRET], 2_000_000_000).signed_at == 1_000


def test_the_literal_braces_of_a_template_are_signed_as_such() -> None:
    doubled, single = HmacScheme(header="X-Signature", template="{{}}{body}"), HmacScheme(header="X-Signature")
    assert doubled.sign(b"1", SECRET, "", 0) == single.sign(b"{}1", SECRET, "", 0)


@pytest.mark.parametrize("message_id", ["", "a b", "a.b", "é", "m" * 257])
def test_an_id_that_could_not_be_verified_is_not_signed(message_id: str) -> None:
    scheme = HmacScheme(header="X-Signature", template="{id}.{body}", id_header="X-Id")
    with pytest.raises(ValueError, match="message_id"):
        scheme.sign(b"{}", SECRET, message_id, 0)


def test_a_doubled_header_as_wsgi_joins_it_is_refused(genuine: Any) -> None:
    for name, value in genuine.headers.items():
        joined = genuine.headers | {name: f"{value},{value}"}
        if value != genuine.expect.get("uncovered_id"):
            with pytest.raises(SignatureRefused):
                genuine.scheme.verify(genuine.body, joined, genuine.secrets, genuine.now)


@pytest.mark.parametrize("body", [b"[]", b"[7]", b'[{"a":'])
def test_a_batch_that_does_not_begin_with_an_object_cannot_be_signed(body: bytes) -> None:
    scheme = HmacScheme(header="X-Signature", covers="first_element")
    with pytest.raises(ValueError, match="does not begin with an object"):
        scheme.sign(body, SECRET, "msg_1", 0)
