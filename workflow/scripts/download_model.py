"""Fetch a model from the Hugging Face hub: weights in safetensors, configuration and tokenizer, with their checksums verified.

The files stay in the hub's cache (HF_HOME or HF_HUB_CACHE) and are linked into the model's folder. With --private they are fetched
into a folder of their own instead and moved, so that deleting the model frees the disk: for the checkpoints of Figure 1, which are
used once. Either way a later run keeps the files that are complete, and the manifest records the commit.

Example:
    python workflow/scripts/download_model.py --repository HPLT/hplt2c_eng_checkpoints --revision main \\
        --tokens 100000595968 --output results/paper/models/mono-eng
    python workflow/scripts/download_model.py --repository HPLT/hplt2c_eng_checkpoints --revision checkpoint_0001000 \\
        --private results/paper/downloads/mono-eng@1000 --output results/paper/models/mono-eng@1000
"""

import shutil
from pathlib import Path

from study.adoption import KEPT, kept_files, parameters
from study.files import run_script
from study.hub import fetch_model, repository_arguments
from study.models import write_manifest


def main(argv: list[str] | None = None) -> None:
    parser = repository_arguments(__doc__)
    parser.add_argument("--tokens", type=int, default=0, help="how many it was trained on, for Table 1 (default: unknown)")
    parser.add_argument("--private", type=Path, metavar="FOLDER", help="download here and move the files; deleted at the end")
    parser.add_argument("--output", type=Path, required=True, help="the model's folder")
    args = parser.parse_args(argv)

    folder = fetch_model(args.repository, args.revision, KEPT, args.private)
    args.output.mkdir(parents=True, exist_ok=True)
    for file in kept_files(folder):
        place = args.output / file.name
        place.unlink(missing_ok=True)
        if args.private:
            shutil.move(file.resolve(), place)
        else:
            place.symlink_to(file.resolve())
    manifest = {
        "parents": [],
        "source": f"https://huggingface.co/{args.repository}",
        "revision": args.revision,
        "commit": folder.name,
        "parameters": parameters(args.output),
        "tokens": args.tokens or None,
    }
    write_manifest(args.output, manifest)
    if args.private:
        shutil.rmtree(args.private)


if __name__ == "__main__":
    run_script(main)
