"""`project.graph()`: what a recipe may do and in which order, as its source says it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent, indent

import pytest

from lampwork import Job, Project
from lampwork.graphs.job_calls import KINDS, QUIET
from lampwork.views import Graph, Node

Draw = Callable[..., Graph]


@pytest.fixture
def draw(written) -> Draw:
    """The graph of a recipe with this body."""

    def draw(body: str, before: str = "") -> Graph:
        recipe = "@project.recipe()\nasync def ship(job: Job, items: list[str]) -> None:\n"
        project: Project = written(dedent(before) + recipe + indent(dedent(body), "    ") + "\n")
        return project.graph("ship")

    return draw


def called(node: Node) -> str:
    return node.kind if node.kind in ("begin", "end", "gather") else f"{node.kind} {node.name}"


def ways(graph: Graph) -> list[str]:
    """Its edges, in words."""
    names = {each.id: called(each) for each in graph.nodes}
    return [
        f"{names[each.source]} {f'-{each.label}' if each.label else ''}"
        f"{'!' if each.raises else ''}> {names[each.target]}"
        for each in graph.edges
    ]


def nodes(graph: Graph) -> list[str]:
    """Its nodes between begin and end, each below the one that it is a part of."""
    depth: dict[str | None, int] = {None: -1}
    for each in graph.nodes:
        depth[each.id] = depth[each.within] + 1
    return ["  " * depth[each.id] + called(each) for each in graph.nodes[1:-1]]


def unknown(graph: Graph) -> list[tuple[str, str]]:
    return [(each.name, each.reason or "") for each in graph.nodes if each.kind == "unknown"]


# --- calls of the job ---


def test_every_call_of_the_job_has_a_kind_or_is_not_drawn() -> None:
    public = {name for name in dir(Job) if name[0] != "_"}

    assert public <= KINDS.keys() | QUIET


def test_calls_stand_in_their_order_each_with_what_it_is_about(draw: Draw) -> None:
    graph = draw(
        """
        kg = await job.step(weigh, "box")
        await job.options(name="again", timeout=5).step(weigh)
        await job.step(look_up, "A-1")
        answer = await job.assign_task(clerk, "Decide.")
        await job.assign_task("mute", f"{kg} kg")
        await job.sleep(60)
        await job.wait_for("paid", int)
        await job.now()
        await job.call(pack, kg)
        await job.start(pack, kg)
        await job.request_approval("Send it?", approvers=[])
        await job.send_app_event(clerk, user="ann", message="sent")
        job.log("done")
        job.on_end(weigh)
        """,
        "@project.recipe()\nasync def pack(job: Job, kg: int) -> None: ...\n\n",
    )

    assert nodes(graph) == [
        "step weigh",
        "step again",
        "step look_up",
        "task clerk",
        "task mute",
        "sleep 60",
        "wait_for paid",
        "value now",
        "call pack",
        "start pack",
        "approval Send it?",
        "app_event clerk",
        "on_end written:weigh",
    ]
    assert [(e.source, e.target) for e in graph.edges] == [
        (f"n{i}", f"n{i + 1}") for i in range(14)
    ]
    assert [each.name for each in graph.nodes if each.waits] == [
        *("clerk", "mute", "60", "paid", "pack", "Send it?")
    ]
    assert {each.name for each in graph.nodes if each.recipe == "pack"} == {"pack"}


def test_what_is_given_to_a_call_comes_before_it(draw: Draw) -> None:
    graph = draw("await job.call(ship, [str(await job.step(weigh))])")

    assert nodes(graph) == ["step weigh", "call ship"]


def test_a_node_says_where_it_is_written(draw: Draw, tmp_path: Path) -> None:
    graph = draw("await job.sleep(\n    7)")

    sleep = graph.nodes[1]
    lines = (tmp_path / "written.py").read_text().splitlines()
    assert (sleep.file, sleep.text) == ("written.py", "job.sleep(7)")
    assert lines[sleep.line - 1].strip() == "await job.sleep("
    [code] = graph.code
    assert (code.name, code.file) == ("ship", "written.py")
    assert code.text.splitlines()[0] == "@project.recipe()"
    assert lines[code.line - 1 : code.line + 3] == code.text.splitlines()


# --- side by side ---


def test_branches_of_gather_go_side_by_side(draw: Draw) -> None:
    graph = draw("await job.gather(job.step(weigh), job.sleep(1))\nawait job.sleep(2)")

    assert ways(graph) == [
        "begin > gather",
        "gather > step weigh",
        "gather > sleep 1",
        "step weigh > sleep 2",
        "sleep 1 > sleep 2",
        "sleep 2 > end",
    ]


def test_calls_in_a_comprehension_are_in_a_loop(draw: Draw) -> None:
    graph = draw("await job.gather(*[job.step(weigh, each) for each in items if each])")

    assert nodes(graph) == ["gather", "  loop for each in items", "    step weigh"]
    assert ways(graph) == [
        "begin > gather",
        "gather > loop for each in items",
        "loop for each in items -each> step weigh",
        "step weigh -again> loop for each in items",
        "loop for each in items -done> end",
    ]


def test_a_map_holds_what_its_function_does(draw: Draw) -> None:
    graph = draw(
        "await job.map(pack, items, limit=2)\nawait job.sleep(1)",
        "async def pack(job: Job, item: str) -> None:\n    await job.step(weigh, item)\n\n",
    )

    assert nodes(graph) == ["map written:pack", "  step weigh", "sleep 1"]
    assert "map written:pack -each> step weigh" in ways(graph)
    assert [each.name for each in graph.code] == ["ship", "pack"]


def test_what_is_done_after_the_end_leads_nowhere(draw: Draw) -> None:
    graph = draw(
        "job.on_end(clean)\nawait job.sleep(1)",
        "async def clean(job: Job) -> None:\n    await job.step(weigh)\n\n",
    )

    assert ways(graph) == [
        "begin > on_end written:clean",
        "on_end written:clean -after the end> step weigh",
        "on_end written:clean > sleep 1",
        "sleep 1 > end",
    ]


# --- branches and loops ---


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "if items:\n    await job.sleep(1)\nelif await job.random() > 0.5:\n    return\n"
            "await job.sleep(2)",
            [
                "begin > branch items",
                "branch items -yes> sleep 1",
                "branch items -no> value random",
                "value random > branch await job.random() > 0.5",
                "sleep 1 > sleep 2",
                "branch await job.random() > 0.5 -no> sleep 2",
                "sleep 2 > end",
                "branch await job.random() > 0.5 -yes> end",
            ],
        ),
        (
            "x = await job.step(weigh) if items else 0",
            [
                "begin > branch items",
                "branch items -yes> step weigh",
                "step weigh > end",
                "branch items -no> end",
            ],
        ),
        (
            "x = items and await job.step(weigh)",
            [
                "begin > branch items",
                "branch items -yes> step weigh",
                "step weigh > end",
                "branch items -no> end",
            ],
        ),
        (
            "match items:\n    case []:\n        await job.sleep(1)\n"
            "    case [x] if x:\n        raise ValueError(x)\n    case _:\n        pass",
            [
                "begin > branch items",
                "branch items -case []> sleep 1",
                "sleep 1 > end",
                "branch items -case _> end",
                "branch items -case [x] if x!> end",
            ],
        ),
        (
            "for x in items:\n    if not x:\n        continue\n    if x == 'stop':\n        break\n"
            "    await job.step(weigh, x)\nelse:\n    await job.sleep(1)",
            [
                "begin > loop for x in items",
                "loop for x in items -each> branch not x",
                "branch not x -no> branch x == 'stop'",
                "branch x == 'stop' -no> step weigh",
                "step weigh -again> loop for x in items",
                "branch not x -yes> loop for x in items",
                "loop for x in items -done> sleep 1",
                "sleep 1 > end",
                "branch x == 'stop' -yes> end",
            ],
        ),
        (
            "while await job.random() < 0.5:\n    await job.sleep(1)",
            [
                "begin > loop while await job.random() < 0.5",
                "loop while await job.random() < 0.5 -yes> value random",
                "value random -yes> sleep 1",
                "sleep 1 -again> loop while await job.random() < 0.5",
                "loop while await job.random() < 0.5 -no> end",
            ],
        ),
        (
            "while True:\n    await job.sleep(1)",
            [
                "begin > loop while True",
                "loop while True > sleep 1",
                "sleep 1 -again> loop while True",
            ],
        ),
    ],
)
def test_branches_and_loops_say_which_way_is_taken(
    draw: Draw, body: str, expected: list[str]
) -> None:
    assert ways(draw(body)) == expected


def test_what_does_nothing_of_the_job_is_not_drawn(draw: Draw) -> None:
    graph = draw(
        """
        total = 0
        for each in items:
            if each and each != "x":
                total += sum(add(1) for _ in each)
        try:
            int(items[0])
        except ValueError:
            pass
        with contextlib.suppress(KeyError):
            print(job, isinstance(job, Job), job.id)
        await job.sleep(1)
        return
        await job.sleep(2)
        """,
        """
        def add(n: int) -> int:
            if n > 5:
                raise ValueError
            return add(n + 1)

        """,
    )

    assert ways(graph) == ["begin > sleep 1", "sleep 1 > end"]


# --- errors ---


def test_try_leads_to_what_catches_and_all_ways_lead_through_finally(draw: Draw) -> None:
    graph = draw(
        """
        try:
            await job.step(weigh)
            if items:
                return
        except ValueError:
            await job.sleep(1)
        finally:
            await job.sleep(2)
        await job.sleep(3)
        """
    )

    assert ways(graph) == [
        "begin > try except ValueError",
        "try except ValueError > step weigh",
        "step weigh > branch items",
        "try except ValueError -except ValueError> sleep 1",
        "branch items -no> sleep 2",
        "sleep 1 > sleep 2",
        "branch items -yes> sleep 2",
        "sleep 2 > sleep 3",
        "sleep 3 > end",
        "sleep 2 > end",
    ]
    [acting] = [each for each in graph.nodes if each.name == "2"]
    assert [each.code for each in acting.findings] == ["finally_around_job_call"]


def test_what_is_raised_within_try_leads_to_its_handlers_else_to_the_end(draw: Draw) -> None:
    graph = draw(
        """
        try:
            await job.step(weigh)
            raise KeyError
        except (KeyError, ValueError):
            await job.sleep(1)
            raise
        """
    )

    assert ways(graph)[2:] == [
        "try except (KeyError, ValueError) -except (KeyError, ValueError)> sleep 1",
        "step weigh -except (KeyError, ValueError)!> sleep 1",
        "sleep 1 !> end",
    ]


def test_a_block_of_with_is_read_and_so_is_what_opens_it(draw: Draw) -> None:
    graph = draw(
        """
        async with contextlib.AsyncExitStack() as stack, opened(job):
            await job.sleep(1)
        """,
        """
        @contextlib.asynccontextmanager
        async def opened(job: Job):
            await job.step(weigh)
            yield

        """,
    )

    assert nodes(graph) == ["unknown opened", "sleep 1"]
    assert "generator" in unknown(graph)[0][1]


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
