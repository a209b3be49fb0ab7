"""No secret reaches the audit log or the server's log, and what remains can still be read."""

import json
import logging
import secrets
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_sync_mcp.observe.log import LogFormatter
from bulk_sync_mcp.observe.redact import HARMLESS_SETTINGS, SECRET_WORDS, Redactor, is_secret_name
from observe.kit import SYNC

REDACT = Redactor()
PLANTED = "hunter2-and-then-some"


def said(value: Any) -> str:
    return json.dumps(REDACT.arguments(value))


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "db_password",
        "clientSecret",
        "api_key",
        "apiKey",
        "apikey",
        "APIKey",
        "access-token",
        "private_key",
        "credentials",
        "confirmation",
        "sasSignature",
        "AuthToken",
        "service_account_key",
        "Cookie",
        "dsn",
    ],
)
def test_a_name_that_promises_a_secret_has_its_value_removed_whatever_it_is(name: str) -> None:
    for value in (PLANTED, [PLANTED], {"x": PLANTED}, {"x": [{"y": PLANTED}]}, 4711):
        assert REDACT.arguments({name: value}) == {name: "[removed]"}
        assert PLANTED not in said({name: value})
        assert "4711" not in said({"outer": [{name: value}]})


@pytest.mark.parametrize(
    "name", ["partition_key", "primary_key", "tracking_field", "keyboard", "monkey", "passenger", "tokenize"]
)
def test_names_of_columns_and_plain_words_are_no_secrets(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize("side", ["configuration", "source_configuration", "destination_configuration"])
def test_of_a_configuration_only_harmless_settings_are_shown(side: str) -> None:
    given_ = {
        "schema": "public",
        "host": PLANTED,
        "advanced": {"table_prefix": "x_", "hard_deletes": True, "role": PLANTED},
    }
    assert REDACT.arguments({side: given_}) == {
        side: {
            "schema": "public",
            "host": "[removed]",
            "advanced": {"table_prefix": "x_", "hard_deletes": True, "role": "[removed]"},
        }
    }


def test_a_cleared_setting_and_a_switch_are_shown() -> None:
    shown = REDACT.arguments({"configuration": {"password": None, "ssl": True}})
    assert shown == {"configuration": {"password": None, "ssl": True}}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"postgres://ann:{PLANTED}@db.example.com/shop", "postgres://[removed]@db.example.com/shop"),
        (f"postgres://ann:a@b/{PLANTED}@db.example.com/shop", "postgres://[removed]@db.example.com/shop"),
        (f"https://{PLANTED}@host/x", "https://[removed]@host/x"),
        (f"s3://bucket/a.csv?X-Amz-Signature={PLANTED}&b=1", "s3://bucket/a.csv?[removed]"),
        (f"https://host/x#{PLANTED}", "https://host/x?[removed]"),
        (f"Authorization: Bearer {PLANTED}", "Authorization: [removed]"),
        (f"sent Bearer {PLANTED} there", "sent Bearer [removed] there"),
        (f"password={PLANTED}; host=db", "password=[removed]; host=db"),
        (f'{{"client_secret": "{PLANTED}", "a": 1}}', '{"client_secret": "[removed]", "a": 1}'),
        (f"-----BEGIN PRIVATE KEY-----\n{PLANTED}\n-----END PRIVATE KEY-----", "[removed]"),
        (f"-----BEGIN PRIVATE KEY-----\n{PLANTED}", "[removed]"),
        ("a key ghp_16C7e42F292c6912E7710c838347Ae178B4a", "a key [removed]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "[removed]"),
        ("AKIAIOSFODNN7EXAMPLE", "[removed]"),
        ("sha 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", "sha [removed]"),
    ],
)
def test_secrets_inside_texts_are_removed(text: str, shown: str) -> None:
    assert REDACT.text(text) == shown
    assert PLANTED not in said({"name": text, "list": [text], "map": {"x": text}})


@pytest.mark.parametrize(
    "text",
    [
        "Shop",
        SYNC,
        f"{SYNC}:customers",
        "public.fct_order_lines_2024_q1_v2",
        "CustomerOrders2024ArchiveTable",
        "s3_us_east_1_b2b_v3_q4",
        "exports/2024/05/customers.parquet",
        "https://app.polytomic.com/syncs",
        "a basic understanding of bearers",
        "Đorđe",
        "SalesforceAccountHistoryTrackingChange",
        "2026-05-12T04:15:00Z",
        "ann@example.com",
        "[removed]",
    ],
)
def test_ordinary_words_stay_as_they_are(text: str) -> None:
    assert REDACT.text(text) == text


def test_removing_twice_is_removing_once() -> None:
    text = f"password={PLANTED} https://u:{PLANTED}@h/x?y=1 Authorization: Basic {PLANTED}"
    once = REDACT.text(text)
    assert REDACT.text(once) == once


def test_random_tokens_are_removed_nearly_always() -> None:
    left = [token for token in (secrets.token_urlsafe(32) for _ in range(500)) if REDACT.text(token) == token]
    assert len(left) <= 5


def test_a_configured_secret_is_removed_wherever_it_stands() -> None:
    known = Redactor(["correct horse battery"])
    assert known.arguments({"name": "xcorrect horse batteryx"}) == {"name": "x[removed]x"}
    assert "horse" not in json.dumps(known.arguments({"a": {"correct horse battery": [1]}}))


def test_a_secret_used_as_a_name_of_a_setting_is_removed() -> None:
    token = "Wv7Lq2Zt9Xb4Kp3Rm8Ns5"
    assert token not in said({"configuration": {token: 1, f"{token} x": True}})


def test_text_is_one_line_of_bounded_length_without_control_characters() -> None:
    shown = REDACT.arguments({"name": "a\nb\u202e\x07" + "c " * 1000})["name"]
    assert shown.startswith("a b")
    assert len(shown) <= 500


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(arguments=st.dictionaries(st.text(max_size=12), JSON, max_size=4))
def test_any_arguments_can_be_written_down(arguments: dict[str, Any]) -> None:
    json.dumps(REDACT.arguments(arguments)).encode()


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(sorted(SECRET_WORDS)),
    before=st.sampled_from(["", "db_", "my-", "aws"]),
    nested=st.sampled_from(["plain", "configuration", "list"]),
    secret=st.text(string.ascii_letters + string.digits + "!%&/@:", min_size=8, max_size=20).map(
        lambda text: f"\u00a7{text}"
    ),
)
def test_a_planted_secret_never_appears_under_a_secret_name(name: str, before: str, nested: str, secret: str) -> None:
    key = before + (name.capitalize() if before == "aws" else name)
    inside: Any = {
        "plain": {key: secret},
        "configuration": {"configuration": {key: secret}},
        "list": {"x": [{key: [secret]}]},
    }
    assert secret not in json.dumps(REDACT.arguments(inside[nested]), ensure_ascii=False)


@settings(max_examples=100, deadline=None)
@given(setting=st.text(string.ascii_lowercase + "_", min_size=1, max_size=15), depth=st.integers(0, 3))
def test_a_setting_nobody_knows_is_never_shown(setting: str, depth: int) -> None:
    value: Any = {setting: PLANTED}
    for _ in range(depth):
        value = {"advanced": [value]}
    if setting not in HARMLESS_SETTINGS:
        assert PLANTED not in said({"destination_configuration": value})


def formatted(message: str, *arguments: object, error: BaseException | None = None) -> str:
    given_ = (type(error), error, None) if error else None
    record = logging.LogRecord("x.y", logging.ERROR, __file__, 1, message, arguments, given_)
    return LogFormatter(Redactor(["correct horse battery"])).format(record)


def test_a_log_line_is_one_line_without_secrets() -> None:
    line = formatted("failed %s\nAuthorization: Bearer %s", "correct horse battery", PLANTED)
    assert "\n" not in line
    assert "horse" not in line
    assert PLANTED not in line
    assert "level=ERROR logger=x.y message=" in line


def test_a_traceback_in_the_log_is_without_secrets_too() -> None:
    line = formatted("failed", error=ValueError(f"https://u:{PLANTED}@host and correct horse battery"))
    assert "ValueError" in line
    assert PLANTED not in line
    assert "horse" not in line


def test_a_log_record_whose_arguments_do_not_fit_is_told_without_them() -> None:
    assert PLANTED not in formatted("failed %d", PLANTED)
