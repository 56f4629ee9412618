"""Optimisers of a canvas' parameters: (parameters, *, options) -> an optimiser, as torch.optim has them.

`step(closure)` moves the parameters; `closure()` gives the loss, which is minus the score, and puts the gradients into
each parameter's `grad`. An optimiser that sets `gradient_free` is given the loss alone, as often as it calls the
closure. Within one step every call of the closure uses the same random transforms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import torch
from torch import Tensor
from torch.optim.adam import adam as adam_step

from dreamer.engine.canvas import Optimiser
from dreamer.errors import UsageError, setting
from dreamer.hookspecs import Register, hookimpl
from dreamer.recipes.options import Range

Closure = Callable[[], Tensor]
Parameters = Sequence[Tensor]
Rate = Annotated[float, Range(1e-6, 100)]
Share = Annotated[float, Range(0, 0.9999)]
Decay = Annotated[float, Range(0, 1)]
Population = Annotated[int, Range(4, 1000)]
Sigma = Annotated[float, Range(1e-4, 100)]
Count = Annotated[int, Range(1, 100)]

_MOST = 2000  # parameters that CMA-ES can search: its matrix is this squared
_FIRST = 1e-2  # length of the first trial step of `ascent`, RMS over the parameters


def ascent(parameters: Parameters, *, paint: Callable[[], Tensor], step_size: float) -> Optimiser:
    """The dream's own steps along the gradient, each moving the picture by the octaves' `step_size` (RMS)."""
    return _Ascent(parameters, paint, step_size)


def sgd(parameters: Parameters, *, rate: Rate = 0.01, momentum: Share = 0.9, decay: Decay = 0.0) -> Optimiser:
    """Gradient descent with momentum (Polyak 1964)."""
    return torch.optim.SGD(parameters, lr=rate, momentum=momentum, weight_decay=decay)


def adam(parameters: Parameters, *, rate: Rate = 0.05, beta1: Share = 0.9, beta2: Share = 0.999) -> Optimiser:
    """Steps of like size in all parameters, from running means of gradient and square (Kingma, Ba 2015)."""
    return _Adam(parameters, rate, beta1, beta2)


def adamw(
    parameters: Parameters, *, rate: Rate = 0.05, beta1: Share = 0.9, beta2: Share = 0.999, decay: Decay = 0.01
) -> Optimiser:
    """Adam with a pull of `decay` times `rate` towards zero at each step (Loshchilov, Hutter 2019)."""
    return _Adam(parameters, rate, beta1, beta2, decay)


def nadam(parameters: Parameters, *, rate: Rate = 0.05, beta1: Share = 0.9, beta2: Share = 0.999) -> Optimiser:
    """Adam with Nesterov momentum (Dozat 2016)."""
    return torch.optim.NAdam(parameters, lr=rate, betas=(beta1, beta2))


def adagrad(parameters: Parameters, *, rate: Rate = 0.2) -> Optimiser:
    """Steps that shrink by all gradients so far: quick first, then ever finer (Duchi 2011)."""
    return torch.optim.Adagrad(parameters, lr=rate)


def adadelta(parameters: Parameters, *, rate: Rate = 10.0, rho: Share = 0.9) -> Optimiser:
    """Steps as long as recent steps were, without a rate to find; slow at first (Zeiler 2012)."""
    return torch.optim.Adadelta(parameters, lr=rate, rho=rho)


def rmsprop(parameters: Parameters, *, rate: Rate = 0.05, rho: Share = 0.95, momentum: Share = 0.0) -> Optimiser:
    """The gradient divided by its running RMS (Tieleman, Hinton 2012)."""
    return torch.optim.RMSprop(parameters, lr=rate, alpha=rho, momentum=momentum)


def lbfgs(parameters: Parameters, *, rate: Rate = 0.3, looks: Count = 4, history: Count = 10) -> Optimiser:
    """Curvature from the last gradients, `looks` passes a step (Liu, Nocedal 1989); poor with random transforms."""
    return torch.optim.LBFGS(
        parameters, lr=rate, max_iter=looks, history_size=history, tolerance_grad=0, tolerance_change=0
    )


def genetic(
    parameters: Parameters,
    *,
    population: Population = 24,
    sigma: Sigma = 0.3,
    elite: Annotated[float, Range(0.05, 0.9)] = 0.25,
) -> Optimiser:
    """Genetic search without gradients: each step crosses and mutates the best so far (Holland 1975).

    A step tries `population` children, mutated by N(0, sigma^2); the best so far, `elite` times as many, are the
    parents of the next step.
    """
    return _Genetic(parameters, population, sigma, elite)


def cma_es(
    parameters: Parameters, *, population: Population | None = None, sigma: Sigma = 0.5, diagonal: bool = False
) -> Optimiser:
    """Search without gradients: draws from a Gaussian that adapts to the best draws (Hansen, Ostermeier 2001).

    For up to 2000 parameters; with `diagonal` for any number, without their correlations (Ros, Hansen 2008).
    """
    return _CmaEs(parameters, population, sigma, diagonal)


class _Adam:
    """torch's own steps, by its function: its class imports torch's compiler, which takes longer than a small picture.

    A `decay` is that of AdamW, apart from the running means.
    """

    def __init__(self, parameters: Parameters, rate: float, beta1: float, beta2: float, decay: float = 0.0) -> None:
        self._parameters = parameters
        self._rate, self._betas, self._decay = rate, (beta1, beta2), decay
        self._running = [(torch.zeros_like(one), torch.zeros_like(one), torch.zeros(())) for one in parameters]

    @torch.no_grad()
    def step(self, closure: Closure) -> Tensor:
        with torch.enable_grad():
            loss = closure()
        moved = [
            (one, one.grad, *running)
            for one, running in zip(self._parameters, self._running, strict=True)
            if one.grad is not None
        ]
        if moved:
            parameters, gradients, means, squares, steps = map(list, zip(*moved, strict=True))
            adam_step(
                *(parameters, gradients, means, squares, [], steps),
                lr=self._rate,
                beta1=self._betas[0],
                beta2=self._betas[1],
                weight_decay=self._decay,
                has_complex=any(one.is_complex() for one in parameters),
                decoupled_weight_decay=True,
                amsgrad=False,
                eps=1e-8,
                maximize=False,
            )
        return loss


class _Ascent:
    def __init__(self, parameters: Parameters, paint: Callable[[], Tensor], step_size: float) -> None:
        self._parameters, self._paint, self._step_size = parameters, paint, step_size
        self._length = 0.0

    @torch.no_grad()
    def step(self, closure: Closure) -> Tensor:
        with torch.enable_grad():
            loss = closure()
        moves = [(parameter, parameter.grad) for parameter in self._parameters if parameter.grad is not None]
        norm = math.sqrt(sum(float(way.square().sum()) for _, way in moves))
        if not norm:
            return loss
        before = self._paint()
        length = self._length or _FIRST * sum(p.numel() for p in self._parameters) ** 0.5 / norm
        _move(moves, length)
        moved = float((self._paint() - before).square().mean().sqrt())
        if moved > 0:
            self._length = length * min(10.0, self._step_size / moved)
            _move(moves, self._length - length)
        return loss


def _move(moves: Sequence[tuple[Tensor, Tensor]], length: float) -> None:
    """Move each parameter against its gradient."""
    for parameter, way in moves:
        parameter.data.sub_(way, alpha=length)


class _Searching:
    """A search without gradients, with all parameters as one vector."""

    gradient_free = True

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._best: tuple[float, Tensor] | None = None

    def _vector(self) -> Tensor:
        """All parameters, (n,) in float64."""
        return torch.cat([parameter.detach().flatten().cpu().double() for parameter in self._parameters])

    def _show(self, vector: Tensor) -> None:
        """Set the parameters to the vector's values."""
        parts = torch.split(vector, [parameter.numel() for parameter in self._parameters])
        for parameter, part in zip(self._parameters, parts, strict=True):
            parameter.data.copy_(part.view(parameter.shape))

    def _loss(self, vector: Tensor, closure: Closure) -> float:
        """The loss at the vector; keeps the best vector so far."""
        self._show(vector)
        loss = float(closure())
        if self._best is None or loss < self._best[0]:
            self._best = (loss, vector)
        return loss

    def _settle(self) -> float:
        """Set the parameters to the best vector so far, and give its loss."""
        assert self._best is not None
        self._show(self._best[1])
        return self._best[0]


class _Genetic(_Searching):
    def __init__(self, parameters: Parameters, population: int, sigma: float, elite: float) -> None:
        super().__init__(parameters)
        self._population, self._sigma = population, sigma
        self._keep = max(2, round(population * elite))
        self._pool: list[tuple[float, Tensor]] = []

    def step(self, closure: Closure) -> float:
        for _ in range(self._population):
            child = self._child() if self._pool else self._vector()
            child += self._sigma * torch.randn(len(child), dtype=child.dtype)
            self._pool.append((self._loss(child, closure), child))
        self._pool = sorted(self._pool, key=lambda one: one[0])[: self._keep]
        return self._settle()

    def _child(self) -> Tensor:
        one, other = (self._pool[int(torch.randint(len(self._pool), ()))][1] for _ in range(2))
        return torch.where(torch.rand(len(one)) < 0.5, one, other)


class _CmaEs(_Searching):
    def __init__(self, parameters: Parameters, population: int | None, sigma: float, diagonal: bool) -> None:
        super().__init__(parameters)
        try:
            from cmaes import CMA, SepCMA
        except ImportError:
            raise UsageError("optimiser cma-es needs one package more: pip install 'dreamer-art[search]'") from None
        start = self._vector()
        if len(start) > _MOST and not diagonal:
            raise UsageError(
                f"optimiser cma-es searches at most {_MOST} numbers, and this canvas has {len(start)}; make it "
                f"smaller, as {setting('canvas', 'frequencies', 6)} does a fourier one, or let each number go for "
                f"itself: {setting('optimiser', 'diagonal', True)}"
            )
        search: Any = SepCMA if diagonal else CMA
        seed = int(torch.randint(2**31, ()))
        self._search = search(start.numpy(), sigma, seed=seed, population_size=population)

    def step(self, closure: Closure) -> float:
        found = []
        for _ in range(self._search.population_size):
            place = self._search.ask()
            found.append((place, self._loss(torch.from_numpy(place), closure)))
        self._search.tell(found)
        return self._settle()


@hookimpl
def register_optimisers(register: Register) -> None:
    """The built-in optimisers."""
    for function in (ascent, sgd, adam, adamw, nadam, adagrad, adadelta, rmsprop, lbfgs, genetic):
        register(function)
    register(cma_es, "cma-es")
