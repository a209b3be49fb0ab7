"""How outputs are named, and which way a table is loaded: rules without a database."""

import itertools
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_sync_local.engine.job import Endpoint, NormalizeNames, RunJob, TableJob
from bulk_sync_local.engine.names import normalized
from bulk_sync_local.engine.outputs import output_name
from bulk_sync_local.engine.strategy import Refused, Situation, choose


@pytest.mark.parametrize(
    ("name", "enabled", "legacy"),
    [
        ("orders", "orders", "orders"),
        ("OrderItems", "order_items", "OrderItems"),
        ("HTTPServer", "http_server", "HTTPServer"),
        ("Größe (cm)", "grosse_cm_", "Gr__e__cm_"),
        ("sales.orders", "sales_orders", "sales_orders"),
        ("2nd", "_2nd", "2nd"),
        ("_a__b", "_a__b", "_a__b"),
        ("表", "_", "_"),
    ],
)
def test_names_follow_the_rule(name: str, enabled: str, legacy: str) -> None:
    assert normalized(name, "enabled") == enabled
    assert normalized(name, "legacy") == legacy
    assert normalized(name, "disabled") == name


@given(st.text())
def test_a_normalised_name_is_plain_and_normalising_it_again_changes_nothing(name: str) -> None:
    once = normalized(name, "enabled")
    assert re.fullmatch(r"[a-z_][a-z0-9_]*", once)
    assert normalized(once, "enabled") == once


def test_the_users_own_name_gets_no_prefix() -> None:
    rule: NormalizeNames = "enabled"
    job = RunJob("e", "s", Endpoint("csv", {}), Endpoint("duckdb", {}), (), table_prefix="raw_", normalize_names=rule)
    assert output_name(job, TableJob("Orders")) == "raw_orders"
    assert output_name(job, TableJob("Orders", user_output_name="Mine")) == "Mine"


ALL = [
    Situation(mode, resync, keyed, tracked, tracked and mark, hard, truncate, existing)
    for mode, resync, keyed, tracked, mark, hard, truncate, existing in itertools.product(
        ("replicate", "snapshot", "append"),
        (None, "refetch", "resync", "rebuild"),
        *[(True, False)] * 5,
        ("absent", "owned", "foreign"),
    )
]


def test_no_ordinary_or_refetching_run_touches_a_table_of_somebody_else() -> None:
    for situation in ALL:
        if situation.existing == "foreign" and situation.resync_mode in (None, "refetch"):
            with pytest.raises(Refused):
                choose(situation)


def test_only_a_rebuild_or_a_keyless_replicate_drops_an_output() -> None:
    for situation in ALL:
        try:
            strategy = choose(situation)
        except Refused:
            continue
        if strategy.write == "recreate":
            assert situation.resync_mode == "rebuild" or (
                situation.mode == "replicate" and not situation.keyed and not situation.truncate_existing
            )


def test_absent_rows_are_judged_only_after_everything_was_read() -> None:
    for situation in ALL:
        try:
            strategy = choose(situation)
        except Refused:
            continue
        if strategy.absent != "keep":
            assert strategy.read == "all"
            assert strategy.write == "merge"
            assert (strategy.absent == "remove") == situation.hard_deletes


def test_a_resync_mode_reads_everything_whatever_the_watermark() -> None:
    for situation in ALL:
        if situation.resync_mode is None or (situation.mode == "append" and situation.resync_mode == "refetch"):
            continue
        adopted = replace(situation, existing="owned")
        assert choose(adopted).read == "all"
