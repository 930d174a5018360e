# Scores. A job is cut by what has to be loaded: it loads a model once and scores all cells of a suite, or makes, scores
# and drops a batch of merges. Each cell is a file of its own all the same.

TASKS = [*map(str, sorted(Path("workflow/tasks").glob("*.yaml"))), "workflow/tasks/utils.py"]

SCORE = (
    "python {input.code[0]} --model {params.model} --name {params.name} --cells {params.cells} --data {params.data}"
    " --settings {params.settings:q} --dtype {params.dtype} --batch-size {params.batch_size} --device {params.device}"
    " --seed {params.seed} --threads {threads} --scores {params.scores} --items {params.item_files} 2>&1 | tee {log} >&2"
)
PROTOCOL = {
    "data": input_folder("data", 3),
    "dtype": EVALUATION["dtype"],
    "batch_size": EVALUATION["batch_size"],
    "device": EVALUATION["device"],
    "seed": config["seed"],
}


for suite, benchmarks in EVALUATION["suites"].items():

    rule:
        name:
            f"score_{suite}"
        input:
            code=code("score_models"),
            tasks=TASKS,
            model=manifest("{model}"),
            data=data_of(E.suite_cells(suite)),
        output:
            score_files("{model}", E.suite_cells(suite)),
        log:
            E.path(f"logs/score_{suite}/{{model}}.log"),
        benchmark:
            E.path(f"usage/score_{suite}/{{model}}.tsv")
        wildcard_constraints:
            model="|".join(map(re.escape, E.multilingual)),
        params:
            **PROTOCOL,
            model=input_folder("model"),
            name="{model}",
            cells=["/".join(cell) for cell in E.suite_cells(suite)],
            settings=settings(benchmarks),
            scores=output_folder(2),
            item_files=output_folder(2, -1),
        shell:
            SCORE

    # Experts are scored in their own language; some have fewer benchmarks than others, and the first of Figure 2 has more.
    for number, (languages, cells) in enumerate(E.expert_suites(suite)):

        rule:
            name:
                f"score_{suite}_experts" if number == 0 else f"score_{suite}_experts_{'_'.join(languages)}"
            input:
                code=code("score_models"),
                tasks=TASKS,
                model=manifest("mono-{language}"),
                data=lambda wildcards, cells=cells: data_of([(b, l.format(language=wildcards.language)) for b, l in cells]),
            output:
                score_files("mono-{language}", cells),
            log:
                E.path(f"logs/score_{suite}_experts/{{language}}.log"),
            benchmark:
                E.path(f"usage/score_{suite}_experts/{{language}}.tsv")
            wildcard_constraints:
                language="|".join(languages),
            params:
                **PROTOCOL,
                model=input_folder("model"),
                name="mono-{language}",
                cells=["/".join(cell) for cell in cells],
                settings=settings(benchmarks),
                scores=output_folder(2),
                item_files=output_folder(2, -1),
            shell:
                SCORE


for sweep in ("pairs", "nested", "steps"):
    for number, batch in batches(sweep):

        rule:
            name:
                f"score_{sweep}_{number}"
            input:
                code=code("score_merges"),
                tasks=TASKS,
                models=manifests(
                    dict.fromkeys(
                        parent
                        for merge in batch
                        for parent in [*merge["models"], *([merge["base"]] if merge.get("base") else [])]
                    )
                ),
                data=data_of([cell for merge in batch for cell in E.cells_of(merge)]),
            output:
                [E.path("scores", merge["name"], b, f"{l}.json") for merge in batch for b, l in E.cells_of(merge)],
                [E.path("items", merge["name"], b, f"{l}.parquet") for merge in batch for b, l in E.cells_of(merge)],
            log:
                E.path(f"logs/score_{sweep}/{number}.log"),
            benchmark:
                E.path(f"usage/score_{sweep}/{number}.tsv")
            params:
                **PROTOCOL,
                merges=as_json(batch),
                models=lambda wildcards: E.path("models"),
                settings=settings(["multiblimp"]),
                merge_dtype=config["merging"]["dtype"],
                scores=output_folder(3),
                item_files=output_folder(3, -1),
            shell:
                "python {input.code[0]} --merges {params.merges:q} --models {params.models} --data {params.data}"
                " --settings {params.settings:q} --dtype {params.dtype} --merge-dtype {params.merge_dtype}"
                " --batch-size {params.batch_size} --device {params.device} --seed {params.seed} --threads {threads}"
                " --scores {params.scores} --items {params.item_files} 2>&1 | tee {log} >&2"
