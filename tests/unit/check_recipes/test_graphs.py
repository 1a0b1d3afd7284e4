"""`project.graph()`: what a recipe may do and in which order, as its source says it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.check_recipes.drawn import Draw, nodes, unknown, ways

from lampwork import Job
from lampwork.graphs.job_calls import KINDS, QUIET

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
