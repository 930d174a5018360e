"""Fetch the tokenizer that all models share from a model's repository on the Hugging Face hub, with its checksums verified.

Text is tokenised for training by tokenizer.json itself and for evaluation through transformers, which builds some tokenizers anew; a
tokenizer with which the two differ is refused.

Example:
    python workflow/scripts/download_tokenizer.py --repository HPLT/hplt2c_eng_checkpoints --output results/paper/data/tokenizer
"""

from pathlib import Path

from study.files import UserError, run_script
from study.hub import fetch_model, repository_arguments
from study.models import copy_tokenizer, load_tokenizer
from study.tokens import read_tokenizer

FILES = ("tokenizer.json", "tokenizer_config.json")
SAMPLE = "Der Käse kostet 12,50 €.  L'été,\tçay içer misin?\n\nОна спит. القطة نائمة 猫在睡觉。\n"


def main(argv: list[str] | None = None) -> None:
    parser = repository_arguments(__doc__)
    parser.add_argument("--output", type=Path, required=True, help="a folder")
    args = parser.parse_args(argv)

    folder = fetch_model(args.repository, args.revision, FILES)
    for name in FILES:
        if not (folder / name).is_file():
            raise UserError(f"{args.repository} has no {name}; name another repository under data.tokenizer.hub.")
    tokenizer, _ = read_tokenizer(folder)
    if tokenizer.encode(SAMPLE).ids != load_tokenizer(folder)(SAMPLE)["input_ids"]:
        raise UserError(
            f"transformers tokenises otherwise than tokenizer.json of {args.repository} does, so models would be trained on other "
            "tokens than they are evaluated with; save the tokenizer anew with transformers."
        )
    copy_tokenizer(folder, args.output)


if __name__ == "__main__":
    run_script(main)
