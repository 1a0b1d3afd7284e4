import shop

from lampwork import testing


def test_two_numbers_are_added() -> None:
    assert testing.opened(shop.project).run(shop.add, a=1) == 3
