"""The company's systems as recipes and skills see them (their address: SYSTEMS_URL)."""

from __future__ import annotations

import os

import httpx
from pydantic import BaseModel


class Export(BaseModel):
    system: str
    url: str
    records: str


class Entry(BaseModel):
    number: int
    control: str


async def begin_export(system: str, *, idempotency_key: str) -> int:
    """Ask for an export, which takes its time; its number."""
    async with _service() as service:
        answer = await service.post(f"/exports/{system}", headers=_key(idempotency_key))
        return int(answer.raise_for_status().json()["number"])


async def is_ready(number: int) -> bool:
    async with _service() as service:
        answer = await service.get(f"/exports/{number}")
        return bool(answer.raise_for_status().json()["ready"])


async def upload(system: str, number: int) -> Export:
    """Put an export where evidence is stored: the same content has the same address."""
    async with _service() as service:
        records = (await service.get(f"/exports/{number}/records")).raise_for_status()
        stored = await service.put(f"/files/{system}.csv", content=records.content)
        url = stored.raise_for_status().json()["url"]
    return Export(system=system, url=url, records=records.text)


async def file(control: str, url: str, note: str, *, idempotency_key: str) -> Entry:
    """Enter evidence in the binder of the audit."""
    body = {"control": control, "url": url, "note": note}
    async with _service() as service:
        answer = await service.post("/binder", json=body, headers=_key(idempotency_key))
        return Entry.model_validate(answer.raise_for_status().json())


def _key(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def _service() -> httpx.AsyncClient:
    url = os.environ.get("SYSTEMS_URL", "http://127.0.0.1:8767")
    return httpx.AsyncClient(base_url=url, timeout=30, trust_env=False)
