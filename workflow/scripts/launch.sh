#!/bin/bash
# Starts one process of a training. Slurm runs this script once for each of its tasks, and it tells the process its place among them:
#
#     one GCD      bash workflow/scripts/launch.sh python …        also without Slurm, where it only runs the command
#     one node     srun --nodes=1 --ntasks-per-node=8 --cpus-per-task=7 --gpus-per-node=8 bash workflow/scripts/launch.sh python …
#     16 nodes     srun --nodes=16 and the same
#
# In a job of the Slurm plugin, srun needs all of these: the plugin takes away what sbatch was told. From outside in, there are sbatch,
# Snakemake, srun, this script, the container, Python: no Slurm inside the container, so what is needed from it is asked for here.
# Environment: NEMO_CONTAINER, an image to run the command in (envs/nemo.def; docs/slurm.md); without it, the job's own environment.
set -euo pipefail

# Rank and address, as torch.distributed and Lightning read them ------------------------------------------------------------
if [ -n "${SLURM_PROCID:-}" ]; then
    export RANK=$SLURM_PROCID LOCAL_RANK=$SLURM_LOCALID WORLD_SIZE=$SLURM_NTASKS
    # Where rank 0 runs: the first node of the step, at the address under which Slurm itself reaches it.
    MASTER_ADDR=$(scontrol --oneliner show node "$SLURM_STEP_NODELIST" | sed -n '1s/.* NodeAddr=\([^ ]*\).*/\1/p')
    # From the job's number, so that two trainings on a node do not meet.
    export MASTER_ADDR MASTER_PORT=$((20000 + SLURM_JOB_ID % 10000))
fi

# LUMI (where there is its network, Slingshot) --------------------------------------------------------------------------------
if [ -e /sys/class/net/hsn0 ]; then
    # RCCL: by the four Slingshot cards and no other interface (LUMI training materials), and from a GCD straight to its card
    # where both hang on the same CPU (LUMI AI workshop 2025-10).
    export NCCL_SOCKET_IFNAME=hsn0,hsn1,hsn2,hsn3 NCCL_NET_GDR_LEVEL=PHB
    # Megatron overlaps communication and computation in the order in which they were queued (its own requirement).
    export CUDA_DEVICE_MAX_CONNECTIONS=1
    # Completion queues of libfabric that hold what hundreds of ranks send at once (LumiOpen/Megatron-LM-lumi).
    export FI_CXI_DEFAULT_CQ_SIZE=262144
    # Compiled kernels: in the node's memory, not on Lustre, which all ranks would lock.
    export AITER_JIT_DIR=/tmp/$USER-aiter
fi

# The command, in the container if there is one -------------------------------------------------------------------------------
# Which folders and network libraries it sees stands in SINGULARITY_BIND, set by a module of LUMI that profiles/lumi loads.
exec ${NEMO_CONTAINER:+singularity run "$NEMO_CONTAINER"} "$@"
