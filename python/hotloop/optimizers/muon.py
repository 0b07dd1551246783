"""Muon: momentum made orthogonal."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from ..config import epsilon as default_epsilon
from ..variable import Variable
from .optimizer import Optimizer

_ARGUMENTS = (
    "adam_beta_1", "adam_beta_2", "adam_weight_decay", "epsilon", "exclude_layers", "exclude_embeddings", "muon_a",
    "muon_b", "muon_c", "adam_lr_ratio", "momentum", "ns_steps", "nesterov", "rms_rate",
)  # fmt: skip


class Muon(Optimizer):
    """m = momentum m + g; w -= learning_rate rms_rate sqrt(max(rows, columns)) X, X the orthogonal matrix next to m.

    X is what `ns_steps` steps of a Newton-Schulz iteration make of X = m / norm(m) (with `nesterov` of g + momentum m):
    A = X X^T; X = muon_a X + (muon_b A + muon_c A^2) X. All singular values come near 1. Variables that are no matrix,
    embeddings and what `exclude_layers` names are updated by AdamW; the last layer should be among these.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable
    adam_beta_1, adam_beta_2, epsilon : float
        Of AdamW.
    adam_weight_decay : float, optional
        Weight decay of what AdamW updates.
    weight_decay : float, optional
        Of the matrices.
    name : str
    exclude_layers : list of str, optional
        Regular expressions, searched for in the weights' paths (``layer/weight``).
    exclude_embeddings : bool
        Whether AdamW updates weights with "embedding" in their path.
    muon_a, muon_b, muon_c : float
    adam_lr_ratio : float
        AdamW's learning rate as a multiple of `learning_rate`; above 0.
    momentum : float
    ns_steps : int
    nesterov : bool
    rms_rate : float, optional
        None takes the factor of X away: steps are then learning_rate X.
    **kwargs
        Of `Optimizer`.

    Notes
    -----
    Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024. The length of steps: Liu et al.,
    "Muon is Scalable for LLM Training", arXiv:2502.16982, 2025.

    Examples
    --------
    >>> Muon(0.01, exclude_layers=["output"]).weight_decay
    0.004
    """

    slot_names = ("momentum", "velocity")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float | None = 1e-7,
        weight_decay: float | None = 0.004,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.775,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **kwargs: Any,
    ) -> None:
        shared = {
            "weight_decay": weight_decay, "clipnorm": clipnorm, "clipvalue": clipvalue,
            "global_clipnorm": global_clipnorm, "use_ema": use_ema, "ema_momentum": ema_momentum,
            "ema_overwrite_frequency": ema_overwrite_frequency, "loss_scale_factor": loss_scale_factor,
            "gradient_accumulation_steps": gradient_accumulation_steps,
        }  # fmt: skip
        super().__init__(learning_rate, name, _ARGUMENTS, {**shared, **kwargs})
        number, most = self._number, math.inf
        self.adam_beta_1 = number("adam_beta_1", adam_beta_1, 0, 1, below=True)
        self.adam_beta_2 = number("adam_beta_2", adam_beta_2, 0, 1, below=True)
        self.epsilon = number("epsilon", default_epsilon() if epsilon is None else epsilon, 0, most)
        self.adam_weight_decay = (
            None if adam_weight_decay is None else number("adam_weight_decay", adam_weight_decay, 0, most)
        )
        self.muon_a, self.muon_b = number("muon_a", muon_a, -most, most), number("muon_b", muon_b, -most, most)
        self.muon_c = number("muon_c", muon_c, -most, most)
        self.adam_lr_ratio = number("adam_lr_ratio", adam_lr_ratio, 1e-30, most)
        self.momentum = number("momentum", momentum, 0, 1)
        self.ns_steps = self._count({"ns_steps": ns_steps}, "ns_steps", 0) or 0
        self.nesterov, self.exclude_embeddings = bool(nesterov), bool(exclude_embeddings)
        self.rms_rate = None if rms_rate is None else number("rms_rate", rms_rate, 1e-30, most)
        self.exclude_layers = [exclude_layers] if isinstance(exclude_layers, str) else list(exclude_layers or ())
        for pattern in self.exclude_layers:
            self._check_pattern("exclude_layers", pattern)

    def spec(self) -> dict[str, Any]:
        return {
            "kind": "muon_nesterov" if self.nesterov else "muon", "momentum": self.momentum,
            "beta_1": self.adam_beta_1, "beta_2": self.adam_beta_2, "epsilon": self.epsilon, "muon_a": self.muon_a,
            "muon_b": self.muon_b, "muon_c": self.muon_c, "ns_steps": self.ns_steps, "rms_rate": self.rms_rate or 0.0,
            "adam_lr_ratio": self.adam_lr_ratio, "adam_weight_decay": self.adam_weight_decay or 0.0,
        }  # fmt: skip

    def by_adam(self, variables: Sequence[Variable]) -> list[int]:
        return [
            i for i, v in enumerate(variables)
            if len(v.shape) != 2
            or (self.exclude_embeddings and "embedding" in v.path.lower())
            or any(re.search(pattern, v.path) for pattern in self.exclude_layers)
        ]  # fmt: skip

    def keeps(self, slot: str, variable: Variable) -> bool:
        return slot != "velocity" or bool(self.by_adam([variable]))

    @property
    def decays(self) -> bool:
        return bool(self.weight_decay or self.adam_weight_decay)

    def get_config(self) -> dict[str, Any]:
        config = {name: getattr(self, name) for name in _ARGUMENTS}
        return {**super().get_config(), "weight_decay": self.weight_decay, **config}
