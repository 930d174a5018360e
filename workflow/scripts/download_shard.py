"""Fetch one shard of a corpus, some of the files that list_shards.py found, with their checksums verified.

They pass through a folder of their own instead of the hub's cache, which would keep a copy of the whole corpus. What a cut connection
leaves there is used by the next try. The shard's folder appears when it is complete.

Example:
    python workflow/scripts/download_shard.py --list results/paper/data/shards/deu.json --number 1 --size 10 \\
        --private results/paper/downloads/deu/00001 --output results/paper/data/shards/deu/00001
"""

import argparse
import shutil
import sys
from pathlib import Path

from study.files import read_json, run_script
from study.hub import fetch_dataset_file


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", type=Path, required=True, help="JSON with repository, commit and files")
    parser.add_argument("--number", type=int, required=True, help="of the shard, from 1")
    parser.add_argument("--size", type=int, required=True, help="files in a shard")
    parser.add_argument("--private", type=Path, required=True, metavar="FOLDER", help="download here; deleted at the end")
    parser.add_argument("--output", type=Path, required=True, help="the shard's folder")
    args = parser.parse_args(argv)

    listed = read_json(args.list)
    paths = listed["files"][(args.number - 1) * args.size : args.number * args.size]
    files = [fetch_dataset_file(listed["repository"], listed["commit"], path, args.private) for path in paths]
    complete = args.private / "complete"
    complete.mkdir(exist_ok=True)
    for path, file in zip(paths, files, strict=True):
        shutil.move(file.resolve(), complete / path.replace("/", "-"))
        print(f"{path} of {listed['repository']} at {listed['commit']}", file=sys.stderr)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(args.output, ignore_errors=True)
    complete.rename(args.output)
    shutil.rmtree(args.private)


if __name__ == "__main__":
    run_script(main)
