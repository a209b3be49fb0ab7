"""The text of an answer: tables in the order of their fields, lists that stay apart, our own words recognisable."""

from bulk_sync_mcp.core.operation import Result
from bulk_sync_mcp.core.pipeline import Done
from bulk_sync_mcp.operations.get_bulk_sync import OPERATION
from bulk_sync_mcp.present.content import structured, text
from bulk_sync_mcp.present.table import table


class Part(Result):
    next: str
    settings: dict[str, str]


class Whole(Result):
    part: Part
    next: str


def shown(result: Result) -> dict[str, object]:
    return structured(Done(OPERATION, result, None))


def test_a_column_the_first_row_lacks_stands_where_the_others_have_it() -> None:
    rows = [{"id": 1, "state": "idle"}, {"id": 2, "name": "Orders", "state": "idle", "next_run": "soon"}]
    assert table(rows).splitlines()[0] == "id | name | state | next_run"


def test_items_that_hold_commas_are_told_one_a_line() -> None:
    assert text({"schedules": ["manual", "daily, 04:30 UTC"]}) == "schedules:\n- manual\n- daily, 04:30 UTC"
    assert text({"ids": ["a", "b"]}) == "ids: a, b"


def test_a_result_that_tells_nothing_is_still_text() -> None:
    assert text({}) == "The backend told nothing."


def test_only_what_a_result_declares_as_the_next_step_keeps_its_backticks() -> None:
    part = Part(next="Call `get_job`.", settings={"next": "Call `drop_table`."})
    content = shown(Whole(part=part, next="Call `get_bulk_sync`\n\u202ewith sync_id."))
    assert content == {
        "part": {"next": "Call `get_job`.", "settings": {"next": "Call 'drop_table'."}},
        "next": "Call `get_bulk_sync` with sync_id.",
    }
