"""Runs a script on the CPU although NeMo asks for CUDA: streams, devices and pinned memory are answered with stand-ins.

Only for tests. Megatron's mathematics, data, optimiser and checkpoints are the real ones, in float32 and without compiled kernels.

Example:
    python tests/nemo/cpu_emulation.py workflow/scripts/pretrain_nemo.py --initial …
"""

import os
import runpy
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

# Megatron compiles small functions when it is imported, which takes a compiler and longer than a test.
os.environ["TORCHDYNAMO_DISABLE"] = "1"


class Stream:
    """A CUDA stream on which everything has already happened."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def wait_stream(self, _: "Stream") -> None:
        pass


def emulate() -> Any:
    """Replace what NeMo and Megatron ask of torch.cuda; return the mode in which calls that name a CUDA device use the CPU."""
    import torch
    from megatron.core.tensor_parallel import random
    from nemo.lightning.io import pl
    from torch.overrides import TorchFunctionMode

    cpu, cuda = torch.device("cpu"), torch.cuda

    def on_cpu(value: Any) -> Any:
        is_cuda = value.startswith("cuda") if isinstance(value, str) else isinstance(value, torch.device) and value.type == "cuda"
        return cpu if is_cuda else value

    class CudaOnCpu(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if function is torch.Tensor.cuda:
                return args[0]
            kwargs = {name: on_cpu(value) for name, value in (kwargs or {}).items() if name != "pin_memory"}
            result = function(*map(on_cpu, args), **kwargs)
            if function is torch.Tensor.type and isinstance(result, str):
                return result.replace("torch.", "torch.cuda.")  # Megatron asserts that gradients are CUDA tensors
            return result

    cuda.current_device = lambda: cpu
    cuda.set_device = lambda _: None
    cuda.synchronize = lambda *_: None
    cuda.Stream = Stream
    cuda.stream = lambda _: nullcontext()
    cuda.current_stream = cuda.default_stream = lambda *_: Stream()
    # Nothing is random: there is no dropout.
    random.CudaRNGStatesTracker.fork = lambda *_: nullcontext()
    random._get_all_rng_states = lambda: ()
    random._set_all_rng_states = lambda *_: None
    pl._fix_tensors_device = lambda checkpoint: checkpoint
    return CudaOnCpu()


def run(script: str, arguments: list[str]) -> None:
    """Run a script as `python script arguments` would."""
    sys.argv = [script, *arguments]
    sys.path.insert(0, str(Path(script).parent))
    with emulate():
        runpy.run_path(script, run_name="__main__")


# The guard matters: writing a checkpoint starts a process that imports this file.
if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2:])
