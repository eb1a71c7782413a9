"""One language model and one assistant for all the tests here that need real ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from e2e import engines, llm_server, serving


@pytest.fixture(scope="session")
def model() -> Iterator[llm_server.LanguageModel]:
    if reason := llm_server.missing() or engines.missing():
        pytest.skip(reason)
    with llm_server.serving() as model:
        yield model


@pytest.fixture(scope="session")
def assistant(model: llm_server.LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[serving.Assistant]:
    with serving.running(tmp_path_factory.mktemp("assistant"), model) as assistant:
        yield assistant
