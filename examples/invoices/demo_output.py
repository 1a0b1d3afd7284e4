"""How the demonstration shows its story: one screen, on a terminal of any width or none."""

from __future__ import annotations

import os
import shlex
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from lampwork.views import ConversationDetails, TaskRecord

console = Console(highlight=False)
if not console.is_terminal:
    console = Console(highlight=False, width=100)


_WIDE = {"supplier": 100, "decision": 76}
"""Columns that a narrow terminal is spared."""


def begin(model: str | None) -> None:
    heading("Six invoices, one genie, one kill -9")
    who = f"{model} decides." if model else "A script decides; --model openai:… asks a model."
    console.print(f"  Three skills: approve, ask for documents, flag. {who}", soft_wrap=True)
    console.print()


def event(what: str, more: str) -> None:
    now = time.strftime("%H:%M:%S") if what else ""
    console.print(f"{now:8}  [bold]{what:10}[/bold] {more}", soft_wrap=True)


def waiting(what: str) -> AbstractContextManager[Any]:
    """Says on a terminal that something goes on."""
    return console.status(what)


def heading(text: str) -> None:
    console.print(f"[bold]{text}[/bold]")


def effects(done: dict[str, Any], cut: str) -> None:
    """What the accounting service has on its books."""
    console.print()
    heading("What the accounting service saw")
    task = cut.partition(".")[0]
    columns = ["invoice", "supplier", "decision", "effects", "asked", f"key {task}…"]
    left_out = {name for name, width in _WIDE.items() if console.width < width}
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in columns:
        if name not in left_out:
            number = name in ("effects", "asked")
            table.add_column(name, justify="right" if number else "left", no_wrap=True)
    invoices = {each["id"]: each for each in done["invoices"]}
    for effect in done["effects"]:
        invoice = invoices[effect["invoice"]]
        cells = (
            invoice["id"],
            invoice["supplier"],
            effect["action"],
            str(invoice["effects"]),
            str(effect["repeats"] + 1),
            effect["key"].removeprefix(task),
        )
        row = [cell for name, cell in zip(columns, cells, strict=True) if name not in left_out]
        table.add_row(*row, style="bold" if effect["key"] == cut else "")
    console.print(Padding(table, (0, 0, 0, 2)))
    again = next(each for each in done["effects"] if each["key"] == cut)
    if again["repeats"]:
        console.print(
            f"  {again['invoice']} was asked for again after the kill, under the same key: "
            "done once.",
            soft_wrap=True,
        )


def metadata(conversations: list[ConversationDetails]) -> None:
    """What carried the id, and who read it."""
    console.print()
    heading("What the model saw of invoice_id")
    proofs = [task.proof for task in _tasks(conversations) if task.proof is not None]
    calls, clean = sum(each.requests for each in proofs), sum(each.clean for each in proofs)
    not_clean = [str(each) for each in proofs if each.clean < each.requests]
    end = "none of the requests held one" if not not_clean else "; ".join(not_clean)
    if cut_off := sum(each.cut_off for each in proofs):
        end += f"; the kill may have cut off {cut_off} more"
    console.print(f"  {calls} calls: {clean} clean; {end}.", soft_wrap=True)
    read = Counter(each.skill for proof in proofs for keys in proof.keys.values() for each in keys)
    by = ", ".join(f"{skill} ({count})" for skill, count in read.most_common())
    console.print(f"  The skills read it on record: {by or 'none was called'}.", soft_wrap=True)


def cost(conversations: list[ConversationDetails], model: str | None) -> None:
    console.print()
    heading("What it cost")
    used = Counter[str]()
    for task in _tasks(conversations):
        used.update(task.usage)
    requests, tokens = used["requests"], used["input_tokens"] + used["output_tokens"]
    if model is None:
        text = f"{requests} requests to a playbook, which is a script: no tokens, no money."
    else:
        text = f"{requests} requests to {model}, {tokens:,} tokens, {_dollars(used, 'cost')}."
        if used["unpriced_requests"]:
            text += f" {used['unpriced_requests']} have no known price."
    console.print(f"  {text}", soft_wrap=True)
    if used["estimated_requests"]:
        console.print(
            f"  The kill cut {used['estimated_requests']} of them off, which are counted at their "
            f"most: {used['estimated_tokens']:,} tokens, {_dollars(used, 'estimated')}.",
            soft_wrap=True,
        )


def _dollars(used: Counter[str], which: str) -> str:
    return f"${used[f'{which}_nanodollars'] / 1e9:.6f}"


def commands(lampwork: Path, home: Path, job_id: str, conversation_id: str) -> None:
    """Three to type next; the folder stays until the next demonstration."""
    console.print()
    heading("Look at what it left behind")
    for words in (("jobs",), ("job", job_id), ("conversation", conversation_id)):
        console.print(f"  {command(lampwork, home, *words)}", soft_wrap=True, markup=False)


def command(lampwork: Path, home: Path, *words: str) -> str:
    """A command that works where the demonstration was started."""
    found = shutil.which("lampwork")
    name = "lampwork" if found and Path(found).samefile(lampwork) else _from_here(lampwork)
    return shlex.join([name, *words, "--home", _from_here(home)])


def verdict(done: dict[str, Any], status: str, *, scripted: bool) -> int:
    """Whether all went as it should; the exit code."""
    console.print()
    counts = [each["effects"] for each in done["invoices"]]
    if status == "succeeded" and all(count == 1 for count in counts):
        console.print("[bold]Each invoice was handled once.[/bold]")
        return 0
    if status == "succeeded" and all(counts) and not scripted:
        console.print("The model decided more than once about an invoice, under a key for each.")
        return 0
    console.print(f"[bold]Not every invoice was handled once.[/bold] The job: {status}.")
    return 1


def _tasks(conversations: list[ConversationDetails]) -> Iterator[TaskRecord]:
    for conversation in conversations:
        yield from conversation.task_records


def _from_here(path: Path) -> str:
    return min(os.path.relpath(path), str(path), key=len)
