# How similar the experts are: in their representations, their parameters, and their languages; and whether that predicts
# what merging costs (paper, section 4 and Table 8).

SIMILARITY = config["similarity"]
POOLINGS = ["mean", "mean_without_first", "last_token"]
# Measure: (pooling, text). The paper's is the first.
CKA_VARIANTS = {
    "cka": ("mean", "common"),
    "cka_without_first": ("mean_without_first", "common"),
    "cka_last_token": ("last_token", "common"),
    "cka_in_language": ("mean", "own"),
}
# Table 8, the same with the merged models' accuracy above the untrained floor as the outcome, and with every measure there is.
CORRELATIONS = {
    "correlations": f"--measures {' '.join(SIMILARITY['measures'])}",
    "correlations_floor": f"--outcome delta_floor --measures {' '.join(SIMILARITY['measures'])}",
    "correlations_all_measures": "",
}
# What `similarity/{measure}.csv` files are joined to the pairs; columns of variants are prefixed with their name.
JOINED = {
    "cka": "cka.csv",
    "cka_without_first": "cka_without_first.csv",
    "cka_last_token": "cka_last_token.csv",
    "cka_in_language": "cka_in_language.csv",
    "neighbours": "neighbours.csv",
    "neurons": "neurons.csv",
    "lang2vec": "lang2vec.csv",
    "parameters": "parameters.csv",
}


rule similarity:
    """All similarity measures between the experts, and their correlations with what merging costs."""
    input:
        [E.path("similarity", name) for name in JOINED.values()],
        [E.path(f"{correlations}.csv") for correlations in CORRELATIONS],
    localrule: True


rule extract_representations:
    """Read the devtest sentences of all languages with an expert and keep what its layers make of them."""
    input:
        code=code("extract_representations"),
        model=manifest("mono-{language}"),
        texts=[E.path(f"data/benchmarks/flores200/{language}/devtest.txt") for language in E.languages],
    output:
        [
            E.path(f"similarity/representations/{pooling}/{text}/mono-{{language}}.safetensors")
            for pooling in POOLINGS
            for text in ("common", "own")
        ],
        activations=E.path("similarity/activations/mono-{language}.safetensors"),
    log:
        E.path("logs/extract_representations/{language}.log"),
    benchmark:
        E.path("usage/extract_representations/{language}.tsv")
    params:
        model=input_folder("model"),
        texts=[f"{language}={E.path(f'data/benchmarks/flores200/{language}/devtest.txt')}" for language in E.languages],
        common=SIMILARITY["language"],
        max_tokens=SIMILARITY["max_tokens"],
        dtype=EVALUATION["dtype"],
        device=EVALUATION["device"],
        folder=output_folder(3),
    shell:
        "python {input.code[0]} --model {params.model} --text {params.texts}"
        " --write common={params.common} own={wildcards.language} --max-tokens {params.max_tokens}"
        " --dtype {params.dtype} --device {params.device} --output {params.folder} --activations {output.activations} 2>&1 | tee {log} >&2"


rule compute_cka:
    """Compare the experts' representations by linear centred kernel alignment, layer by layer."""
    input:
        code=code("compute_cka"),
        representations=lambda wildcards: representations(*CKA_VARIANTS[wildcards.variant]),
    output:
        layers=E.path("similarity/layers/{variant}.csv"),
        average=E.path("similarity/{variant}.csv"),
    log:
        E.path("logs/compute_cka/{variant}.log"),
    benchmark:
        E.path("usage/compute_cka/{variant}.tsv")
    wildcard_constraints:
        variant="|".join(CKA_VARIANTS),
    params:
        folder=input_folder("representations"),
    shell:
        "python {input.code[0]} --representations {params.folder} --output {output.layers} --average {output.average} 2>&1 | tee {log} >&2"


rule measure_neighbours:
    """Compare which sentences are each other's nearest neighbours in the experts' representations."""
    input:
        code=code("measure_neighbours"),
        representations=representations("mean", "common"),
    output:
        layers=E.path("similarity/layers/neighbours.csv"),
        average=E.path("similarity/neighbours.csv"),
    log:
        E.path("logs/measure_neighbours.log"),
    benchmark:
        E.path("usage/measure_neighbours.tsv")
    params:
        folder=input_folder("representations"),
    shell:
        "python {input.code[0]} --representations {params.folder} --output {output.layers} --average {output.average} 2>&1 | tee {log} >&2"


rule measure_neurons:
    """Find the experts' language-specific neurons and compare where they are."""
    input:
        code=code("measure_neurons"),
        activations=[E.path(f"similarity/activations/mono-{language}.safetensors") for language in E.languages],
    output:
        layers=E.path("similarity/layers/neurons.csv"),
        shares=E.path("similarity/layers/neuron_shares.csv"),
        average=E.path("similarity/neurons.csv"),
    log:
        E.path("logs/measure_neurons.log"),
    benchmark:
        E.path("usage/measure_neurons.tsv")
    params:
        folder=input_folder("activations"),
    shell:
        "python {input.code[0]} --activations {params.folder} --output {output.layers} --shares {output.shares}"
        " --average {output.average} 2>&1 | tee {log} >&2"


rule compare_parameters:
    """Compare the experts' weights: cosine, Euclidean distance, stable rank."""
    input:
        code=code("compare_parameters"),
        models=manifests(E.experts),
    output:
        E.path("similarity/parameters.csv"),
    log:
        E.path("logs/compare_parameters.log"),
    benchmark:
        E.path("usage/compare_parameters.tsv")
    params:
        models=[E.path("models", model) for model in E.experts],
    shell:
        "python {input.code[0]} --models {params.models} --output {output} 2>&1 | tee {log} >&2"


rule measure_typology:
    """Look up how far apart the languages are in the features of lang2vec."""
    input:
        code=code("measure_typology"),
    output:
        E.path("similarity/lang2vec.csv"),
    log:
        E.path("logs/measure_typology.log"),
    localrule: True
    params:
        languages=E.languages,
    shell:
        "python {input.code[0]} --languages {params.languages} --output {output} 2>&1 | tee {log} >&2"


rule tabulate_pairs:
    """Put what merging each pair costs beside how similar the two are."""
    input:
        code=code("tabulate_pairs"),
        experiment=E.path("experiment.json"),
        scores=[
            E.score(cell)
            for cell in [*E.pair_cells(), *E.table_cells("multiblimp")]
            if cell.model not in {*E.baselines, *E.merged, "mixed"}
        ],
        similarity=[E.path("similarity", name) for name in JOINED.values()],
    output:
        E.path("pairs.csv"),
    log:
        E.path("logs/tabulate_pairs.log"),
    localrule: True
    params:
        scores=input_folder("scores", 3),
        similarity=[
            f"{name}={E.path('similarity', file)}" if name.startswith("cka_") else E.path("similarity", file)
            for name, file in JOINED.items()
        ],
    shell:
        "python {input.code[0]} --experiment {input.experiment} --scores {params.scores} --similarity {params.similarity}"
        " --output {output} 2>&1 | tee {log} >&2"


rule correlate_similarity:
    """Correlate measures with what merging costs, as the paper did and as the pairs' shared languages demand."""
    input:
        code=code("correlate_similarity"),
        pairs=E.path("pairs.csv"),
    output:
        correlations=E.path("{correlations}.csv"),
        paragraph=report(E.path("{correlations}.md"), category="Similarity", labels={"what": "{correlations}, in words"}),
    log:
        E.path("logs/correlate_similarity/{correlations}.log"),
    wildcard_constraints:
        correlations="|".join(CORRELATIONS),
    localrule: True
    params:
        options=lambda wildcards: CORRELATIONS[wildcards.correlations],
        seed=config["seed"],
    shell:
        "python {input.code[0]} --pairs {input.pairs} {params.options} --seed {params.seed}"
        " --paragraph {output.paragraph} --output {output.correlations} 2>&1 | tee {log} >&2"
