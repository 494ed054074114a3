# SPDX-License-Identifier: BSD-3-Clause
"""qwen3_*/: tiny random checkpoints and what they answer, see README.md.   python qwen3.py FOLDER"""
import os
import sys
import torch
from safetensors.torch import save_file
from transformers import Qwen3Config, Qwen3ForCausalLM

torch.set_num_threads(1)
CASES = [  # name, tied, dtype, largest shard, heads of keys and values
    ("untied", False, torch.float32, "1GB", 2),
    ("tied", True, torch.float32, "1GB", 4),
    ("shards", False, torch.bfloat16, "6KB", 1),
    ("half", True, torch.float16, "4KB", 2),
]

for seed, (name, tied, dtype, shard, shared) in enumerate(CASES):
    torch.manual_seed(80 + seed)
    config = Qwen3Config(
        vocab_size=37, hidden_size=20, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=shared, head_dim=6,
        intermediate_size=26, max_position_embeddings=16, rms_norm_eps=1e-6, tie_word_embeddings=tied,
        rope_parameters={"rope_theta": 1000.0, "rope_type": "default"}, attn_implementation="eager")
    model = Qwen3ForCausalLM(config).to(torch.float64)
    with torch.no_grad():
        for key, p in model.named_parameters():  # gains about 1, none of them 1; weights large enough for attention to matter
            p.copy_((1 if p.dim() == 1 else 0) + 0.3 * torch.randn_like(p))
    folder = os.path.join(sys.argv[1], f"qwen3_{name}")
    model.to(dtype).save_pretrained(folder, max_shard_size=shard)
    os.remove(os.path.join(folder, "generation_config.json"))
    model = model.to(torch.float64)  # what the file holds, computed in double, also where transformers says float32
    model.model.rotary_emb.inv_freq = 1 / 1000.0 ** (torch.arange(0, 6, 2, dtype=torch.float64) / 6)
    tokens = torch.randint(37, (16,))
    single, to_single = torch.float32, torch.Tensor.float
    torch.float32 = torch.float = torch.float64
    torch.Tensor.float = torch.Tensor.double
    with torch.no_grad():
        logits = model(tokens[None]).logits[0]
    torch.float32 = torch.float = single
    torch.Tensor.float = to_single
    assert logits.dtype == torch.float64
    save_file({"prompt": tokens, "logits": logits}, os.path.join(folder, "answer.safetensors"))
