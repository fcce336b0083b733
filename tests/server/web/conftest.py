"""One plain service (a demonstration on this machine) and one as behind a proxy that ends TLS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server.web.live import Live


@pytest.fixture(scope="package")
def live() -> Iterator[Live]:
    made = Live()
    yield made
    made.stop()


@pytest.fixture(scope="package")
def tls() -> Iterator[Live]:
    made = Live(https=True)
    yield made
    made.stop()
