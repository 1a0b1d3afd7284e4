"""Makes the sales database, the same one every time: `python -m q2_sales_report.make_data [FILE]`.

Two years of orders, some of them returned later. As in life, some orders lack their region and some
their price.
"""

from __future__ import annotations

import os
import random
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

FIRST, DAYS = date(2024, 7, 1), 730
REGIONS = {"North": 9, "South": 7, "East": 5, "West": 8}
PRODUCTS = {"Kettle": 3900, "Lamp": 5450, "Mixer": 8990, "Toaster": 4525}

TABLES = """
    create table orders (
        id integer primary key, day text not null, region text, product text not null,
        units integer not null, unit_cents integer);
    create table returns (
        id integer primary key, order_id integer not null references orders, day text not null,
        units integer not null);
"""


def main(path: Path) -> None:
    """Write the database; whoever reads it meanwhile sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / "sales.db"
        with closing(sqlite3.connect(made)) as sales, sales:
            sales.executescript(TABLES)
            orders = list(_orders(random.Random(20260630)))
            sales.executemany("insert into orders values (?, ?, ?, ?, ?, ?)", orders)
            returned = list(_returns(random.Random(20260701), orders))
            sales.executemany("insert into returns values (?, ?, ?, ?)", returned)
        os.replace(made, path)


Order = tuple[int, str, str | None, str, int, int | None]


def _orders(chance: random.Random) -> Iterator[Order]:
    number = 0
    for since in range(DAYS):
        day = FIRST + timedelta(days=since)
        busy = 6 + since / 250 + (3 if day.month in (11, 12) else 0)
        for _ in range(round(chance.gauss(busy, 1.5))):
            number += 1
            region = chance.choices(list(REGIONS), list(REGIONS.values()))[0]
            product, cents = chance.choice(list(PRODUCTS.items()))
            yield (
                number,
                day.isoformat(),
                None if chance.random() < 0.01 else region,
                product,
                chance.choice((1, 1, 1, 2, 2, 3, 6)),
                None if chance.random() < 0.007 else cents + 100 * (since // 365),
            )


def _returns(chance: random.Random, orders: list[Order]) -> Iterator[tuple[int, int, str, int]]:
    number = 0
    for order, day, _, product, units, _ in orders:
        if chance.random() < (0.11 if product == "Mixer" else 0.05):
            number += 1
            back = date.fromisoformat(day) + timedelta(days=chance.randint(2, 30))
            yield number, order, back.isoformat(), chance.randint(1, units)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2] or [Path(__file__).with_name("data") / "sales.db"]))
