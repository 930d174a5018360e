"""On the limits of model merging for multilinguality in pre-training: models, merges, scores, similarity, tables, figures.

Everything is a file below results/{run}/, where `run` is a key of the experiment file:

    data/corpora/{language}.jsonl   data/benchmarks/{benchmark}/{language}/…   data/tokenizer/…
    models/{model}/model.json, model.safetensors, config.json, tokenizer
    scores/{model}/{benchmark}/{language}.json   items/{model}/{benchmark}/{language}.parquet
    similarity/{measure}.csv   pairs.csv   correlations.csv   published.csv
    tables/table{1..8}.{csv,tex}   figures/figure{1..3}.{pdf,png,csv}   audit/audit.html

    {model}     untrained, mono-{language}, mixed, a baseline's name, merged-{method}, pair-{a}+{b}, nested-{n};
                any of them at a training step: {model}@{step}
    {language}  ISO 639-3, as listed in the experiment file
    {benchmark} multiblimp, belebele, hellaswag, xcsqa, flores200

The paper's study:          snakemake --profile profiles/lumi all
The study in miniature:     snakemake --profile profiles/laptop all
One figure:                 snakemake --profile profiles/laptop results/laptop/figures/figure2.pdf
"""

from snakemake.utils import min_version

min_version("9.0")


# An experiment file that a profile or --configfile names replaces this one. (--replace-workflow-config would not reach Slurm's jobs.)
if not workflow.overwrite_configfiles:

    configfile: "config.yaml"


# Used with --software-deployment-method apptainer; the recipe is envs/main.def. Else the jobs run in the caller's environment.
container: "envs/main.sif"


include: "workflow/rules/common.smk"


rule all:
    """Everything: tables, figures, correlations, and the comparison with the published numbers."""
    input:
        # A function, because the first rule is the default one and the rules that it names follow.
        lambda wildcards: [*rules.tables.input, *rules.figures.input, *rules.similarity.input, E.path("published.csv")],
    localrule: True


include: "workflow/rules/data.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/merging.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/similarity.smk"
include: "workflow/rules/paper.smk"


report: "workflow/report/study.rst"


onstart:
    cluster.prepare(workflow)


rule models:
    """All models of Tables 1-6: trained, merged, or published."""
    input:
        [E.path("models", model, "model.json") for model in [*E.experts, *E.multilingual]],
    localrule: True


rule scores:
    """Every score that a table or figure needs."""
    input:
        [E.score(cell) for cell in E.all_cells()],
    localrule: True
