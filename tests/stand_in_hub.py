"""A stand-in for the Hugging Face hub on 127.0.0.1: the part of its protocol that huggingface_hub uses for downloads, and its faults.

Large files (LFS) are answered with a redirect to another address and named by their SHA-256, others directly and by git's SHA-1, as
the hub does. Also a command, to try the workflow against it: see `main`.
"""

import argparse
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlparse

LFS = (".safetensors", ".parquet", "tokenizer.json")


class StandInHub:
    """Repositories are added with `add`; `gated`, `damaged` and `cuts` make it fail.

    gated: repositories that give files only to the tokens named. damaged: names of files that arrive with a byte changed.
    cuts: the next answers with weights or Parquet files end after so many bytes, one after the other.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, tuple[str, dict[str, bytes]]]] = {}
        self.blobs: dict[str, tuple[str, bytes]] = {}
        self.gated: dict[str, set[str]] = {}
        self.damaged: set[str] = set()
        self.cuts: list[int] = []
        self.requests: list[tuple[str, str, str | None]] = []  # method, path, range
        self.server: ThreadingHTTPServer | None = None

    def add(self, repository: str, files: dict[str, bytes], revision: str = "main") -> str:
        """Add a revision of `models/owner/name` or `datasets/owner/name` and return its commit; a commit as revision is its own."""
        named = re.fullmatch("[0-9a-f]{40}", revision)
        commit = revision if named else hashlib.sha1(f"{repository} {revision} {sorted(files)}".encode()).hexdigest()
        self.repositories.setdefault(repository, {})[revision] = (commit, files)
        for name, content in files.items():
            self.blobs[hashlib.sha256(content).hexdigest()] = (name, content)
        return commit

    def start(self) -> str:
        """Listen and return the address."""
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.answer(self)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self.address

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def stop(self) -> None:
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = unquote(urlparse(handler.path).path)
        self.requests.append((handler.command, path, handler.headers.get("Range")))
        if found := re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)(?:/(revision|tree)/(.+))?", path):
            kind, name, what, revision = found.groups()
            recursive = parse_qs(urlparse(handler.path).query).get("recursive") in (["true"], ["True"])
            self._describe(handler, f"{kind}/{name}", what, revision or "main", recursive)
        elif found := re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            kind, name, revision, file = found.groups()
            self._resolve(handler, f"{(kind or 'models/')}{name}", revision, file)
        elif path.startswith("/cdn/"):
            self._send_large(handler, path.removeprefix("/cdn/"))
        else:
            self._send(handler, 404)

    def _revision(self, handler, repository: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """The commit and files; answers with the hub's error itself if there are none."""
        if repository not in self.repositories:
            self._send(handler, 401, {"X-Error-Code": "RepoNotFound"})
            return None
        for name, (commit, files) in self.repositories[repository].items():
            if revision in (name, commit):
                return commit, files
        self._send(handler, 404, {"X-Error-Code": "RevisionNotFound"})
        return None

    def _describe(self, handler, repository: str, what: str | None, revision: str, recursive: bool) -> None:
        folder = ""
        if what == "tree":
            revision, _, folder = revision.partition("/")
        if (found := self._revision(handler, repository, revision)) is None:
            return
        commit, files = found
        if what == "tree":
            start = f"{folder}/" if folder else ""
            inside = {name: data for name, data in files.items() if name.startswith(start)}
            folders = sorted({start + name[len(start) :].split("/")[0] for name in inside if "/" in name[len(start) :]})
            content = [{"type": "directory", "path": name, "oid": git_sha1(name.encode())} for name in folders] + [
                {"type": "file", "path": name, "size": len(data), "oid": git_sha1(data)}
                | ({"lfs": {"oid": sha256(data), "size": len(data), "pointerSize": 130}} if name.endswith(LFS) else {})
                for name, data in inside.items()
                if recursive or "/" not in name[len(start) :]
            ]
        else:
            name = repository.partition("/")[2]
            content = {"id": name, "sha": commit, "tags": [], "siblings": [{"rfilename": name} for name in files]}
        self._send(handler, 200, {"Content-Type": "application/json"}, json.dumps(content).encode())

    def _resolve(self, handler, repository: str, revision: str, file: str) -> None:
        if (found := self._revision(handler, repository, revision)) is None:
            return
        commit, files = found
        token = handler.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.gated.get(repository, {token}):
            self._send(handler, 403 if token else 401, {"X-Error-Code": "GatedRepo"})
        elif file not in files:
            self._send(handler, 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        elif file.endswith(LFS):
            digest = sha256(files[file])
            self._send(
                handler,
                302,
                {
                    "X-Repo-Commit": commit,
                    "X-Linked-Etag": f'"{digest}"',
                    "X-Linked-Size": str(len(files[file])),
                    # Another host: the client takes the headers of this answer, not of the one it leads to.
                    "Location": f"http://localhost:{self.server.server_port}/cdn/{digest}",
                },
            )
        else:
            self._send(handler, 200, {"X-Repo-Commit": commit, "ETag": f'"{git_sha1(files[file])}"'}, files[file])

    def _send_large(self, handler, digest: str) -> None:
        name, data = self.blobs[digest]
        if name in self.damaged:
            data = data[:-1] + bytes([data[-1] ^ 1])
        start = int(re.match(r"bytes=(\d+)-", handler.headers.get("Range", "bytes=0-")).group(1))
        headers = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        large = handler.command == "GET" and name.endswith((".safetensors", ".parquet"))
        cut = self.cuts.pop(0) if self.cuts and large else None
        self._send(handler, 206 if start else 200, {"ETag": f'"{digest}"', **headers}, data[start:], cut)

    @staticmethod
    def _send(handler, status: int, headers: dict[str, str] | None = None, body: bytes = b"", cut: int | None = None) -> None:
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(body[:cut])


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def git_sha1(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def main() -> None:
    """Serve folders until interrupted: stand_in_hub.py models/owner/name=folder models/owner/name@branch=folder …"""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("repositories", nargs="+", metavar="REPOSITORY[@REVISION]=FOLDER")
    hub = StandInHub()
    for argument in parser.parse_args().repositories:
        name, folder = argument.split("=", 1)
        repository, _, revision = name.partition("@")
        files = {str(f.relative_to(folder)): f.read_bytes() for f in sorted(Path(folder).rglob("*")) if f.is_file()}
        hub.add(repository, files, revision or "main")
    print(hub.start(), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
