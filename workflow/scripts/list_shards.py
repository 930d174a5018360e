"""Find the files of a language's corpus on the Hugging Face hub: the first of those that match, at the commit that the revision is now.

HPLT/HPLT2.0_cleaned holds {language}_{script}/train-00000-of-04279.parquet, and so on; the largest languages are cut into numbered
parts (eng_Latn_1/train-00000-of-00356.parquet), so its pattern is "{language.hplt}*/train-*.parquet".

Example:
    python workflow/scripts/list_shards.py --repository HPLT/HPLT2.0_cleaned --files "{language.hplt}*/train-*.parquet" \\
        --language deu --count 200 --output results/paper/data/shards/deu.json
"""

from pathlib import Path

from study.files import UserError, run_script, write_json
from study.hub import find_dataset_files, repository_arguments
from study.languages import language


def main(argv: list[str] | None = None) -> None:
    parser = repository_arguments(__doc__)
    parser.add_argument("--files", required=True, help="pattern of paths, with * and {language.…}")
    parser.add_argument("--language", required=True, help="ISO 639-3 code")
    parser.add_argument("--count", type=int, required=True, help="how many files")
    parser.add_argument("--output", type=Path, required=True, help="JSON")
    args = parser.parse_args(argv)

    pattern = args.files.format(language=language(args.language))
    commit, files = find_dataset_files(args.repository, args.revision, pattern)
    if len(files) < args.count:
        raise UserError(
            f"{args.repository} has {len(files)} files {pattern} at revision {args.revision}, fewer than the {args.count} of shards x "
            f"files_per_shard; {'lower one of these' if files else 'correct files'} under data.corpora.hub."
        )
    write_json(args.output, {"repository": args.repository, "commit": commit, "files": files[: args.count]})


if __name__ == "__main__":
    run_script(main)
