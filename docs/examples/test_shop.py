from pathlib import Path

import shop


def test_two_numbers_are_added(tmp_path: Path) -> None:
    assert shop.project.run(shop.add, home=tmp_path, a=1) == 3
