"""Fetching files from the Hugging Face hub into its cache: checked, and with one clear sentence where it fails.

huggingface_hub resumes a file whose connection is cut, several times; a later run keeps the files that are complete. The cache's
place, the hub's address and the token are its own settings (HF_HOME or HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN or `hf auth login`).
Without a connection, what the cache holds in full is used.
"""

import argparse
import difflib
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from study.files import UserError
from study.models import sha256


def repository_arguments(description: str | None) -> argparse.ArgumentParser:
    """The start of a command line that names a repository and which state of it."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repository", required=True, help="owner/name on the hub")
    parser.add_argument("--revision", default="main", help="branch, tag or commit (default: main)")
    return parser


def fetch_model(repository: str, revision: str, patterns: tuple[str, ...], cache: Path | None = None) -> Path:
    """Download the files of a model that match `patterns` and return the folder in the cache that holds them.

    Args:
        revision: a branch, a tag or a commit.
        cache: another folder than the hub's own cache.

    Raises:
        UserError: as `clear_errors`, or if a file's checksum is not the hub's.
    """
    from huggingface_hub import snapshot_download

    with clear_errors(repository, revision):
        # Patterns match subfolders too; what lies there is another format of the same weights.
        folder = snapshot_download(
            repository, revision=revision, allow_patterns=list(patterns), ignore_patterns="*/*", cache_dir=cache
        )
    for file in sorted(Path(folder).iterdir()):
        check(file, repository)
    return Path(folder)


def find_dataset_files(repository: str, revision: str, pattern: str) -> tuple[str, list[str]]:
    """The commit that a dataset's revision is now, and its files that match `pattern`, in sorted order.

    Only folders that match are listed, since a corpus has tens of thousands of files.

    Args:
        pattern: a path in the repository with `*` as in a shell, in folders too.

    Raises:
        UserError: as `clear_errors`.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFolder

    hub, found = HfApi(), [""]
    with clear_errors(repository, revision, "datasets/"):
        commit = hub.dataset_info(repository, revision=revision, expand=["sha"]).sha
        *folders, name = pattern.split("/")
        for part, kept in [*((folder, True) for folder in folders), (name, False)]:
            entries = [
                entry for at in found for entry in hub.list_repo_tree(repository, at, revision=commit, repo_type="dataset")
            ]
            found = [
                entry.path
                for entry in entries
                if isinstance(entry, RepoFolder) is kept and fnmatchcase(PurePosixPath(entry.path).name, part)
            ]
    return commit, sorted(found)


def fetch_dataset_file(repository: str, revision: str, path: str, cache: Path | None = None) -> Path:
    """Download one file of a dataset and return its place in the cache.

    Args:
        cache: another folder than the hub's own cache.

    Raises:
        UserError: as `clear_errors`, or if the file's checksum is not the hub's.
    """
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import RemoteEntryNotFoundError

    with clear_errors(repository, revision, "datasets/"):
        try:
            file = Path(hf_hub_download(repository, path, repo_type="dataset", revision=revision, cache_dir=cache))
        except RemoteEntryNotFoundError:
            there = HfApi().list_repo_files(repository, repo_type="dataset", revision=revision)
            close = difflib.get_close_matches(path, there, 3, cutoff=0.3) or there[:3]
            raise UserError(
                f"{repository} has no file {path} at revision {revision}; similar ones are {', '.join(close)}. "
                "Correct `files` of this benchmark under data.benchmarks.hub."
            ) from None
    check(file, repository)
    return file


def check(file: Path, repository: str) -> None:
    """Compare a file of the cache with the checksum that the hub announced, which is the name it has in the cache.

    Large files (LFS) are named by their SHA-256, others by git's SHA-1.

    Raises:
        UserError: if they differ. The file is deleted, so that it is downloaded anew.
    """
    blob = file.resolve()
    if re.fullmatch("[0-9a-f]{64}", blob.name):
        actual = sha256(blob)
    elif re.fullmatch("[0-9a-f]{40}", blob.name):
        content = blob.read_bytes()
        actual = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    else:
        raise UserError(f"The hub gave no checksum for {file.name} of {repository} (its cache calls it {blob.name}).")
    if actual != blob.name:
        blob.unlink()
        file.unlink(missing_ok=True)
        raise UserError(
            f"{file.name} of {repository} arrived damaged: its checksum is {actual}, the hub's {blob.name}. "
            "It was deleted; run again to download it anew."
        )


@contextmanager
def clear_errors(repository: str, revision: str, kind: str = "") -> Iterator[None]:
    """Say in one sentence why a download failed and what to do.

    Raises:
        UserError: for a licence not accepted, an unknown repository or revision, or no connection.
    """
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    page = f"https://huggingface.co/{kind}{repository}"
    try:
        yield
    except GatedRepoError as error:
        raise UserError(
            f"The hub refuses {repository} (HTTP {error.response.status_code}): accept its terms at {page}, then give the "
            "token of that account as HF_TOKEN or by `hf auth login`."
        ) from None
    except RepositoryNotFoundError as error:
        raise UserError(
            f"The hub shows no repository {repository} (HTTP {error.response.status_code}): check its name; if it is private, give "
            "a token that may read it as HF_TOKEN or by `hf auth login`."
        ) from None
    except RevisionNotFoundError:
        raise UserError(
            f"{repository} has no revision {revision}; its branches and commits are listed at {page}/commits."
        ) from None
    except LocalEntryNotFoundError as error:
        why = str(error.__cause__ or error).split("\n")[0]
        raise UserError(
            f"The hub cannot be reached ({why}) and the cache lacks {repository} at revision {revision}, in part or in whole; "
            "run again with a connection: what is there is kept."
        ) from None
    except HfHubHTTPError as error:
        raise UserError(f"The hub answered HTTP {error.response.status_code} for {repository}; run again later.") from None
    except (HTTPError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk: the system's own words say what is wrong
        raise UserError(
            f"The connection was lost while downloading {repository} ({str(error).splitlines()[0]}) more often than it was "
            "resumed; run again: the files that are complete are kept."
        ) from None
