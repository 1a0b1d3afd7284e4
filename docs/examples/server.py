import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

SHOP = str(Path(__file__).with_name("shop.py"))


def call(method: str, url: str, body: Any = None, **headers: str) -> Any:
    """What the API answers, or the problem that it has."""
    headers["Content-Type"] = "application/json"
    data = None if body is None else json.dumps(body).encode()
    try:
        with urlopen(Request(url, data, headers, method=method)) as answered:
            return json.load(answered)
    except HTTPError as refused:
        return json.load(refused)


def main(api: str) -> None:
    orders = f"{api}/api/projects/shop/recipes/order/jobs"
    print(call("POST", orders, {"input": {}})["detail"])

    job = call("POST", orders, {"input": {"item": "lamp"}}, **{"Idempotency-Key": "order 7"})
    url = f"{api}/api/jobs/{job['job_id']}"
    while not (order := call("GET", url))["waiting_on"]:
        time.sleep(0.1)  # a page would look again
    print("waits for", order["waiting_on"][0]["what"])

    call("POST", f"{url}/events/colour", {"value": "red"})
    while (order := call("GET", url))["status"] != "succeeded":
        time.sleep(0.1)
    print(order["output"])


if __name__ == "__main__":
    lampwork = [sys.executable, "-m", "lampwork", "serve", SHOP, "--port", "0", "--json"]
    with subprocess.Popen(
        lampwork, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        said = ""
        while not said.endswith("}\n"):  # what it says when it is ready
            said += server.stdout.readline()
        main(json.loads(said)["url"])
        server.terminate()
