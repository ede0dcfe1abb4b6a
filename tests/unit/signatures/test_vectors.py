from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

from connector.signatures import RefusalCode, Verified

VECTORS = Path(__file__).parents[2] / "vectors"


def test_every_vector_gets_the_answer_it_expects(vector: Any) -> None:
    answer = vector.answer()
    if "refused" in vector.expect:
        assert answer == vector.expect["refused"]
        return
    assert isinstance(answer, Verified), answer
    assert answer.message_id == vector.expect["message_id"]
    assert answer.uncovered_id == vector.expect.get("uncovered_id")
    assert answer.body == (vector.expect["body"].encode() if "body" in vector.expect else vector.body)


def test_every_code_of_a_refusal_has_a_vector(vectors: Any) -> None:
    assert {v.expect["refused"] for v in vectors if "refused" in v.expect} == {str(code) for code in RefusalCode}


def test_no_two_vectors_of_a_dialect_share_a_name(vectors: Any) -> None:
    assert len({(v.dialect, v.name) for v in vectors}) == len(vectors)


def test_every_dialect_has_the_refusals_that_all_dialects_have(vectors: Any) -> None:
    common = {"signature_missing", "signature_mismatch", "secret_unusable"}
    for dialect in {v.dialect for v in vectors}:
        assert common <= {v.expect.get("refused") for v in vectors if v.dialect == dialect}, dialect


def test_the_vectors_are_what_their_script_writes() -> None:
    contents = runpy.run_path(str(VECTORS / "generate.py"))["contents"]()
    assert set(contents) == {path.stem for path in VECTORS.glob("*.json")}
    for name, content in contents.items():
        assert json.loads((VECTORS / f"{name}.json").read_text()) == json.loads(json.dumps(content)), name


def test_a_refusal_tells_no_secret_and_no_right_signature(vectors: Any) -> None:
    for v in vectors:
        if "refused" in v.expect:
            try:
                v.verify()
            except Exception as refused:  # noqa: BLE001 - its kind is judged elsewhere, here only its words are
                told = str(refused)
            assert told.endswith(".")
            assert not any(secret and secret in told for secret in v.secrets)
            assert not any(len(value) > 20 and value in told for value in v.headers.values())
