"""`curl`, as far as pages type it: not every machine has the real one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import httpx


def main() -> None:
    typed = argparse.ArgumentParser("curl", allow_abbrev=False)
    typed.add_argument("url")
    typed.add_argument("--json")
    typed.add_argument("--data-binary", dest="file")
    typed.add_argument("-H", action="append", default=[], dest="headers")
    typed.add_argument("-X", dest="method")
    given = typed.parse_args()

    headers = httpx.Headers([tuple(each.split(": ", 1)) for each in given.headers])
    content = None
    if given.json is not None:
        headers.setdefault("Content-Type", "application/json")
        content = given.json.encode()
    elif given.file is not None:
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        content = Path(given.file.removeprefix("@")).read_bytes()
    method = given.method or ("GET" if content is None else "POST")
    answered = httpx.request(method, given.url, headers=headers, content=content, timeout=60)
    sys.stdout.write(answered.text)


if __name__ == "__main__":
    main()
