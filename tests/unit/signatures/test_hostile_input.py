"""Whatever arrives, the answer is `Verified` or a declared refusal, and only the one right spelling verifies."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.signatures import HmacScheme, RefusalCode, SignatureRefused, Verified
from connector.signatures.canonical import first_element, read_timestamp

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
anything = st.text(st.characters(), max_size=80) | st.text("0123456789.,;=:+-_ vth{}", max_size=80)


def answer(scheme: Any, *request: Any) -> Verified | str:
    try:
        return scheme.verify(*request)
    except SignatureRefused as refused:
        return refused.code


@quick
@given(data=st.data())
def test_arbitrary_values_of_the_right_headers_give_only_refusals(genuine: Any, data: st.DataObject) -> None:
    names = [*genuine.headers, ""]
    headers = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(names, anything)))
    secrets = data.draw(st.lists(anything | st.sampled_from(genuine.secrets), max_size=3))
    body = data.draw(st.binary(max_size=60))
    now = data.draw(st.floats(-1e15, 1e15))
    assert answer(genuine.scheme, body, headers, secrets, now) in set(RefusalCode)


@quick
@given(data=st.data())
def test_one_arbitrary_header_in_a_genuine_request_gives_a_declared_answer(genuine: Any, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(genuine.headers)))
    headers = genuine.headers | {name: data.draw(anything)}
    given_answer = answer(genuine.scheme, genuine.body, headers, genuine.secrets, genuine.now)
    assert isinstance(given_answer, Verified) or given_answer in set(RefusalCode)


@quick
@given(data=st.data())
def test_a_genuine_request_with_one_character_changed_is_refused(genuine: Any, data: st.DataObject) -> None:
    names = [name for name, value in sorted(genuine.headers.items()) if value != genuine.expect.get("uncovered_id")]
    name = data.draw(st.sampled_from(names))
    value = genuine.headers[name]
    position = data.draw(st.integers(0, len(value) - 1))
    change = data.draw(st.characters(min_codepoint=32, max_codepoint=126) | st.sampled_from(["", "é", "٣", "\n"]))
    changed = value[:position] + change + value[position + 1 :]
    got = answer(genuine.scheme, genuine.body, genuine.headers | {name: changed}, genuine.secrets, genuine.now)
    assert (changed == value) == isinstance(got, Verified)


@quick
@given(data=st.data())
def test_a_genuine_body_with_one_byte_changed_is_refused(genuine: Any, data: st.DataObject) -> None:
    body = genuine.body
    position = data.draw(st.integers(0, len(body) - 1))
    changed = body[:position] + data.draw(st.binary(max_size=2)) + body[position + 1 :]
    got = answer(genuine.scheme, changed, genuine.headers, genuine.secrets, genuine.now)
    if genuine.dialect == "jwt-bearer":
        assert got == Verified(changed, None, genuine.now)  # its token does not cover the body, as documented
    else:
        assert (changed == body) == isinstance(got, Verified)


def test_a_clock_that_gives_no_number_verifies_nothing_that_has_a_time(genuine: Any) -> None:
    got = answer(genuine.scheme, genuine.body, genuine.headers, genuine.secrets, math.nan)
    has_time = answer(genuine.scheme, genuine.body, genuine.headers, genuine.secrets, 0) == "timestamp_too_new"
    assert isinstance(got, Verified) != has_time


@quick
@given(st.binary(max_size=200) | st.text('[]{}",:\\ a').map(str.encode))
def test_the_first_element_of_any_bytes_is_a_part_of_them_or_refused(body: bytes) -> None:
    scheme = HmacScheme(header="X-Signature", covers="first_element")
    signed = {"x-signature": "0" * 64}
    got = answer(scheme, body, signed, ["s" * 24], 0)
    assert got in {"signature_mismatch", "body_malformed"}
    assert got == "body_malformed" or first_element(body) in body


@pytest.mark.parametrize("filling", [b'"\\', b'"', b"{", b"[{", b'\\"', b'{"a":"'])
def test_a_hostile_batch_is_scanned_once_however_long_it_is(filling: bytes) -> None:
    body = b"[{" + filling * (262_144 // len(filling))
    with pytest.raises(SignatureRefused, match="does not begin with an object"):
        first_element(body)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2021-02-25T15:02:10Z", 1614265330),
        ("2021-02-25T15:02:10", 1614265330),
        ("2021-02-25T16:02:10.5+01:00", 1614265330.5),
        ("0001-01-01T00:00:00+14:00", -62135647200),
    ],
)
def test_iso_timestamps_are_read_in_their_offset_and_else_in_utc(text: str, seconds: float) -> None:
    assert read_timestamp(text, "iso8601") == seconds


@given(st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?"))
def test_any_text_like_an_iso_timestamp_is_read_or_refused(text: str) -> None:
    scheme = HmacScheme(
        header="X-Signature",
        template="{ts}:{body}",
        timestamp_header="X-Time",
        timestamp_unit="iso8601",
        tolerance=None,
    )
    got = answer(scheme, b"", {"x-signature": "0" * 64, "x-time": text}, ["s" * 24], 0)
    assert got in {"signature_mismatch", "timestamp_malformed", "header_malformed"}
