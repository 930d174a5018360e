# The shared initialisation, the monolingual experts and the mixed model.

STEPS = [step for step in config["training"]["save_steps"] if step != config["training"]["steps"]]


def kept(model):
    """The manifests that training a model leaves: of the model, and of its checkpoints."""
    return [manifest(model), *(manifest(f"{model}@{step}") for step in STEPS)]


rule initialise_model:
    """Make the random initialisation that all trained models share."""
    input:
        code=code("initialise_model"),
        tokenizer=E.path("data/tokenizer/tokenizer.json"),
    output:
        manifest("untrained"),
    log:
        E.path("logs/initialise_model.log"),
    params:
        architecture=as_json(config["models"]["architecture"]),
        tokenizer=E.path("data/tokenizer"),
        seed=config["seed"],
        model=E.path("models/untrained"),
    shell:
        "python {input.code[0]} --architecture {params.architecture:q} --tokenizer {params.tokenizer}"
        " --seed {params.seed} --output {params.model} 2> {log}"


rule train_expert:
    """Pre-train a monolingual expert."""
    input:
        code=code("train_model"),
        initial=manifest("untrained"),
        tokens=E.path("data/tokens/{language}.npy"),
    output:
        kept("mono-{language}"),
    log:
        E.path("logs/train_expert/{language}.log"),
    benchmark:
        E.path("usage/train_expert/{language}.tsv")
    priority: 10
    params:
        initial=E.path("models/untrained"),
        recipe=as_json(config["training"]),
        seed=config["seed"],
        state=E.path("training/mono-{language}"),
        model=E.path("models/mono-{language}"),
    shell:
        "python {input.code[0]} --initial {params.initial} --tokens {input.tokens} --recipe {params.recipe:q}"
        " --seed {params.seed} --threads {threads} --state {params.state} --output {params.model} 2>&1 | tee {log} >&2"


rule train_mixed:
    """Pre-train the mixed model on equal parts of all languages, with one expert's budget of tokens."""
    input:
        code=code("train_model"),
        initial=manifest("untrained"),
        tokens=[E.path(f"data/tokens/{language}.npy") for language in E.languages],
    output:
        kept("mixed"),
    log:
        E.path("logs/train_mixed.log"),
    benchmark:
        E.path("usage/train_mixed.tsv")
    priority: 10
    params:
        initial=E.path("models/untrained"),
        recipe=as_json(config["training"]),
        seed=config["seed"],
        state=E.path("training/mixed"),
        model=E.path("models/mixed"),
    shell:
        "python {input.code[0]} --initial {params.initial} --tokens {input.tokens} --recipe {params.recipe:q}"
        " --seed {params.seed} --threads {threads} --state {params.state} --output {params.model} 2>&1 | tee {log} >&2"


rule adopt_baseline:
    """Take a published model from a local directory."""
    input:
        code=code("adopt_model"),
        source=lambda wildcards: f"{E.baselines[wildcards.baseline]['path']}/config.json",
    output:
        manifest("{baseline}"),
    log:
        E.path("logs/adopt_baseline/{baseline}.log"),
    wildcard_constraints:
        baseline="|".join(map(re.escape, E.baselines)) or "none",
    params:
        model=E.path("models/{baseline}"),
        source=lambda wildcards: E.baselines[wildcards.baseline]["path"],
    shell:
        "python {input.code[0]} --source {params.source} --output {params.model} 2> {log}"
