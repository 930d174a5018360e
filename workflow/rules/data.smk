# Training text, tokens and benchmarks: generated in the miniature world, read from the user's own files, or fetched from the hub.

import math

CORPORA = config["data"].get("corpora", {})
MINIATURE_CORPORA = CORPORA.get("miniature", {})
CORPUS_FILES = CORPORA.get("files", {})
CORPUS_HUB = CORPORA.get("hub")
TOKENIZER_HUB = config["data"].get("tokenizer", {}).get("hub")
# A language's corpus is one file of documents, or shards from the hub, which are folders of files; a job tokenises one of these.
if CORPUS_HUB:
    SHARDS = [f"{number:05d}" for number in range(1, CORPUS_HUB["shards"] + 1)]
    SHARD = E.path("data/shards/{language}/{shard}")
    SHARD_LIMIT = f"--limit {math.ceil(CORPUS_HUB['tokens'] / CORPUS_HUB['shards'])}"
else:
    SHARDS = ["00001"]
    SHARD = E.path("data/corpora/{language}.jsonl")
    SHARD_LIMIT = ""
MINIATURE_ITEMS = config["data"]["benchmarks"].get("miniature", {}).get("items", {})
BENCHMARK_FILES = config["data"]["benchmarks"].get("files", {})

# Grammars build on each other, so every text depends on all of them.
GRAMMARS = sorted(str(path) for path in Path("workflow/scripts/miniature").glob("*/*.*") if path.suffix in (".py", ".yaml"))
GENERATED_FILES = {
    "multiblimp": ["test.tsv"],
    "belebele": ["test.jsonl"],
    "hellaswag": ["validation.jsonl"],
    "xcsqa": ["validation.jsonl"],
    "flores200": ["dev.txt", "devtest.txt"],
}


rule generate_corpus:
    """Write a language's training documents in the miniature world."""
    input:
        code=code("generate_corpus"),
        grammars=GRAMMARS,
        prompts="workflow/tasks/prompts.yaml",
    output:
        E.path("data/corpora/{language}.jsonl"),
    log:
        E.path("logs/generate_corpus/{language}.log"),
    wildcard_constraints:
        language=alternatives(E.languages if MINIATURE_CORPORA else ()),
    params:
        **MINIATURE_CORPORA,
        languages=E.languages,
        seed=config["seed"],
    shell:
        "python {input.code[0]} --language {wildcards.language} --languages {params.languages}"
        " --documents {params.documents} --english-share {params.english_share}"
        " --bilingual-share {params.bilingual_share} --seed {params.seed} --output {output} 2>&1 | tee {log} >&2"


rule import_corpus:
    """Read a language's training documents from the user's own files."""
    input:
        code=code("import_corpus"),
        files=lambda wildcards: CORPUS_FILES[wildcards.language],
    output:
        E.path("data/corpora/{language}.jsonl"),
    log:
        E.path("logs/import_corpus/{language}.log"),
    wildcard_constraints:
        language=alternatives(CORPUS_FILES),
    shell:
        "python {input.code[0]} --files {input.files} --output {output} 2>&1 | tee {log} >&2"


if CORPUS_HUB:

    rule list_shards:
        """Find the files of a language's corpus on the hub."""
        input:
            code=ancient(code("list_shards")),
        output:
            E.path("data/shards/{language}.json"),
        log:
            E.path("logs/list_shards/{language}.log"),
        retries: 3
        localrule: True
        params:
            repository=CORPUS_HUB["repository"],
            revision=CORPUS_HUB["revision"],
            files=lambda wildcards: CORPUS_HUB["files"],  # a function's value keeps its {language.…}
            total=CORPUS_HUB["shards"] * CORPUS_HUB["files_per_shard"],
        shell:
            "HF_HUB_OFFLINE=0 python {input.code[0]} --repository {params.repository} --revision {params.revision}"
            " --files {params.files:q} --language {wildcards.language} --count {params.total} --output {output} 2>&1 | tee {log} >&2"

    rule download_shard:
        """Fetch some files of a language's corpus from the hub; deleted when they have been tokenised."""
        input:
            code=ancient(code("download_shard")),
            listed=E.path("data/shards/{language}.json"),
        output:
            temp(directory(SHARD)),
        log:
            E.path("logs/download_shard/{language}/{shard}.log"),
        wildcard_constraints:
            shard=r"\d{5}",
        retries: 3
        localrule: True
        params:
            files=CORPUS_HUB["files_per_shard"],
            private=E.path("downloads/shards/{language}-{shard}"),
        shell:
            "HF_HUB_OFFLINE=0 python {input.code[0]} --list {input.listed} --number {wildcards.shard} --size {params.files}"
            " --private {params.private} --output {output} 2>&1 | tee {log} >&2"


if TOKENIZER_HUB:

    rule download_tokenizer:
        """Fetch the subword tokenizer that all models share from the hub."""
        input:
            code=ancient(code("download_tokenizer")),
        output:
            E.path("data/tokenizer/tokenizer.json"),
            E.path("data/tokenizer/tokenizer_config.json"),
        log:
            E.path("logs/download_tokenizer.log"),
        retries: 3
        localrule: True
        params:
            **TOKENIZER_HUB,
            folder=output_folder(),
        shell:
            "HF_HUB_OFFLINE=0 python {input.code[0]} --repository {params.repository} --revision {params.revision}"
            " --output {params.folder} 2>&1 | tee {log} >&2"

else:

    rule train_tokenizer:
        """Train the subword tokenizer that all models share."""
        input:
            code=code("train_tokenizer"),
            corpora=expand(SHARD, language=E.languages, shard=SHARDS[0]),
        output:
            E.path("data/tokenizer/tokenizer.json"),
            E.path("data/tokenizer/tokenizer_config.json"),
        log:
            E.path("logs/train_tokenizer.log"),
        benchmark:
            E.path("usage/train_tokenizer.tsv")
        params:
            folder=output_folder(),
            vocabulary=config["data"].get("tokenizer", {}).get("vocabulary"),
        shell:
            "python {input.code[0]} --corpora {input.corpora} --vocabulary {params.vocabulary} --output {params.folder} 2>&1 | tee {log} >&2"


rule tokenize_corpus:
    """Turn a corpus into one stream of token ids, for training with transformers."""
    input:
        code=code("tokenize_corpus"),
        corpora=expand(SHARD, shard=SHARDS, allow_missing=True),
        tokenizer=E.path("data/tokenizer/tokenizer.json"),
    output:
        E.path("data/tokens/{language}.npy"),
    log:
        E.path("logs/tokenize_corpus/{language}.log"),
    params:
        tokenizer=input_folder("tokenizer"),
        limit=SHARD_LIMIT,
    shell:
        "python {input.code[0]} --tokenizer {params.tokenizer} --corpora {input.corpora} {params.limit} --output {output}"
        " 2>&1 | tee {log} >&2"


rule tokenize_shard:
    """Tokenise one part of a corpus into Megatron's format, for training with NeMo."""
    input:
        code=code("tokenize_shard"),
        corpus=SHARD,
        tokenizer=E.path("data/tokenizer/tokenizer.json"),
    output:
        index=E.path("data/megatron/{language}/{shard}.idx"),
        ids=E.path("data/megatron/{language}/{shard}.bin"),
    log:
        E.path("logs/tokenize_shard/{language}/{shard}.log"),
    benchmark:
        E.path("usage/tokenize_shard/{language}/{shard}.tsv")
    wildcard_constraints:
        shard=r"\d{5}",
    priority: 5  # before more is downloaded
    params:
        tokenizer=input_folder("tokenizer"),
        limit=SHARD_LIMIT,
    shell:
        "python {input.code[0]} --tokenizer {params.tokenizer} --corpus {input.corpus} {params.limit} --threads {threads}"
        " --output {output.index} 2>&1 | tee {log} >&2"


rule assemble_corpus:
    """List a language's tokenised shards and check that they have the tokens asked for."""
    input:
        code=code("assemble_corpus"),
        shards=expand(E.path("data/megatron/{language}/{shard}.idx"), shard=SHARDS, allow_missing=True),
    output:
        E.path("data/megatron/{language}.json"),
    log:
        E.path("logs/assemble_corpus/{language}.log"),
    params:
        tokens=CORPUS_HUB["tokens"] if CORPUS_HUB else 0,
    shell:
        "python {input.code[0]} --shards {input.shards} --language {wildcards.language} --tokens {params.tokens} --output {output}"
        " 2>&1 | tee {log} >&2"


for benchmark, files in GENERATED_FILES.items():

    rule:
        name:
            f"generate_{benchmark}"
        input:
            code=code("generate_benchmark"),
            grammars=GRAMMARS,
        output:
            [E.path(f"data/benchmarks/{benchmark}/{{language}}/{file}") for file in files],
        log:
            E.path(f"logs/generate_{benchmark}/{{language}}.log"),
        wildcard_constraints:
            language=alternatives(
                [
                    language
                    for language in E.languages
                    if benchmark in MINIATURE_ITEMS and language not in BENCHMARK_FILES.get(benchmark, {})
                ]
            ),
        params:
            benchmark=benchmark,
            number=MINIATURE_ITEMS.get(benchmark),
            seed=config["seed"],
        shell:
            "python {input.code[0]} --benchmark {params.benchmark} --language {wildcards.language}"
            " --items {params.number} --seed {params.seed} --output {output} 2>&1 | tee {log} >&2"


rule import_benchmark:
    """Take one file of a benchmark from the user's own files."""
    input:
        lambda wildcards: BENCHMARK_FILES[wildcards.benchmark][wildcards.language][wildcards.file],
    output:
        E.path("data/benchmarks/{benchmark}/{language}/{file}"),
    log:
        E.path("logs/import_benchmark/{benchmark}/{language}/{file}.log"),
    wildcard_constraints:
        benchmark=alternatives(BENCHMARK_FILES),
        language=alternatives(dict.fromkeys(language for files in BENCHMARK_FILES.values() for language in files)),
        file=r"[a-z]+\.(tsv|jsonl|txt)",
    localrule: True
    shell:
        "cp {input} {output} 2>&1 | tee {log} >&2"


rule download_benchmark:
    """Fetch one file of a benchmark from the hub, in the form that the study reads."""
    input:
        code=ancient(code("download_benchmark")),
    output:
        E.path("data/benchmarks/{source}"),
    log:
        E.path("logs/download_benchmark/{source}.log"),
    wildcard_constraints:
        source=alternatives(E.benchmark_sources),
    retries: 3
    localrule: True
    params:
        repository=lambda wildcards: E.benchmark_sources[wildcards.source]["repository"],
        revision=lambda wildcards: E.benchmark_sources[wildcards.source]["revision"],
        path=lambda wildcards: E.benchmark_sources[wildcards.source]["path"],
        language=lambda wildcards: wildcards.source.split("/")[1],
    shell:
        "HF_HUB_OFFLINE=0 python {input.code[0]} --repository {params.repository} --revision {params.revision}"
        " --path {params.path} --language {params.language} --output {output} 2>&1 | tee {log} >&2"
