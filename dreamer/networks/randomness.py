"""Random numbers from a generator of one's own, for code that draws them by torch's usual functions.

torch has one generator for the whole process: with it, two dreams at once would take each other's numbers, and so would
whoever called dreamer. A mode of `torch.overrides`, which holds for one thread alone, hands every function that draws
another generator instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from typing import Any, ParamSpec, Self, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_DRAWING = frozenset(
    {
        *(torch.rand, torch.randn, torch.randint, torch.randperm, torch.normal),
        *(torch.bernoulli, torch.multinomial, torch.poisson),
        *(Tensor.uniform_, Tensor.normal_, Tensor.random_, Tensor.exponential_, Tensor.cauchy_, Tensor.log_normal_),
        *(Tensor.geometric_, Tensor.bernoulli, Tensor.bernoulli_, Tensor.multinomial),
        *(nn.init.uniform_, nn.init.normal_, nn.init.trunc_normal_, nn.init.orthogonal_, nn.init.sparse_),
        *(nn.init.xavier_uniform_, nn.init.xavier_normal_, nn.init.kaiming_uniform_, nn.init.kaiming_normal_),
    }
)
_LIKE: Mapping[Callable[..., Any], Callable[..., Any]] = {
    torch.rand_like: Tensor.uniform_,
    torch.randn_like: Tensor.normal_,
    torch.randint_like: Tensor.random_,
}
_ACTIVE: ContextVar[Randomness | None] = ContextVar("_ACTIVE", default=None)


class Randomness(TorchFunctionMode):
    """Within it, this thread draws from generators that begin with `seed`, one for each device.

    They give what torch's own would give after `torch.manual_seed(seed)`; torch's own stay as they are. Of torch's
    functions dropout alone is left out, as it takes no generator.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed
        self._generators: dict[torch.device, torch.Generator] = {}
        self._paused = False
        self._tokens: list[Token[Randomness | None]] = []

    @staticmethod
    def active() -> Randomness:
        """The one that this thread draws from; without any, another one each time."""
        return _ACTIVE.get() or Randomness(int(torch.randint(2**31, ())))

    def copy(self) -> Randomness:
        """Another one that gives the numbers that this one would give next."""
        other = Randomness(self.seed)
        other._generators = {device: one.clone_state() for device, one in self._generators.items()}
        return other

    def outside(self, function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        """Wrap a function of somebody else, so that it draws from torch's own generators even when called within."""

        def called(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            self._paused, before = True, self._paused
            try:
                return function(*args, **kwargs)
            finally:
                self._paused = before

        return called

    def __enter__(self) -> Self:
        self._tokens.append(_ACTIVE.set(self))
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        _ACTIVE.reset(self._tokens.pop())

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if not self._paused and kwargs.get("generator") is None:
            if func in _DRAWING:
                first = next((value for value in args if isinstance(value, Tensor)), None)
                device = kwargs.get("device") if first is None else first.device
                kwargs = {**kwargs, "generator": self._generator(device)}
            elif func in _LIKE:
                like, *limits = args
                values = torch.empty_like(like, **kwargs)
                return _LIKE[func](values, *limits, generator=self._generator(values.device))
        return func(*args, **kwargs)

    def _generator(self, device: Any) -> torch.Generator:
        device = torch.empty((), device=device).device
        if device not in self._generators:
            on = torch.device("cpu") if device.type == "meta" else device
            self._generators[device] = torch.Generator(on).manual_seed(self.seed)
        return self._generators[device]
