"""Writing files so that a half-written one is never taken for a finished one, and ending a script with one clear sentence."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class UserError(Exception):
    """Something that the user can mend. The message says what is wrong and what to do."""


@contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """A temporary path in the same folder (created if needed), renamed to `path` when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last, since writers such as matplotlib and pandas choose the format by it.
    temporary = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path | str, content: Any) -> None:
    """Write JSON with sorted keys, so that equal contents are equal files."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path | str) -> Any:
    """Read JSON.

    Raises:
        UserError: if the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist.") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is not valid JSON ({error}); delete it and run the workflow again.") from None


def run_script(main: Callable[[], None]) -> None:
    """Run a script's main function; end with one sentence instead of a traceback where the user can mend the cause."""
    try:
        main()
    except UserError as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
    except OSError as error:
        # A full disk, a missing right, a broken mount: the system's own words name the file.
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
