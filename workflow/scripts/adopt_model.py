"""Take a model from a local directory into the study: link its files and write its manifest.

Example:
    python workflow/scripts/adopt_model.py --source /data/EuroLLM-1.7B --output results/mine/models/eurollm-1.7b
"""

import argparse
from pathlib import Path

from study.adoption import kept_files, parameters
from study.files import run_script
from study.models import write_manifest


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, help="a directory that transformers loads")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)

    args.output.mkdir(parents=True, exist_ok=True)
    for file in kept_files(args.source):
        link = args.output / file.name
        link.unlink(missing_ok=True)
        link.symlink_to(file.resolve())
    write_manifest(args.output, {"parents": [], "source": str(args.source), "parameters": parameters(args.output)})


if __name__ == "__main__":
    run_script(main)
