# The shared initialisation, the monolingual experts and the mixed model, trained here or adopted from the hub; the baselines.

LOCAL_BASELINES = {name: baseline["path"] for name, baseline in E.baselines.items() if "path" in baseline}
DOWNLOAD_MODEL = (
    "HF_HUB_OFFLINE=0 python {input.code[0]} --repository {params.repository} --revision {params.revision} {params.options}"
    " --output {params.model} 2>&1 | tee {log} >&2"
)

# Training: with transformers on one device, or with NeMo on any number of GPUs and nodes. The rules' names differ because profiles
# give them other resources.
if TRAINING.get("backend") == "nemo":
    TRAIN, TOKENS = "pretrain", E.path("data/megatron/{language}.json")
    TRAINER = ancient(code("pretrain_nemo"))  # an edited script is no reason to repeat thousands of GPU-hours
    TRAIN_IMAGE = None  # launch.sh starts the container inside srun
    # Each attempt goes on from the last complete checkpoint: a wall-time limit shorter than the training is no failure.
    TRAIN_ATTEMPTS = 10
    TRAIN_PARAMS = {"launch": launcher, "python": "bash workflow/scripts/launch.sh ${NEMO_PYTHON:-python}", "options": ""}
else:
    TRAIN, TOKENS = "train", E.path("data/tokens/{language}.npy")
    TRAINER = code("train_model")
    TRAIN_IMAGE = "envs/main.sif"
    TRAIN_ATTEMPTS = None  # the profile's
    TRAIN_PARAMS = {
        "launch": "",
        "python": "python",
        "options": lambda wildcards, threads: f"--device {EVALUATION['device']} --threads {threads}",
    }
TRAIN_PARAMS |= {"recipe": as_json(TRAINING), "seed": config["seed"]}
TRAIN_MODEL = (
    "{params.launch} {params.python} {input.code[0]} --initial {params.initial} --tokens {input.tokens} --recipe {params.recipe:q}"
    " --seed {params.seed} {params.options} --attempt {resources.attempt} --state {params.state} --output {params.model}"
    " 2>&1 | tee {log} >&2"
)


if "untrained" not in E.adopted:

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
            tokenizer=input_folder("tokenizer"),
            seed=config["seed"],
            model=output_folder(),
        shell:
            "python {input.code[0]} --architecture {params.architecture:q} --tokenizer {params.tokenizer}"
            " --seed {params.seed} --output {params.model} 2>&1 | tee {log} >&2"


if E.trains_experts:

    rule:
        """Pre-train a monolingual expert."""
        name:
            f"{TRAIN}_expert"
        input:
            code=TRAINER,
            initial=manifest("untrained"),
            tokens=TOKENS,
        output:
            kept("mono-{language}"),
        log:
            E.path(f"logs/{TRAIN}_expert/{{language}}.log"),
        benchmark:
            E.path(f"usage/{TRAIN}_expert/{{language}}.tsv")
        priority: 10
        retries: TRAIN_ATTEMPTS
        container:
            TRAIN_IMAGE
        resources:
            attempt=lambda wildcards, attempt: attempt,
        params:
            **TRAIN_PARAMS,
            initial=input_folder("initial"),
            state=E.path("training/mono-{language}"),
            model=output_folder(),
        shell:
            TRAIN_MODEL


if E.trains_mixed:

    rule:
        """Pre-train the mixed model on equal parts of all languages, with one expert's budget of tokens."""
        name:
            f"{TRAIN}_mixed"
        input:
            code=TRAINER,
            initial=manifest("untrained"),
            tokens=expand(TOKENS, language=E.languages),
        output:
            kept("mixed"),
        log:
            E.path(f"logs/{TRAIN}_mixed.log"),
        benchmark:
            E.path(f"usage/{TRAIN}_mixed.tsv")
        priority: 10
        retries: TRAIN_ATTEMPTS
        container:
            TRAIN_IMAGE
        resources:
            attempt=lambda wildcards, attempt: attempt,
        params:
            **TRAIN_PARAMS,
            initial=input_folder("initial"),
            state=E.path("training/mixed"),
            model=output_folder(),
        shell:
            TRAIN_MODEL


rule adopt_baseline:
    """Take a published model from a local directory."""
    input:
        code=code("adopt_model"),
        source=lambda wildcards: f"{LOCAL_BASELINES[wildcards.baseline]}/config.json",
    output:
        manifest("{baseline}"),
    log:
        E.path("logs/adopt_baseline/{baseline}.log"),
    wildcard_constraints:
        baseline=alternatives(LOCAL_BASELINES),
    params:
        model=output_folder(),
        source=lambda wildcards: LOCAL_BASELINES[wildcards.baseline],
    shell:
        "python {input.code[0]} --source {params.source} --output {params.model} 2>&1 | tee {log} >&2"


rule download_model:
    """Fetch a published model from the hub into its cache and link it."""
    input:
        # What arrives is checked against the hub's checksums, so another version of the script is no reason to fetch it again.
        code=ancient(code("download_model")),
    output:
        E.path("models/{adopted}/model.json"),
    log:
        E.path("logs/download_model/{adopted}.log"),
    wildcard_constraints:
        adopted=alternatives(E.adopted.keys() - CHECKPOINTS),
    retries: 3
    localrule: True
    params:
        repository=lambda wildcards: E.adopted[wildcards.adopted]["repository"],
        revision=lambda wildcards: E.adopted[wildcards.adopted]["revision"],
        options=lambda wildcards: f"--tokens {E.adopted[wildcards.adopted]['tokens'] or 0}",
        model=output_folder(),
    shell:
        DOWNLOAD_MODEL


rule download_checkpoint:
    """Fetch a published model at a training step; deleted when the sweep that needs it has scored its merge."""
    input:
        code=ancient(code("download_model")),
    output:
        temp(directory(E.path("models/{checkpoint}"))),
    log:
        E.path("logs/download_checkpoint/{checkpoint}.log"),
    wildcard_constraints:
        checkpoint=alternatives(CHECKPOINTS),
    retries: 3
    localrule: True
    params:
        repository=lambda wildcards: E.adopted[wildcards.checkpoint]["repository"],
        revision=lambda wildcards: E.adopted[wildcards.checkpoint]["revision"],
        options=f"--private {E.path('downloads/{checkpoint}')}",
        model=lambda wildcards, output: output[0],
    shell:
        DOWNLOAD_MODEL
