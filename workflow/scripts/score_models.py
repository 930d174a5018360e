"""Score one model on cells of the benchmarks; each cell is written as soon as it is finished.

Example:
  python workflow/scripts/score_models.py --model results/laptop/models/mono-deu --name mono-deu \
    --cells multiblimp/deu belebele/deu --data results/laptop/data/benchmarks \
    --settings '{"belebele": {"shots": 2, "metric": "acc_char"}}' \
    --scores results/laptop/scores/mono-deu --items results/laptop/items/mono-deu
"""

import argparse
import json
import sys
import time
from pathlib import Path

from study.files import UserError, read_json, run_script
from study.models import MANIFEST, use_cpu


def main(argv: list[str] | None = None) -> None:
    arguments = parse(argv)
    cells = [tuple(cell.split("/")) for cell in arguments.cells]
    if any(len(cell) != 2 for cell in cells):
        raise UserError("Cells are written benchmark/language, for instance multiblimp/deu.")
    weights = read_json(arguments.model / MANIFEST)["sha256"]
    settings = parse_settings(arguments.settings)

    # Seconds of imports, which a mistake in the command line need not wait for.
    from study.scoring import Scorer, write_result

    use_cpu(arguments.threads)
    scorer = Scorer.load(
        arguments.model,
        arguments.data,
        settings,
        arguments.dtype,
        arguments.device,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
    )
    for number, (benchmark, language) in enumerate(cells, start=1):
        start = time.monotonic()
        result = scorer.score(benchmark, language)
        write_result(result, arguments.name, weights, arguments.scores, arguments.items)
        metric = result.metrics[result.main]
        print(
            f"{arguments.name}: {number}/{len(cells)} {benchmark}/{language} {result.main} {metric['value']:.3f} "
            f"(n {metric['n']}, {time.monotonic() - start:.1f} s)",
            file=sys.stderr,
            flush=True,
        )


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model", type=Path, required=True, help="directory with model.json, weights, configuration and tokenizer"
    )
    parser.add_argument("--name", required=True, help="the model's id in the score files")
    parser.add_argument("--cells", nargs="+", required=True, metavar="BENCHMARK/LANGUAGE")
    parser.add_argument("--data", type=Path, required=True, help="folder of the benchmarks' files")
    parser.add_argument(
        "--settings",
        default="{}",
        metavar="JSON",
        help="per benchmark: shots, limit, metric; flores200: max_new_tokens, sample, published_layout",
    )
    parser.add_argument("--scores", type=Path, required=True, help="the model's folder for score files")
    parser.add_argument("--items", type=Path, required=True, help="the model's folder for per-item files")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--batch-size", type=int, default=32, help="items in one pass (default: 32)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, … (default: cpu)")
    parser.add_argument("--threads", type=int, default=1, help="of the processor (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="of the resamples for standard errors (default: 0)")
    return parser.parse_args(argv)


def parse_settings(text: str) -> dict:
    """The settings given as JSON.

    Raises:
        UserError: if the text is not JSON.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"--settings is not valid JSON: {error}.") from None


if __name__ == "__main__":
    run_script(main)
