# Tables 1-8, Figures 1-3, and our numbers beside the paper's.

TABLE_OF = {"multiblimp": 2, "belebele": 3, "hellaswag": 4, "xcsqa": 5, "flores200": 6}


rule tables:
    """Tables 1-8 as CSV and LaTeX."""
    input:
        table(1),
        [table(TABLE_OF[benchmark]) for benchmark in E.benchmarks],
        table(7) if "flores200" in E.benchmarks else [],
        table(8),
    localrule: True


rule figures:
    """Figures 1-3 and the figures of every similarity measure."""
    input:
        [figure(f"figure{number}") for number in (1, 2, 3)],
        figure("similarity_heat_maps"),
        figure("similarity_scatter"),
        figure("cka_layers"),
    localrule: True


rule record_experiment:
    """Keep the experiment file with its results; the scripts of tables and figures read it."""
    output:
        E.path("experiment.json"),
    log:
        E.path("logs/record_experiment.log"),
    localrule: True
    params:
        experiment=lambda wildcards: as_json(config),  # a function: braces in its values are no wildcards
    shell:
        "printf '%s\\n' {params.experiment:q} > {output} 2> {log}"


rule tabulate_overview:
    """Table 1: mean and variation over languages of every model on every benchmark."""
    input:
        code=code("tabulate_overview"),
        experiment=E.path("experiment.json"),
        models=manifests([*E.experts, *E.multilingual]),
        scores=[E.score(cell) for benchmark in E.benchmarks for cell in E.table_cells(benchmark)],
    output:
        shown(table(1), "Tables", "Table 1: means over languages"),
    log:
        E.path("logs/tabulate_overview.log"),
    localrule: True
    params:
        models=input_folder("models", 2),
        scores=input_folder("scores", 3),
    shell:
        "python {input.code[0]} --experiment {input.experiment} --scores {params.scores} --models {params.models}"
        " --output {output} 2>&1 | tee {log} >&2"


for benchmark in E.benchmarks:

    rule:
        name:
            f"tabulate_{benchmark}"
        input:
            code=code("tabulate_benchmark"),
            experiment=E.path("experiment.json"),
            scores=[E.score(cell) for cell in E.table_cells(benchmark)],
        output:
            shown(table(TABLE_OF[benchmark]), "Tables", f"Table {TABLE_OF[benchmark]}: {benchmark}"),
        log:
            E.path(f"logs/tabulate_{benchmark}.log"),
        localrule: True
        params:
            benchmark=benchmark,
            scores=input_folder("scores", 3),
        shell:
            "python {input.code[0]} --experiment {input.experiment} --scores {params.scores}"
            " --benchmark {params.benchmark} --output {output} 2>&1 | tee {log} >&2"


rule tabulate_samples:
    """Table 7: what the models generate for the same sentences, and how often they fail in which way."""
    input:
        code=code("tabulate_samples"),
        experiment=E.path("experiment.json"),
        item_files=[E.items(cell) for cell in E.sample_cells()],
        sentences=[E.path(f"data/benchmarks/flores200/{language}/dev.txt") for language in E.languages],
    output:
        shown(table(7), "Tables", "Table 7: translations and their failures"),
        counts=E.path("tables/table7_counts.csv"),
    log:
        E.path("logs/tabulate_samples.log"),
    localrule: True
    params:
        items_folder=input_folder("item_files", 3),
        table=table(7),
    shell:
        "python {input.code[0]} --experiment {input.experiment} --items {params.items_folder} --sentences {input.sentences}"
        " --output {params.table} --counts {output.counts} 2>&1 | tee {log} >&2"


rule tabulate_correlations:
    """Table 8: correlations of the similarity measures with what merging costs."""
    input:
        code=code("tabulate_correlations"),
        correlations=E.path("correlations.csv"),
    output:
        shown(table(8), "Tables", "Table 8: correlations"),
    log:
        E.path("logs/tabulate_correlations.log"),
    localrule: True
    shell:
        "python {input.code[0]} --correlations {input.correlations} --output {output} 2>&1 | tee {log} >&2"


rule plot_figure1:
    """Figure 1: accuracy over training of the mixed model and of the merged experts."""
    input:
        code=code("plot_figure1"),
        experiment=E.path("experiment.json"),
        scores=[
            *(E.score(cell) for cell in E.training_cells()),
            *(E.score(cell) for cell in E.table_cells("multiblimp") if cell.model == "untrained"),
        ],
    output:
        shown(figure("figure1"), "Figures", "Figure 1: over training"),
    log:
        E.path("logs/plot_figure1.log"),
    localrule: True
    params:
        scores=input_folder("scores", 3),
    shell:
        "python {input.code[0]} --experiment {input.experiment} --scores {params.scores} --output {output} 2>&1 | tee {log} >&2"


rule plot_figure2:
    """Figure 2: accuracy when more and more experts are merged."""
    input:
        code=code("plot_figure2"),
        experiment=E.path("experiment.json"),
        scores=[
            *(E.score(cell) for cell in E.nested_cells()),
            *(E.score(cell) for cell in E.table_cells("multiblimp") if cell.model == "untrained"),
        ],
    output:
        shown(figure("figure2"), "Figures", "Figure 2: merging more and more experts"),
    log:
        E.path("logs/plot_figure2.log"),
    localrule: True
    params:
        scores=input_folder("scores", 3),
    shell:
        "python {input.code[0]} --experiment {input.experiment} --scores {params.scores} --output {output} 2>&1 | tee {log} >&2"


rule plot_figure3:
    """Figure 3: similarity of representations against what merging a pair costs."""
    input:
        code=code("plot_figure3"),
        pairs=E.path("pairs.csv"),
        correlations=E.path("correlations.csv"),
    output:
        shown(figure("figure3"), "Figures", "Figure 3: similarity and merging"),
    log:
        E.path("logs/plot_figure3.log"),
    localrule: True
    params:
        measure=SIMILARITY["measures"][0],
    shell:
        "python {input.code[0]} --pairs {input.pairs} --measure {params.measure} --correlations {input.correlations}"
        " --output {output} 2>&1 | tee {log} >&2"


rule plot_similarity:
    """Every measure over the language pairs, against what merging costs, and layer by layer."""
    input:
        code=code("plot_similarity"),
        pairs=E.path("pairs.csv"),
        layers=E.path("similarity/layers/cka.csv"),
        correlations=E.path("correlations.csv"),
    output:
        heat_maps=shown(figure("similarity_heat_maps"), "Similarity", "heat maps"),
        scatter=shown(figure("similarity_scatter"), "Similarity", "measures against the change"),
        layer_curves=shown(figure("cka_layers"), "Similarity", "CKA layer by layer"),
    log:
        E.path("logs/plot_similarity.log"),
    localrule: True
    params:
        measures=SIMILARITY["measures"],
    shell:
        "python {input.code[0]} --pairs {input.pairs} --layers {input.layers} --measures {params.measures}"
        " --correlations {input.correlations} --heat-maps {output.heat_maps} --scatter {output.scatter}"
        " --layer-curves {output.layer_curves} 2>&1 | tee {log} >&2"


rule compare_published:
    """Our numbers beside the paper's, cell by cell."""
    input:
        code=code("compare_published"),
        experiment=E.path("experiment.json"),
        published=[str(file) for file in sorted(Path("data/published").glob("*.csv"))],
        scores=[E.score(cell) for cell in E.all_cells()],
        correlations=E.path("correlations.csv"),
    output:
        report(E.path("published.csv"), category="Published", labels={"what": "ours beside the paper's"}),
    log:
        E.path("logs/compare_published.log"),
    localrule: True
    params:
        scores=input_folder("scores", 3),
    shell:
        "python {input.code[0]} --experiment {input.experiment} --scores {params.scores}"
        " --correlations {input.correlations} --output {output} 2>&1 | tee {log} >&2"


rule published:
    """From the published numbers alone, with no model: Table 8, Figure 3, and the tables checked against each other."""
    input:
        "results/published/correlations.csv",
        "results/published/check.csv",
        expand("results/published/figures/figure3.{extension}", extension=["pdf", "png", "csv"]),
    localrule: True


rule correlate_published:
    """Table 8 from the published values of all pairs."""
    input:
        code=code("correlate_similarity"),
        pairs="data/published/pairs.csv",
    output:
        correlations="results/published/correlations.csv",
        paragraph="results/published/correlations.md",
    log:
        "results/published/logs/correlate_published.log",
    localrule: True
    shell:
        "python {input.code[0]} --pairs {input.pairs} --measures cka_english lang2vec_knn cosine l2"
        " --paragraph {output.paragraph} --output {output.correlations} 2>&1 | tee {log} >&2"


rule plot_published_figure3:
    """Figure 3 from the published values of all pairs."""
    input:
        code=code("plot_figure3"),
        pairs="data/published/pairs.csv",
        correlations="results/published/correlations.csv",
    output:
        expand("results/published/figures/figure3.{extension}", extension=["pdf", "png", "csv"]),
    log:
        "results/published/logs/plot_published_figure3.log",
    localrule: True
    shell:
        "python {input.code[0]} --pairs {input.pairs} --measure cka_english --correlations {input.correlations}"
        " --output {output} 2>&1 | tee {log} >&2"


rule check_published:
    """Which means and variations of Table 1 follow from Tables 2-6."""
    input:
        code=code("check_published"),
        published=[str(file) for file in sorted(Path("data/published").glob("*.csv"))],
    output:
        table="results/published/check.csv",
        report="results/published/check.md",
    log:
        "results/published/logs/check_published.log",
    localrule: True
    shell:
        "python {input.code[0]} --output {output.table} --report {output.report} 2>&1 | tee {log} >&2"


rule audit:
    """What the study took, rule by rule, and which scores there are, for the report. Of what is still to run, `make audit` speaks."""
    input:
        code=code("audit"),
        experiment=E.path("experiment.json"),
        results=[*rules.tables.input, *rules.figures.input, *rules.similarity.input, E.path("published.csv")],
    output:
        report(
            E.path("audit/audit.html"),
            caption="../report/audit.rst",
            category="Compute",
            labels={"what": "what the study took"},
        ),
        [E.path(f"audit/{name}.csv") for name in ("jobs", "rules", "coverage")],
    log:
        E.path("logs/audit.log"),
    localrule: True
    params:
        profile=profile(),
        folder=output_folder(),
    # --configfile takes several values, so it comes first.
    shell:
        "python {input.code[0]} --configfile {input.experiment} --profile {params.profile} --output {params.folder} {input.results}"
        " 2>&1 | tee {log} >&2"
