"""A stand-in of the hub that this process downloads from."""

from collections.abc import Iterator

import pytest
from stand_in_hub import StandInHub


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Iterator[StandInHub]:
    from huggingface_hub import constants

    hub = StandInHub()
    address = hub.start()
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # huggingface_hub waits before it resumes
    yield hub
    hub.stop()
