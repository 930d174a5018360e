"""Pre-training with NeMo's Megatron strategy. Only the environment of envs/nemo.txt has what this module imports."""

import json
import math
import shutil
import signal
import sys
import time
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.environments import TorchElasticEnvironment
from lightning.pytorch import Trainer
from megatron.core.distributed import DistributedDataParallelConfig
from megatron.core.optimizer import OptimizerConfig
from megatron.core.optimizer.distrib_optimizer import HAVE_APEX_OR_TE
from nemo import lightning
from nemo.collections import llm
from nemo.lightning.pytorch.callbacks import PreemptionCallback
from nemo.lightning.pytorch.optim import LRSchedulerModule, MegatronOptimizerModule
from nemo.utils import logging
from nemo.utils.import_utils import safe_import
from nemo.utils.model_utils import unwrap_model
from torch.optim.lr_scheduler import LambdaLR

from study.files import UserError
from study.megatron import Architecture, Plan, State, from_megatron, read_weights, to_megatron, write_weights
from study.training import Recipe, hopeless, model_directory

HAVE_TRANSFORMER_ENGINE = safe_import("transformer_engine")[1]
LOG_INTERVAL = 10  # steps


class Text:
    """What Megatron's dataset asks of a tokenizer: the text is tokenised already, and nothing is padded."""

    def __init__(self, vocab_size: int) -> None:
        self.vocab_size, self.eod, self.pad = vocab_size, -1, -1
        self.unique_identifiers = {"vocab_size": vocab_size}


class Model(llm.GPTModel):
    """A Llama that starts from the weights of a transformers directory."""

    def __init__(self, config: llm.LlamaConfig, optim: MegatronOptimizerModule, initial: str) -> None:
        super().__init__(config, optim=optim)
        self.initial = Path(initial)

    def configure_model(self, vp_stage: int | None = None) -> None:
        super().configure_model(vp_stage)
        weights = to_megatron(read_weights(self.initial), Architecture.read(self.initial), HAVE_TRANSFORMER_ENGINE)
        missing, unexpected = self.module.load_state_dict(weights, strict=False)
        # TransformerEngine's `_extra_state` holds FP8 statistics, which are not used.
        if wrong := [name for name in (*missing, *unexpected) if not name.endswith("_extra_state")]:
            raise RuntimeError(f"The initial weights do not fit Megatron's model: {wrong}.")

    def weights(self) -> dict[str, torch.Tensor]:
        """The current weights on the CPU, named as in transformers."""
        state = unwrap_model(self.module).state_dict()
        tensors = {name: value.cpu() for name, value in state.items() if not name.endswith("_extra_state")}
        return from_megatron(tensors, Architecture.read(self.initial))


class Schedule(LRSchedulerModule):
    """The recipe's learning rate: NeMo itself has no schedule of warm-up, stable rate and linear decay (WSD)."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe

    def scheduler(self, model: Any, optimizers: Any) -> dict[str, Any]:
        recipe = self.recipe

        def share(finished: int) -> float:
            return recipe.rate(min(finished + 1, recipe.steps)) / recipe.learning_rate

        return {
            "optimizer": optimizers,
            "lr_scheduler": {"scheduler": LambdaLR(optimizers, share), "interval": "step", "frequency": 1},
        }


class Watch(PreemptionCallback):
    """After each step: its metrics, kept weights, a checkpoint, and the end where Slurm or a bad loss asks for it."""

    def __init__(self, plan: Plan, output: Path, state: State) -> None:
        super().__init__()
        self.recipe, self.save_interval, self.output, self.state = plan.recipe, plan.save_interval, output, state

    def on_train_start(self, trainer: Trainer, pl_module: Model) -> None:
        super().on_train_start(trainer, pl_module)
        resource_tracker.ensure_running()  # at its start it unblocks signals; see _save
        self.start, self.began = trainer.global_step, time.monotonic()
        if trainer.is_global_zero:
            self.state.forget_metrics_after(self.start)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Model, outputs: Any, batch: Any, batch_idx: int) -> None:
        step, recipe = trainer.global_step, self.recipe
        names = {"loss": "reduced_train_loss", "gradient_norm": "grad_norm", "learning_rate": "lr"}
        metrics = {ours: float(trainer.callback_metrics[theirs]) for ours, theirs in names.items()}
        if trainer.is_global_zero:
            self._report(step, metrics)
        if bad := [f"the {name.replace('_', ' ')} is {value}" for name, value in metrics.items() if not math.isfinite(value)]:
            reason = (
                f"At step {step} {' and '.join(bad)}; the checkpoint of step {self.state.last()} is kept."
                " Lower training.learning_rate or training.gradient_clip."
            )
            raise hopeless(self.state.folder, reason) if trainer.is_global_zero else UserError(reason)
        interrupted = self.interrupted  # agreed upon by all processes
        if step in recipe.kept:
            self._keep(step, trainer, pl_module)
        if step in recipe.kept or step % self.save_interval == 0 or interrupted:
            self._save(step, trainer)
        if interrupted and step < recipe.steps:
            raise UserError(
                f"Told to stop (SIGTERM) after step {step}, whose checkpoint is saved; the same command goes on from it."
            )

    def _report(self, step: int, metrics: dict[str, float]) -> None:
        """Append the step's metrics, and now and then print them."""
        recipe = self.recipe
        seconds = (time.monotonic() - self.began) / (step - self.start)
        speed, left = recipe.tokens_per_step / seconds, (recipe.steps - step) * seconds
        with open(self.state.metrics, "a", encoding="utf-8") as file:
            file.write(
                json.dumps({"step": step, **metrics, "tokens_per_second": round(speed), "seconds_left": round(left)}) + "\n"
            )
        if step % LOG_INTERVAL == 0 or step == recipe.steps:
            print(
                f"step {step}/{recipe.steps}  loss {metrics['loss']:.3f}  gradient norm {metrics['gradient_norm']:.2f}"
                f"  learning rate {metrics['learning_rate']:.2e}  {speed:,.0f} tokens/s  {left / 3600:,.1f} h left",
                file=sys.stderr,
                flush=True,
            )

    def _keep(self, step: int, trainer: Trainer, model: Model) -> None:
        """Write the weights as a transformers directory; its manifest follows at the end of the job."""
        if trainer.strategy.ddp_config.overlap_param_gather:
            trainer.strategy.megatron_parallel.force_param_sync()
        if trainer.is_global_zero:
            write_weights(model.weights(), model.initial, model_directory(self.output, self.recipe, step))

    def _save(self, step: int, trainer: Trainer) -> None:
        """Write a checkpoint, together with the other processes, in place of the last one."""
        if trainer.is_global_zero:
            shutil.rmtree(self.state.partial, ignore_errors=True)
        trainer.strategy.barrier()
        # Megatron starts a process for its checkpoints and keeps it: with the signal blocked, which it inherits, Slurm's warning to all
        # processes of the job does not end it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        trainer.save_checkpoint(self.state.partial)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        if trainer.is_global_zero:
            self.state.replace_checkpoint(step)
        trainer.strategy.barrier()


def config_of(plan: Plan) -> llm.LlamaConfig:
    """The model as NeMo and Megatron configure it."""
    a = plan.architecture
    return llm.LlamaConfig(
        num_layers=a.layers,
        hidden_size=a.hidden_size,
        ffn_hidden_size=a.feed_forward_size,
        num_attention_heads=a.heads,
        num_query_groups=a.groups,
        kv_channels=a.head_size,
        vocab_size=a.vocabulary,
        seq_length=plan.recipe.sequence_length,
        layernorm_epsilon=a.norm_epsilon,
        rotary_base=a.rope_base,
        share_embeddings_and_output_weights=True,
        perform_initialization=False,  # the weights come from a file
        # What needs kernels that only NVIDIA's Apex or TransformerEngine have; layers with TransformerEngine bring their own.
        masked_softmax_fusion=False,
        gradient_accumulation_fusion=False,
        apply_rope_fusion=False,
        persist_layer_norm=False,
        attention_softmax_in_fp32=True,
        cross_entropy_loss_fusion=plan.dtype == torch.bfloat16,  # it rounds its gradient to bfloat16
        # Without TransformerEngine's, attention keeps sequence length² values of each head: compute them again in the backward pass.
        recompute_granularity=None if HAVE_TRANSFORMER_ENGINE else "selective",
    )


def distributes_optimiser(plan: Plan) -> bool:
    """Whether each process keeps its share of the optimiser's state only.

    Without Apex or TransformerEngine, Megatron takes AdamW from torch, whose distributed state it cannot load again.
    """
    return plan.processes > 1 and HAVE_APEX_OR_TE


def optimiser_of(plan: Plan) -> MegatronOptimizerModule:
    """Adam with decoupled weight decay (none on the norms' gains), gradient clipping and the recipe's schedule."""
    recipe = plan.recipe
    config = OptimizerConfig(
        optimizer="adam",
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        adam_beta1=recipe.betas[0],
        adam_beta2=recipe.betas[1],
        adam_eps=1e-8,
        clip_grad=recipe.gradient_clip,
        bf16=plan.dtype == torch.bfloat16,
        params_dtype=plan.dtype,
        use_distributed_optimizer=distributes_optimiser(plan),
    )
    return MegatronOptimizerModule(config, Schedule(recipe))


def pretrain(plan: Plan, blend: list[str], initial: Path, output: Path, state: State, seed: int, processes_per_node: int) -> None:
    """Train from the state's last checkpoint, or else from the initial weights.

    Kept weights are written to the model directories at once; these get their manifests at the end.

    Raises:
        UserError: at a loss or gradient that is no number, and after SIGTERM; a checkpoint to go on from is there.
    """
    logging.setLevel(logging.WARNING)
    try:
        torch.cuda.set_device(TorchElasticEnvironment().local_rank())
    except (AssertionError, AttributeError, RuntimeError) as error:
        raise UserError(f"This process finds no GPU of its own ({error}); NeMo trains on nothing else.") from None
    recipe, last = plan.recipe, state.last()
    data = llm.PreTrainingDataModule(
        blend,
        tokenizer=Text(plan.architecture.vocabulary),
        seq_length=recipe.sequence_length,
        micro_batch_size=plan.micro_batch_size,
        global_batch_size=recipe.batch_size,
        seed=seed,
        split="1,0,0",
        num_workers=0,  # sequences are slices of mapped files; a worker would end with Slurm's warning, and the training with it
        index_mapping_dir=str(state.folder / "index"),
    )
    strategy = lightning.MegatronStrategy(
        ddp=DistributedDataParallelConfig(
            grad_reduce_in_fp32=True,
            use_distributed_optimizer=distributes_optimiser(plan),
            overlap_grad_reduce=plan.processes > 1,
            overlap_param_gather=distributes_optimiser(plan),
        ),
        ckpt_async_save=False,
        replace_progress_bar=False,
    )
    trainer = lightning.Trainer(
        accelerator="auto",
        devices=processes_per_node,
        num_nodes=plan.processes // processes_per_node,
        strategy=strategy,
        plugins=[
            lightning.MegatronMixedPrecision(plan.precision, params_dtype=plan.dtype, pipeline_dtype=plan.dtype),
            TorchElasticEnvironment(),
        ],
        callbacks=[Watch(plan, output, state)],
        max_steps=recipe.steps,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    model = Model(config_of(plan), optimiser_of(plan), str(initial))
    trainer.fit(model, data, ckpt_path=str(state.checkpoint(last)) if last else None)
