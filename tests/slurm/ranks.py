"""Every rank adds its number to a sum over all of them; the first writes the sum and where the ranks were."""

import json
import os
import sys
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # 16 processes on few cores

import torch
import torch.distributed as dist

dist.init_process_group("gloo")  # finds the others by MASTER_ADDR, MASTER_PORT, RANK and WORLD_SIZE
total = torch.tensor(float(dist.get_rank()))
dist.all_reduce(total)
places: list = [None] * dist.get_world_size()
dist.all_gather_object(places, (os.environ["SLURMD_NODENAME"], int(os.environ["LOCAL_RANK"]), os.environ["ROCR_VISIBLE_DEVICES"]))
if dist.get_rank() == 0:
    Path(sys.argv[1]).write_text(json.dumps({"sum": total.item(), "places": places}))
dist.destroy_process_group()
