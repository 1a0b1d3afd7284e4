"""`python test_project.py`, or `pytest`. The playbook replies, so no key is needed."""

import asyncio
from tempfile import TemporaryDirectory

from lampwork import TaskAnswer

from project import VOUCHERS, Reply, answer_customer, project, support


def test_a_parcel_that_is_on_time_gets_an_answer_and_no_voucher() -> None:
    VOUCHERS.clear()
    with TemporaryDirectory() as folder:
        reply = project.run(answer_customer, home=folder, order="A-1002", question="Where is it?")

    assert reply == Reply(text="Your parcel is on time.")
    assert VOUCHERS == {}


def test_the_voucher_is_for_the_tasks_order_which_the_model_is_never_shown() -> None:
    VOUCHERS.clear()
    task = asyncio.run(_task_about("A-1001"))

    assert task.output.voucher == 5
    assert list(VOUCHERS.values()) == [("A-1001", 5)]  # the skill was given the order,
    assert [action.arguments for action in task.actions] == [{"euros": 5}]  # the model gave none,
    assert (task.proof.requests, task.proof.clean) == (2, 2)  # and no request had it in it


async def _task_about(order: str) -> TaskAnswer[Reply]:
    with TemporaryDirectory() as folder:
        async with project.open(folder) as app:
            return await app.assign_task(
                support,
                "Answer the customer's question.",
                data={"question": "Where is it?", "days_late": 4},
                metadata={"order": order},
                output=Reply,
            )


if __name__ == "__main__":
    test_a_parcel_that_is_on_time_gets_an_answer_and_no_voucher()
    test_the_voucher_is_for_the_tasks_order_which_the_model_is_never_shown()
    print("2 tests passed")
