"""Marks the tests of this folder as slow: their clients take seconds to import."""

import pytest


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.slow)
