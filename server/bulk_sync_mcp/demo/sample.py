"""The generated source: a shop in a SQLite file, the same for the same number of rows."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bulk_sync_mcp.demo.places import Place

DEFAULT_ROWS = 300_000
FEWEST_ROWS = 100

_TABLES = """
CREATE TABLE customers (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT, balance DECIMAL(12,2), vip BOOLEAN, signed_up TIMESTAMP,
  born DATE, note TEXT);
CREATE TABLE products (
  sku TEXT PRIMARY KEY, title TEXT, "group" TEXT, "order" INTEGER, weight REAL, barcode BIGINT, picture BLOB);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY, customer_id INTEGER, total DECIMAL(12,2), status TEXT, placed_at TIMESTAMP, note TEXT);
CREATE TABLE order_items (
  order_id INTEGER, line INTEGER, sku TEXT, quantity INTEGER, price DECIMAL(10,2), PRIMARY KEY (order_id, line));
CREATE TABLE page_views (at TIMESTAMP, session BLOB, page TEXT, milliseconds INTEGER);
"""
_NAMES = (
    "Zoë Müller",
    "José Núñez",
    "李小龍",
    "Ольга Петрова",
    "Aoife O’Brien",
    "יעל כהן",
    "Þórdís",
    "नेहा शर्मा",
    "Łukasz 🚲",
)
_NOTES = (None, "", "“quoted”, with a comma", "two\nlines", "naïve café", "🎁 gift", None, "back\\slash | bar")
_GROUPS = ("bicycles", "Zubehör", "衣類", None)
_STATES = ("open", "paid", "shipped", "returned")
_START = datetime(2024, 2, 28, 23, 59, 59, 123_456)


def make(path: Path, rows: int) -> Place:
    """Writes about `rows` rows in five tables: one has a composite key, one has none."""
    sizes = {
        "customers": rows // 15,
        "products": max(4, rows // 150),
        "orders": rows * 4 // 15,
        "order_items": rows * 8 // 15,
    }
    sizes["page_views"] = rows - sum(sizes.values())
    makers = {
        "customers": _customers,
        "products": _products,
        "orders": _orders,
        "order_items": _order_items,
        "page_views": _page_views,
    }
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(_TABLES)
        for table, size in sizes.items():
            (columns,) = connection.execute("SELECT count(*) FROM pragma_table_info(?)", [table]).fetchone()
            marks = ", ".join("?" * columns)
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", makers[table](size))  # noqa: S608
    return Place("sqlite", path)


def _moment(index: int, step: float) -> str:
    return str(_START + timedelta(seconds=index * step))


def _customers(size: int) -> Iterator[tuple[Any, ...]]:
    for i in range(1, size + 1):
        email = None if i % 7 == 0 else f"customer{i}@example.com"
        born = None if i % 11 == 0 else f"{1940 + i % 70}-{i % 12 + 1:02}-{i % 28 + 1:02}"
        balance = None if i % 13 == 0 else (i * 7919 % 2_000_000 - 500_000) / 100
        yield i, f"{_NAMES[i % 9]} {i}", email, balance, i % 5 == 0, _moment(i, 3_607.5), born, _NOTES[i % 8]


def _products(size: int) -> Iterator[tuple[Any, ...]]:
    for i in range(size):
        picture = None if i % 9 == 0 else bytes((i * j + j) % 256 for j in range(48))
        barcode = 9_007_199_254_740_993 + i  # not exact as a double
        yield f"SKU-{i:05}", f"Produkt №{i}", _GROUPS[i % 4], size - i, i * 0.375 + 0.1, barcode, picture


def _orders(size: int) -> Iterator[tuple[Any, ...]]:
    for i in range(1, size + 1):
        total = (i * 104_729 % 5_000_000) / 100
        yield i, i % 20_000 + 1, total, _STATES[i % 4], _moment(i, 61.25), _NOTES[(i // 3) % 8]


def _order_items(size: int) -> Iterator[tuple[Any, ...]]:
    for i in range(size):
        yield i // 2 + 1, i % 2 + 1, f"SKU-{i % 2_000:05}", i % 9 + 1, (i * 31 % 99_999) / 100


def _page_views(size: int) -> Iterator[tuple[Any, ...]]:
    for i in range(size):
        session = None if i % 10 == 0 else (i // 6).to_bytes(4, "big") + b"\0"
        # Every fourth row twice: without a key nothing tells them apart.
        yield _moment(i - i % 4, 11.5), session, f"/produkte/{i % 400}?größe=L", None if i % 6 == 0 else i % 3_000
