"""Answers stay inside the character budget and say what they dropped."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_sync_mcp.present.budget import ANSWER, size, within
from support import Workshop

ROWS = st.lists(st.dictionaries(st.sampled_from("abc"), st.text(max_size=40), max_size=3), max_size=60)


@given(rows=ROWS, others=ROWS, limit=st.integers(300, 3_000))
def test_what_does_not_fit_is_counted_and_what_is_shown_is_whole(
    rows: list[Any], others: list[Any], limit: int
) -> None:
    content = {"rows": rows, "inner": {"others": others}, "total": len(rows)}
    cut = within(content, limit)
    assert cut["total"] == len(rows)
    assert cut["rows"] == rows[: len(cut["rows"])]
    shown = cut.get("inner", {"others": []})["others"]
    assert shown == others[: len(shown)]
    dropped = len(rows) - len(cut["rows"]) + len(others) - len(shown)
    assert (dropped > 0) == ("left_out" in cut) or "inner" not in cut
    if "inner" not in cut:
        assert "inner (" in cut["left_out"]
    if size(content) > limit and len(cut["rows"]) > 1:
        assert size({key: value for key, value in cut.items() if key not in ("left_out", "next_offset")}) <= limit


def test_an_answer_that_fits_is_left_alone() -> None:
    content = {"rows": [{"a": 1}]}
    assert within(content) is content


@given(total=st.integers(1, 120), limit=st.integers(1, 120), room=st.integers(600, 3_000))
def test_pages_that_were_shortened_still_meet_every_row_once(total: int, limit: int, room: int) -> None:
    met: list[int] = []
    offset: int | None = 0
    while offset is not None:
        end = min(offset + limit, total)
        page: dict[str, Any] = {
            "settings": ["a", "b"],
            "rows": [{"n": number, "text": "x" * 20} for number in range(offset, end)],
            "total": total,
            **({"next_offset": end} if end < total else {}),
        }
        cut = within(page, room)
        met += [row["n"] for row in cut["rows"]]
        offset = cut.get("next_offset")
    assert met == list(range(total))


def test_a_page_with_a_cursor_that_was_shortened_says_which_call_gets_the_rest() -> None:
    page = {"rows": [{"text": "x" * 40} for _ in range(50)], "next_cursor": "behind all fifty"}
    cut = within(page, 1_000)
    assert "next_cursor" not in cut
    assert f"make the same call with limit {len(cut['rows'])}" in cut["left_out"]
    assert f"{50 - len(cut['rows'])} of 50 rows" in cut["left_out"]


def test_a_row_that_alone_is_too_long_and_settings_that_are_lose_their_inside() -> None:
    wide = {"rows": [{"id": "t", "fields": [f"column_{number}" for number in range(500)]}], "total": 1}
    cut = within(wide, 1_000)
    assert size(cut) < 1_200
    assert cut["rows"][0]["id"] == "t"
    assert f"{500 - len(cut['rows'][0]['fields'])} of rows.fields" in cut["left_out"]
    assert "next_offset" not in cut
    settings = {"id": "s", "settings": {f"key_{number}": number for number in range(500)}, "name": "n"}
    cut = within(settings, 1_000)
    assert (cut["id"], cut["name"], "settings" in cut) == ("s", "n", False)
    assert cut["left_out"].startswith("settings (")


@pytest.mark.anyio
async def test_a_list_of_tables_that_was_shortened_goes_on_where_it_stopped(workshop: Workshop, era: str) -> None:
    sync_id = await workshop.create_sync()
    names = [f"public.table_with_a_long_name_{number:04}" for number in range(900)]
    rows = [{"id": name, "enabled": True, "output_name": f"raw_{name}"} for name in names]
    workshop.api.rewrites["GET", "/api/bulk/syncs/{id}/schemas"] = lambda _: rows
    met: list[str] = []
    offset: int | None = 0
    async with workshop.tools(era) as tools:
        while offset is not None:
            told = await tools.list_bulk_sync_schemas(sync_id=sync_id, limit=500, offset=offset)
            assert size(told.data) < ANSWER + 500
            met += [row["id"] for row in told.data["schemas"]]
            offset = told.data.get("next_offset")
    assert met == names


@pytest.mark.anyio
async def test_a_source_with_500_wide_tables_is_told_within_the_budget(workshop: Workshop, era: str) -> None:
    columns = [{"id": f"column_{number}", "type": "string", "is_primary_key": number == 0} for number in range(200)]
    tables = [{"id": f"table_{number}", "fields": columns} for number in range(500)]
    template = "/api/connections/{id}/bulksync/source"
    workshop.api.rewrites["GET", template] = lambda data: {**data, "schemas": tables}
    async with workshop.tools(era) as tools:
        told = await tools.get_bulk_source(connection_id=workshop.source_id, include_fields=True, limit=500)
    assert len(json.dumps(told.data, ensure_ascii=False, separators=(",", ":"))) < ANSWER + 500
    assert len(told.text) < 2 * ANSWER
    assert "of 500 tables" in told.data["left_out"]
    assert "left_out: " in told.text
    assert told.data["total"] == 500
