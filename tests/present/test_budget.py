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
    assert cut["inner"]["others"] == others[: len(cut["inner"]["others"])]
    dropped = len(rows) - len(cut["rows"]) + len(others) - len(cut["inner"]["others"])
    assert (dropped > 0) == ("left_out" in cut)
    if size(content) > limit and min(len(cut["rows"]), len(cut["inner"]["others"])) > 1:
        assert size({key: value for key, value in cut.items() if key != "left_out"}) <= limit


def test_an_answer_that_fits_is_left_alone() -> None:
    content = {"rows": [{"a": 1}]}
    assert within(content) is content


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
