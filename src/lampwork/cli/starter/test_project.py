"""`python test_project.py`, or `pytest`. No model is asked: the script replies."""

from lampwork import testing

from project import VOUCHERS, Reply, answer_customer, project, script


def test_a_parcel_that_is_on_time_gets_an_answer_and_no_voucher() -> None:
    VOUCHERS.clear()
    test = testing.opened(project, models={"support": script})

    reply = test.run(answer_customer, order="A-1002", question="Where is it?")

    assert reply == Reply(text="Your parcel is on time.")
    assert VOUCHERS == {}


def test_the_voucher_is_for_the_order_which_the_model_is_never_shown() -> None:
    VOUCHERS.clear()
    test = testing.opened(project, models={"support": script})

    reply = test.run(answer_customer, order="A-1001", question="Where is it?")

    assert reply.voucher == 5
    assert list(VOUCHERS.values()) == [("A-1001", 5)]  # the skill was given the order,
    assert len(test.requests) == 2
    assert all("A-1001" not in request for request in test.requests)  # and the model was not


if __name__ == "__main__":
    test_a_parcel_that_is_on_time_gets_an_answer_and_no_voucher()
    test_the_voucher_is_for_the_order_which_the_model_is_never_shown()
    print("2 tests passed")
