# A rule that starts its processes as pre-training does, and like it is put on whole nodes by the profile.


rule pretrain_expert:
    output:
        "results/ranks.json",
    log:
        "results/ranks.log",
    params:
        launch=launcher,
    shell:
        "{params.launch} bash workflow/scripts/launch.sh python ranks.py {output} 2>&1 | tee {log} >&2"
