# Merges as models on disk. The many merges of Figures 1-3 are made and dropped by the scoring sweeps instead
# (evaluation.smk); the rules here make one of them when it is asked for.

MERGE = (
    "python {input.code[0]} --method {params.method:q} --models {params.models} {params.base} --dtype {params.dtype}"
    " --seed {params.seed} --threads {threads} --output {params.model} 2>&1 | tee {log} >&2"
)


for method in E.merges:

    rule:
        name:
            f"merge_{method}"
        input:
            code=code("merge_models"),
            parents=parents(f"merged-{method}"),
        output:
            manifest(f"merged-{method}"),
        log:
            E.path(f"logs/merge/{method}.log"),
        benchmark:
            E.path(f"usage/merge/{method}.tsv")
        params:
            **merge_params(f"merged-{method}"),
            dtype=config["merging"]["dtype"],
            seed=config["seed"],
            model=output_folder(),
        shell:
            MERGE


rule merge_on_demand:
    """Make a pair, a nested merge, or a merge at a training step, as a model on disk."""
    input:
        code=code("merge_models"),
        parents=lambda wildcards: parents(wildcards.merge),
    output:
        manifest("{merge}"),
    log:
        E.path("logs/merge_on_demand/{merge}.log"),
    wildcard_constraints:
        merge="|".join(
            [
                *map(re.escape, E.pair_models),
                *E.nested_models[1:],
                *(f"merged-{method}@{step}" for method in E.merges for step in E.steps[:-1]),
            ]
        ),
    params:
        method=lambda wildcards: merge_params(wildcards.merge)["method"],
        models=lambda wildcards: merge_params(wildcards.merge)["models"],
        base=lambda wildcards: merge_params(wildcards.merge)["base"],
        dtype=config["merging"]["dtype"],
        seed=config["seed"],
        model=output_folder(),
    shell:
        MERGE
