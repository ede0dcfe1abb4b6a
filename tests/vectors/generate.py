"""Writes the signature vectors beside it. It must never import the connector, which the vectors judge."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from dialects import (  # noqa: E402 - found beside this file, wherever it is run from
    BODY,
    DIALECTS,
    ID,
    ITSDANGEROUS,
    NOW,
    OTHER_SECRET,
    PUBLIC_KEY,
    SECRET,
    STANDARD,
    Dialect,
    Headers,
    Request,
    to_hex,
)
from key_pairs import V1A_PUBLIC, V1A_SECRET, jwt_bearer, jwt_body, v1a  # noqa: E402

Vector = dict[str, Any]
TOLERANCE = 300


def vector(
    name: str,
    headers: Headers,
    expect: dict[str, Any] | str | None = None,
    body: bytes = BODY,
    secrets: tuple[str, ...] = (SECRET,),
    now: float = NOW,
) -> Vector:
    """`expect` as a string is the code of the refusal; left out, the request is good and has no message id."""
    if isinstance(expect, str):
        expect = {"refused": expect}
    try:
        written = {"body": body.decode()}
    except UnicodeDecodeError:
        written = {"body_base64": base64.b64encode(body).decode()}
    expect = {"verified": True, "message_id": None} if expect is None else expect
    return {"name": name, "secrets": list(secrets), "headers": headers, **written, "now": now, "expect": expect}


def good(dialect: Dialect, **differs: str) -> dict[str, Any]:
    expect: dict[str, Any] = {"verified": True, "message_id": ID if dialect.covers_id else None}
    if dialect.id_header and not dialect.covers_id:
        expect["uncovered_id"] = ID
    return expect | differs


def genuine(d: Dialect) -> list[Vector]:
    bodies = {
        "an empty body": b"",
        "a body of Unicode": '{"name":"Bestellung ✓ 注文"}'.encode(),
        "a body that is not UTF-8": b"\xff\xfe\x00{}",
        "a body of white space": b" \n",
        "escaped characters in the body": rb'{"name":"a\u003cb"}',
    }
    return [
        vector("a genuine request", d.request(), good(d)),
        *(vector(f"{name}", d.request(body), good(d), body) for name, body in bodies.items()),
        vector("the older of two secrets", d.request(), good(d), secrets=(OTHER_SECRET, SECRET)),
        vector("an unusable secret beside the good one", d.request(), good(d), secrets=("", "short", SECRET)),
    ]


def forged(d: Dialect) -> list[Vector]:
    ts = d.time(NOW) if d.time else ""
    raw = d.digest(Request(BODY, ID, ts), SECRET)
    text = d.encode(raw)
    half = len(raw) // 2
    tags = {
        "the first bit flipped": d.encode(bytes([raw[0] ^ 0x80]) + raw[1:]),
        "a middle bit flipped": d.encode(raw[:half] + bytes([raw[half] ^ 1]) + raw[half + 1 :]),
        "the last bit flipped": d.encode(raw[:-1] + bytes([raw[-1] ^ 1])),
        "all zero": d.encode(bytes(len(raw))),
        "all ones": d.encode(b"\xff" * len(raw)),
        "its halves swapped": d.encode(raw[half:] + raw[:half]),
        "its bytes reversed": d.encode(raw[::-1]),
    }
    shapes = {
        "truncated by a byte": d.encode(raw[:-1]),
        "truncated to half": d.encode(raw[:half]),
        "extended by a byte": d.encode(raw + b"\0"),
        "a character that is not in the alphabet": "!" + text[1:],
    }
    if d.encode is to_hex:
        shapes["upper-case hex"] = text.upper()
    else:
        bare = text.rstrip("=")
        shapes["spare bits set"] = bare[:-1] + chr(ord(bare[-1]) + 1) + text[len(bare) :]
        shapes["junk inside the base64"] = text[:8] + "*" + text[8:]
        shapes["other padding"] = bare if bare != text else text + "="
    altered = BODY.replace(b"4", b"5", 1)
    return [
        *(vector(f"a tag with {n}", d.request(signature=tag), "signature_mismatch") for n, tag in tags.items()),
        *(vector(f"a tag: {n}", d.request(signature=tag), "signature_malformed") for n, tag in shapes.items()),
        vector("another secret", d.request(secret=OTHER_SECRET), "signature_mismatch"),
        vector("an altered body", d.request(), "signature_mismatch", altered),
        vector("a body with a line feed more", d.request(), "signature_mismatch", BODY + b"\n"),
        vector("no signature header", {}, "signature_missing"),
        vector("an empty signature header", {d.header: ""}, "signature_missing"),
        vector("a header that is not ASCII", d.request() | {d.header: "é" + d.request()[d.header]}, "header_malformed"),
        vector("a header with a tab", d.request() | {d.header: d.request()[d.header] + "\t"}, "header_malformed"),
        vector("a header beyond the limit", d.request() | {d.header: "a" * 4097}, "header_malformed"),
        vector("no secret", d.request(), "secret_missing", secrets=()),
        vector("only empty and short secrets", d.request(), "secret_unusable", secrets=("", "whsec_c2hvcnQ=")),
    ]


def timed(d: Dialect) -> list[Vector]:
    if d.time is None or d.misspelt is None:
        return []
    vectors = [
        vector("the oldest time allowed", d.request(), good(d), now=NOW + TOLERANCE),
        vector("the newest time allowed", d.request(), good(d), now=NOW - TOLERANCE),
        vector("a second too old", d.request(), "timestamp_too_old", now=NOW + TOLERANCE + 1),
        vector("a second too new", d.request(), "timestamp_too_new", now=NOW - TOLERANCE - 1),
        vector("ten years ahead", d.request(now=NOW + 315_360_000), "timestamp_too_new"),
        *(vector(f"a time {name}", d.request(ts=ts), "timestamp_malformed") for name, ts in d.misspelt.items()),
    ]
    if d.time_header:
        absent = {name: value for name, value in d.request().items() if name != d.time_header}
        arabic = d.request() | {d.time_header: "".join(chr(0x660 + int(c)) if c.isdigit() else c for c in d.time(NOW))}
        moved = d.request() | {d.time_header: d.time(NOW + 1)}
        vectors += [
            vector("no timestamp header", absent, "timestamp_missing"),
            vector("a time in Arabic digits", arabic, "header_malformed"),
            vector("another time than the signed one", moved, "signature_mismatch"),
        ]
    return vectors


def listed(d: Dialect) -> list[Vector]:
    if not d.separator:
        return []
    right, wrong = d.request()[d.header], d.request(secret=OTHER_SECRET)[d.header]
    item = wrong.rsplit(d.separator, 1)[-1]
    several = {d.header: f"{right}{d.separator}{item}"}
    unknown = {d.header: f"v9=abc{d.separator}{right}{d.separator}v0"}
    foreign = {d.header: right.replace("v1", "v9").replace("h1", "h9")}
    many = {d.header: right + f"{d.separator}{item}" * 10}
    broken = {d.header: f"{right}{d.separator}{item[:-2]}"}
    return [
        vector("a second signature that is wrong", d.request() | several, good(d)),
        vector("unknown versions beside the known one", d.request() | unknown, good(d)),
        vector("only unknown versions", d.request() | foreign, "signature_unsupported"),
        vector("more signatures than allowed", d.request() | many, "signatures_too_many"),
        vector("a malformed signature beside the good one", d.request() | broken, "signature_malformed"),
    ]


def identified(d: Dialect) -> list[Vector]:
    if not d.id_header:
        return []
    absent = {name: value for name, value in d.request().items() if name != d.id_header}
    other = d.request() | {d.id_header: "msg_other"}
    vectors = [
        vector("an id with a space", d.request(id="msg 1"), "message_id_malformed"),
        vector("an id of 257 characters", d.request(id="m" * 257), "message_id_malformed"),
    ]
    if not d.covers_id:
        return [
            *vectors,
            vector("no id", absent, {"verified": True, "message_id": None}),
            vector("another id, which is not signed", other, good(d, uncovered_id="msg_other")),
        ]
    return [
        *vectors,
        vector("no id", absent, "message_id_missing"),
        vector("another id than the signed one", other, "signature_mismatch"),
        vector("an id with a dot", d.request(id="msg.1"), "message_id_malformed"),
        vector("an id of 256 characters", d.request(id="m" * 256), good(d, message_id="m" * 256)),
    ]


def special(d: Dialect) -> list[Vector]:
    """What only one dialect has."""
    if d.name == "stripe":
        right = d.request()["stripe-signature"]
        return [
            vector("two timestamps", {d.header: f"t={NOW},{right}"}, "timestamp_malformed"),
            vector("an empty timestamp", {d.header: right.replace(str(NOW), "")}, "timestamp_malformed"),
            vector("no timestamp item", {d.header: right.partition(",")[2]}, "timestamp_missing"),
            vector("another time than the signed one", {d.header: right.replace("30,", "31,")}, "signature_mismatch"),
            vector("the older version v0 alone", {d.header: right.replace("v1", "v0")}, "signature_unsupported"),
        ]
    if d.name in {"optimizely", "statsig"}:
        bare = {d.header: d.request()[d.header].partition("=")[2]}
        return [vector("a tag without its prefix", d.request() | bare, "signature_unsupported")]
    if d.name == "lago-hmac":
        pinned = "x-lago-signature-algorithm"
        absent = {name: value for name, value in d.request().items() if name != pinned}
        return [
            vector("the algorithm that we did not pin", d.request() | {pinned: "jwt"}, "header_mismatch"),
            vector("no algorithm", absent, "header_mismatch"),
        ]
    if d.name == "segment":
        first = b'{"event":"A","note":"]} \\" [{","list":[{"a":{}}]}'
        long = b'{"a":"' + b"a" * 65_536 + b'"}'
        batch, alone = b"[" + first + b',{"event":"B"}]', {"verified": True, "message_id": None, "body": first.decode()}
        return [
            vector("a batch, of which only the first is signed", d.request(first), alone, batch),
            vector("a batch of one with white space", d.request(first), alone, b"[ " + first + b" ]"),
            vector("a batch signed as a whole", d.request(batch), "signature_mismatch", batch),
            vector(
                "a batch whose first is not the signed one", d.request(first), "signature_mismatch", b"[{}," + first
            ),
            vector("an empty batch", d.request(b"[]"), "body_malformed", b"[]"),
            vector("a batch of numbers", d.request(b"1"), "body_malformed", b"[1]"),
            vector("a first element beyond the limit", d.request(long), "body_malformed", b"[" + long + b"]"),
            vector("a batch that never closes", d.request(b'{"a":"'), "body_malformed", b'[{"a":"'),
        ]
    if d.key is not STANDARD.key:
        public = d.request(secret=PUBLIC_KEY)
        return [vector("a public key as shared secret", public, "secret_unusable", secrets=(PUBLIC_KEY,))]
    return []


def standard() -> list[Vector]:
    d = STANDARD
    svix = {name.replace("webhook-", "svix-"): value for name, value in d.request().items()}
    mixed = {**svix, "webhook-id": ID}
    del mixed["svix-id"]
    pair, both = (V1A_PUBLIC,), (V1A_PUBLIC, SECRET)
    signed = v1a(ID, NOW, BODY)
    flipped = signed | {"webhook-signature": "v1a," + "A" * 85 + "w=="}
    reference = {"webhook-id": ID, "webhook-timestamp": str(NOW)}
    reference["webhook-signature"] = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    last = {"webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OA="}
    twice = {"webhook-signature": signed["webhook-signature"] + " " + d.request()["webhook-signature"]}
    thrice = {"webhook-signature": " ".join([signed["webhook-signature"]] * 3)}
    return [
        vector("the reference libraries' vector", reference, good(d)),
        vector("the reference libraries' wrong last byte", reference | last, "signature_mismatch"),
        vector("the secret without its prefix", reference, good(d), secrets=(SECRET.removeprefix("whsec_"),)),
        vector("svix- headers", svix, good(d)),
        vector("svix- headers with the other family's id", mixed, "message_id_missing"),
        vector("both families, the webhook- one forged", svix | d.request(secret=OTHER_SECRET), "signature_mismatch"),
        vector("a comma missing", reference | {"webhook-signature": "v1"}, "signature_unsupported"),
        vector("two commas", reference | {"webhook-signature": "v1,a,b"}, "signature_malformed"),
        vector("v1a", signed, good(d), secrets=pair),
        vector("v1a among mixed secrets", signed, good(d), secrets=both),
        vector("v1 among mixed secrets", d.request(), good(d), secrets=both),
        vector("v1a and v1 in one header", signed | twice, good(d), secrets=(SECRET,)),
        vector("v1a that does not fit", flipped, "signature_mismatch", secrets=pair),
        vector("v1a of another body", signed, "signature_mismatch", b"{}", secrets=pair),
        vector("v1a truncated", signed | {"webhook-signature": "v1a,AAAA"}, "signature_malformed", secrets=pair),
        vector("v1a without a public key", signed, "signature_unsupported"),
        vector("v1 without a shared secret", d.request(), "signature_unsupported", secrets=pair),
        vector("more v1a than allowed", signed | thrice, "signatures_too_many", secrets=pair),
        vector("a private key to verify with", signed, "secret_unusable", secrets=(V1A_SECRET,)),
    ]


def native() -> list[Vector]:
    standard_headers, packed_headers = STANDARD.request(), ITSDANGEROUS.request()
    forged_standard = STANDARD.request(secret=OTHER_SECRET)
    public = ITSDANGEROUS.request(secret=V1A_PUBLIC)
    return [
        vector("Standard Webhooks", standard_headers, good(STANDARD)),
        vector("itsdangerous", packed_headers, good(ITSDANGEROUS)),
        vector("both", standard_headers | packed_headers, good(STANDARD)),
        vector("both, one forged", forged_standard | packed_headers, good(ITSDANGEROUS)),
        vector("neither", {}, "signature_missing"),
        vector("one, forged", forged_standard, "signature_mismatch"),
        vector("the other, an altered body", packed_headers, "signature_mismatch", b"{}"),
        vector("a public key used as shared secret", public, "secret_unusable", secrets=(V1A_PUBLIC,)),
    ]


def contents() -> dict[str, dict[str, Any]]:
    """The files by name."""
    files: dict[str, dict[str, Any]] = {}
    for d in DIALECTS:
        vectors = [*genuine(d), *forged(d), *timed(d), *listed(d), *identified(d), *special(d)]
        files[d.name] = {"scheme": d.scheme, "vectors": vectors}
    files[STANDARD.name]["vectors"] += standard()
    native_scheme = {"type": "any_of", "schemes": [STANDARD.scheme, ITSDANGEROUS.scheme]}
    files["native"] = {"scheme": native_scheme, "vectors": native()}
    for name, (scheme, cases) in {"jwt-bearer": jwt_bearer(), "jwt-body": jwt_body()}.items():
        files[name] = {"scheme": scheme, "vectors": [vector(**case) for case in cases]}
    return files


if __name__ == "__main__":
    for stem, content in contents().items():
        (HERE / f"{stem}.json").write_text(json.dumps(content, indent=1, ensure_ascii=True) + "\n")
