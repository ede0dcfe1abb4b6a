"""Whatever JSON a list API gives: a page or one refusal, never anything else."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connector.partners import ListApi, Page, Partners, PayloadRefused, Request, built_in

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
# The words that lists have at their top, so that more than the first look at an answer is tried.
WORDS = st.sampled_from([
    "data", "results", "events", "rules", "billable_metrics", "data_plan_id", "data_plan_versions", "meta", "success",
    "status", "pagination", "next", "has_more", "hasMore", "total", "currentPage", "pageSize", "errors",
])  # fmt: skip
ANSWERS = JSON | st.dictionaries(WORDS, JSON | st.lists(st.dictionaries(WORDS, JSON), max_size=3), max_size=6)
LIST_APIS: dict[str, ListApi] = {
    name: list_api for name in built_in() if (list_api := Partners().get(name).list_api) is not None
}


@settings(max_examples=50, deadline=None)
@given(answer=ANSWERS)
def test_any_json_is_a_page_or_refused(answer: Any) -> None:
    for list_api in LIST_APIS.values():
        credential = {each.name: each.default or "entered" for each in list_api.credential} | {"token": "t"}
        try:
            page = list_api.parse(answer, list_api.first(credential), credential)
        except PayloadRefused as refused:
            json.dumps(refused.errors)
            continue
        assert isinstance(page, Page)
        assert page.next is None or isinstance(page.next, Request)


@settings(max_examples=50, deadline=None)
@given(answer=JSON)
def test_any_json_is_a_token_or_refused(answer: Any) -> None:
    exchanges = [list_api.exchange for list_api in LIST_APIS.values() if list_api.exchange is not None]
    assert exchanges
    for exchange in exchanges:
        try:
            read = exchange.read(answer)
        except PayloadRefused:
            continue
        assert read["token"]
