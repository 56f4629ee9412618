"""The modes of torch that a caller may have set: a dream is made without them, and leaves them as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@contextmanager
def plain_modes() -> Iterator[None]:
    """Within the block, gradients are computed, in float32 on the CPU where nothing else is said.

    This holds for the block's thread alone; only a default type other than float32 is set aside for all threads.
    """
    usual = torch.get_default_dtype()
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(torch.device("cpu"))
        for device in {"cpu", "cuda" if torch.cuda.is_available() else "cpu"}:
            stack.enter_context(torch.autocast(device, enabled=False))
        if usual != torch.float32:
            stack.callback(torch.set_default_dtype, usual)
            torch.set_default_dtype(torch.float32)
        yield


def in_plain_modes(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The function, called with `plain_modes`."""

    @wraps(function)
    def called(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with plain_modes():
            return function(*args, **kwargs)

    return called
