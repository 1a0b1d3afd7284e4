"""What `project.graph()` follows, what only a run can tell, and where findings stand in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.check_recipes.drawn import Draw, nodes, unknown, ways

from lampwork import Job, Project

# --- functions ---


def test_helpers_and_closures_are_followed_wherever_they_are_called(draw: Draw) -> None:
    graph = draw(
        """
        async def close(each: str) -> None:
            await job.step(weigh, each)

        await pack(job, 1)
        for each in items:
            await close(each)
        """,
        """
        async def pack(of: Job, n: int) -> int:
            if n:
                return await seal(work=of)
            return n

        async def seal(work) -> int:
            return await work.sleep(5)

        """,
    )

    assert nodes(graph) == [
        "helper pack",
        "  branch n",
        "    helper seal",
        "      sleep 5",
        "loop for each in items",
        "  helper close",
        "    step weigh",
    ]
    assert [each.name for each in graph.code] == ["ship", "pack", "seal", "close"]


def test_a_function_that_calls_itself_leads_back(draw: Draw) -> None:
    graph = draw(
        "await halve(job, 8)",
        """
        async def halve(job: Job, n: int) -> None:
            await job.step(weigh)
            if n:
                await halve(job, n // 2)

        """,
    )

    assert nodes(graph) == ["helper halve", "  step weigh", "  branch n", "    again halve"]
    assert "again halve -again> helper halve" in ways(graph)


def test_a_method_of_an_object_of_the_module_is_followed(draw: Draw) -> None:
    graph = draw(
        "await packer.pack(job)",
        """
        class Packer:
            async def pack(self, work) -> None:
                await work.sleep(1)

        packer = Packer()

        """,
    )

    assert nodes(graph) == ["helper pack", "  sleep 1"]


def test_a_decorated_helper_is_read_and_says_that_the_decorator_is_not(draw: Draw) -> None:
    graph = draw(
        "await pack(job)",
        """
        import functools

        def twice(fn):
            @functools.wraps(fn)
            async def wrapper(*given):
                await fn(*given)
                return await fn(*given)
            return wrapper

        @twice
        async def pack(job: Job) -> None:
            await job.sleep(1)

        """,
    )

    assert nodes(graph) == ["helper pack", "  sleep 1"]
    assert graph.nodes[1].reason == "what twice does around it is not drawn"


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[None]:
    """A package beside the project."""
    (tmp_path / "depot").mkdir()
    (tmp_path / "depot" / "__init__.py").touch()
    (tmp_path / "depot" / "ramp.py").write_text(
        "async def load(job):\n    await job.sleep(1)\n    from time import time\n    time()\n"
    )
    sys.path.insert(0, str(tmp_path))
    yield
    sys.path.remove(str(tmp_path))
    for name in ("depot", "depot.ramp"):
        sys.modules.pop(name, None)


def test_a_helper_in_another_module_has_that_ones_file_and_findings(draw: Draw, beside) -> None:
    graph = draw("await load(job)", "from depot.ramp import load\n\n")

    helper, sleep = graph.nodes[1:3]
    assert (helper.file, sleep.file, sleep.line) == ("written.py", "depot/ramp.py", 2)
    [finding] = helper.findings
    assert (finding.code, finding.file, finding.line) == ("unrecorded_call", "depot/ramp.py", 4)


# --- what only a run can tell ---


@pytest.mark.parametrize(
    ("body", "name", "why"),
    [
        ("await getattr(job, items[0])(weigh)", "getattr", "only a run can tell"),
        ("await job.frobnicate()", "job.frobnicate", "no frobnicate()"),
        ("f = items[0]\nawait f(job)", "f", "can't be found"),
        ("await asyncio.wait_for(lambda: job.sleep(1), 3)", "lambda", "lambda"),
        ("f = job.step\nawait f(weigh)", "job.step", "passed on"),
        ("items.append(job)", "items.append", "can't be found"),
        ("x = {'job': job}", "job", "out of sight"),
        (
            "async def pack():\n    await job.sleep(1)\nawait asyncio.shield(pack)",
            "pack",
            "passed on",
        ),
        (
            "class Packer:\n    async def pack(self):\n        await job.sleep(1)\n"
            "await Packer().pack()",
            "Packer",
            "class Packer has the job",
        ),
    ],
)
def test_what_can_not_be_read_is_unknown_and_says_why(
    draw: Draw, body: str, name: str, why: str
) -> None:
    [(what, reason)] = unknown(draw(body))

    assert what == name
    assert why in reason


def test_a_child_that_only_a_run_can_tell_says_so(draw: Draw) -> None:
    graph = draw("f = items[0]\nawait job.map(f, items)\nawait job.assign_task(f, 'Do.')")

    assert [(each.kind, each.name, each.reason) for each in graph.nodes[1:-1]] == [
        ("map", "f", "which one, only a run can tell"),
        ("task", "f", "which one, only a run can tell"),
    ]


def test_a_recipe_whose_source_is_not_there_is_one_unknown_node() -> None:
    project = Project("shop")
    namespace: dict[str, object] = {"project": project, "Job": Job}
    exec("@project.recipe()\nasync def ship(job: Job) -> None: ...", namespace)

    [node] = project.graph("ship").nodes
    assert (node.kind, node.name) == ("unknown", "ship")


def test_a_recipe_that_leads_to_very_much_is_not_drawn_whole(draw: Draw) -> None:
    calls = "".join(
        f"async def f{i}(job: Job) -> None:\n    await f{i + 1}(job)\n    await f{i + 1}(job)\n\n"
        for i in range(20)
    )
    graph = draw("await f0(job)", calls + "async def f20(job: Job) -> None: await job.sleep(1)\n\n")

    assert 1000 < len(graph.nodes) < 1100
    assert "more than 1000 nodes" in unknown(graph)[-1][1]


# --- findings ---


def test_findings_stand_at_the_node_that_is_written_closest_around_them(draw: Draw) -> None:
    graph = draw(
        """
        time.time()
        for each in items:
            random.random()
            await job.step(
                weigh,
                kilos=uuid.uuid4(),
            )
        job.sleep(1)
        """
    )

    found = {each.kind: [f.code for f in each.findings] for each in graph.nodes if each.findings}
    assert found == {
        "begin": ["unrecorded_call"],
        "loop": ["unrecorded_call"],
        "step": ["unrecorded_call"],
        "sleep": ["call_not_awaited"],
    }
    assert {f.file for each in graph.nodes for f in each.findings} == {"written.py"}
