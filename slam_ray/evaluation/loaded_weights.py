"""Whether a vLLM engine holds the weights that it was given: it shows them, and they are compared with the files.

vLLM fuses projections (gate and up; q, k and v) and without a GPU repacks them, so that its parameters cannot be read.
What a linear module computes can: its product with rows of the identity matrix is its weight to the bit, since each sum
has one term that is not zero.
"""

import os
from collections.abc import Collection, Mapping
from typing import Any

import torch
from vllm.model_executor.layers.linear import LinearBase
from vllm.model_executor.layers.vocab_parallel_embedding import ParallelLMHead, VocabParallelEmbedding

from slam_ray.config import InputError
from slam_ray.models.reference import ModelRef
from slam_ray.models.weights import stored_tensors, trained_tensors

# vLLM's modules for several projections, whose outputs lie in this order; a checkpoint may hold them fused as well.
FUSED = {"qkv_proj": ("q_proj", "k_proj", "v_proj"), "gate_up_proj": ("gate_proj", "up_proj")}
# A module shows the weights of as many of its inputs as so many multiplications pay for, evenly spaced. Of a model of
# 270 million parameters that is all of them but for the language-model head.
MULTIPLICATIONS, LEAST_INPUTS = 2**32, 16
# An embedding is compared so many tokens at a time, which bounds the memory.
EMBEDDED_TOKENS = 2**14


@torch.inference_mode()
def check_weights(engine: torch.nn.Module, model: ModelRef, layers: Collection[int] | None = None) -> None:
    """Compare what linear modules compute and embeddings look up, and the other parameters, with the model's files.

    Args:
        engine: vLLM's model.
        model: whose weights it was given.
        layers: 0-based; only what lies in them is compared. None: everything.

    Raises:
        InputError: a tensor differs, or one is in the engine alone, or a trained one in the files alone.
    """
    Comparison(engine, model, layers).run()


class Comparison:
    """The tensors of a model's files, each to be found in the engine."""

    def __init__(self, engine: torch.nn.Module, model: ModelRef, layers: Collection[int] | None) -> None:
        self._model, self._layers = model, layers
        self._modules: dict[str, Any] = dict(engine.named_modules())
        self._embedding = next(path for path, each in self._modules.items() if type(each) is VocabParallelEmbedding)
        weight = self._modules[self._embedding].weight
        self._dtype, self._device = weight.dtype, weight.device
        self._stored = {model.family.loaded_name(name): value for name, value in stored_tensors(model, self._inside)}
        self._shown: set[str] = set()

    def run(self) -> None:
        """Compare; InputError as in `check_weights`."""
        for path, module in self._modules.items():
            if not self._inside(path):
                continue
            if isinstance(module, LinearBase):
                self._compare_linear(path, module)
            elif isinstance(module, VocabParallelEmbedding):
                self._compare_embedding(path, module)
            else:
                for name, parameter in module.named_parameters(recurse=False):
                    self._compare(self._files(path, name), parameter)
        trained = {self._model.family.loaded_name(name) for name in trained_tensors(self._model)}
        if unknown := trained - self._shown:
            raise self._wrong(f"{min(unknown)} is none of its weights")

    def _inside(self, name: str) -> bool:
        return self._layers is None or self._model.family.layer_of(name) in self._layers

    def _compare_linear(self, path: str, module: Any) -> None:
        # Outputs come first, as in vLLM.
        transposed = self._model.family.outputs_axis == 1
        files = {name: value.T if transposed else value for name, value in self._files(path, "weight").items()}
        self._compare_product(module, files, module.input_size)
        if module.bias is not None:
            self._compare(self._files(path, "bias"), module.bias)

    def _compare_embedding(self, path: str, module: Any) -> None:
        if f"{path}.weight" in self._stored or not isinstance(module, ParallelLMHead):
            files = self._files(path, "weight")
        else:  # the head of tied embeddings, of which vLLM may keep a packed copy
            files = self._files(self._embedding, "weight")
        (name, weight), *_ = files.items()
        self._compare_product(module, files, weight.shape[1])
        if isinstance(module, ParallelLMHead):
            return
        for tokens in torch.arange(len(weight)).split(EMBEDDED_TOKENS):
            embedded = module.quant_method.embedding(module, tokens.to(self._device))
            self._compare({name: weight[tokens[0] : tokens[-1] + 1]}, embedded)

    def _files(self, path: str, leaf: str) -> dict[str, torch.Tensor]:
        """The tensors of the files that a parameter of a module holds, by name, in the order of its outputs."""
        whole, (parent, _, module) = f"{path}.{leaf}", path.rpartition(".")
        names = [whole] if whole in self._stored else [f"{parent}.{part}.{leaf}" for part in FUSED.get(module, ())]
        if not names or not set(names) <= self._stored.keys():
            raise self._wrong(f"it holds {whole}, which is none of them")
        self._shown.update(names)
        return {name: self._stored[name] for name in names}

    def _compare_product(self, module: Any, files: Mapping[str, torch.Tensor], inputs: int) -> None:
        """Compare a module's product with rows of the identity matrix; `files` are [outputs, inputs] each."""
        outputs = sum(map(len, files.values()))
        count = min(inputs, max(LEAST_INPUTS, MULTIPLICATIONS // (inputs * outputs)))
        chosen = torch.arange(count) * inputs // count
        rows = torch.zeros(count, inputs, dtype=self._dtype)
        rows[torch.arange(count), chosen] = 1
        product = module.quant_method.apply(module, rows.to(self._device), None)
        # The vocabulary may be padded.
        self._compare({name: value[:, chosen] for name, value in files.items()}, product.T[:outputs])

    def _compare(self, files: Mapping[str, torch.Tensor], shown: torch.Tensor) -> None:
        """Compare tensors of the files, one below the other, with what the engine has of them."""
        for (name, value), part in zip(files.items(), shown.split([len(each) for each in files.values()]), strict=True):
            # A bias may be kept in float32, which holds every number of a shorter dtype.
            wanted = value.to(self._dtype).to(part)
            if torch.equal(wanted, part):
                continue
            # Some processors take the numbers below the smallest normal one for zero.
            flushed = (part == 0) & (wanted.abs() < torch.finfo(wanted.dtype).tiny)
            if different := int((~((wanted == part) | flushed)).sum()):
                raise self._wrong(f"{different} of {wanted.numel()} numbers of {name} are others")

    def _wrong(self, what: str) -> InputError:
        model = self._model
        title = f"{model.base} with what the training {model.fingerprint} tuned" if model.trained else str(model.base)
        return InputError(
            f"the engine in process {os.getpid()} does not hold the weights of {title}: {what}. It has answered nothing"
            " with them. Where files were changed while the run was going on, start it again; otherwise please report"
            " this"
        )
