"""The Python of NeMo's environment."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def nemo_python() -> Path:
    python = Path(os.environ.get("NEMO_PYTHON") or ROOT / ".venv-nemo" / "bin" / "python")
    if not python.is_file():
        pytest.fail(
            f"{python} is missing: run `make environment-nemo`, or name the Python of such an environment in NEMO_PYTHON."
        )
    return python
