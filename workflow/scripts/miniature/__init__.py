"""The laptop world: controlled fragments of ten real languages that say the same things.

One abstract grammar of events (`world`) and ten concrete realisations (`languages`), in the tradition of the minimal-pair
suites BLiMP (Warstadt et al. 2020) and CLAMS (Mueller et al. 2020).
"""
