"""Several processes that train one model: which of them this is, and what they tell each other.

`torchrun` starts them and says in the environment which is which; docs/distributed.md is the guide. Each takes its
share of every batch, the gradients are added up, and so all of them take the same step and hold the same weights.
"""

import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from types import TracebackType
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.elastic.multiprocessing.errors import get_error_handler
from torch.distributed.rendezvous import rendezvous

from striate.device import Machine
from striate.errors import StriateError, TrainingError, UsageError
from striate.processors import cores

T = TypeVar("T")

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")  # of torchrun
FOR_A_STEP = timedelta(minutes=10)  # in which a disk or a first step may be slow; a lost host is noticed after it
FOR_THE_DATA = timedelta(days=1)  # in which the first process may check and decode a large data set
BACKENDS = {"cpu": "gloo", "cuda": "nccl"}  # what adds up gradients, by device
FIRST_TO_FAIL = "first to fail"  # key of the store
_runs = itertools.count()


class ToldError(StriateError):
    """This process ends because another failed, which has said why: so this one says nothing."""

    def __init__(self, exit_code: int) -> None:
        super().__init__()
        self.exit_code = exit_code


@dataclass(frozen=True)
class Processes:
    """This process among those that train together; one that trains alone unless made by `JoinedProcesses`.

    All of them call the same methods in the same order. Of one alone, each method is what is left of it.
    """

    rank: int = 0
    """Of this process, from 0; 0 alone writes and speaks."""

    world: int = 1
    """How many there are."""

    local_rank: int = 0
    """Of this process on its host."""

    local_world: int = 1
    """How many there are on this host."""

    group: dist.ProcessGroup | None = None
    """The same processes, with less patience; for what is done in every step."""

    @staticmethod
    def of(environment: Mapping[str, str]) -> "Processes":
        """This process as torchrun's variables have it; alone where they are not all there."""
        if not all(name in environment for name in VARIABLES):
            return Processes()
        rank, world, local_rank, local_world = (int(environment[name]) for name in VARIABLES)
        return Processes(rank, world, local_rank, local_world)

    def __str__(self) -> str:
        return f"process {self.rank} of {self.world}"

    def __deepcopy__(self, memo: dict[int, Any]) -> "Processes":
        """Itself: a copy of a net that has it talks to the same processes."""
        return self

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks for all."""
        return self.rank == 0

    @property
    def cores(self) -> int:
        """How many processors this process may use: its share of those of its host."""
        return max(1, cores() // self.local_world)

    def place(self, machine: Machine) -> Machine:
        """The machine with the GPU of this process, if it has GPUs.

        Raises:
            UsageError: if its device cannot add up gradients with those of other processes, or it has too few GPUs.
        """
        if self.world == 1:
            return machine
        kind = machine.device.type
        if kind not in BACKENDS:
            raise UsageError(
                f"`device`: expected cpu or cuda for {self.world} processes; got {kind}. Try --device cpu."
            )
        if kind == "cpu":
            return machine
        count = torch.cuda.device_count()
        if self.local_world > count:
            raise UsageError(
                f"`--nproc-per-node`: expected at most {count}, one process a GPU; got {self.local_world}. "
                "Try fewer, or --device cpu."
            )
        torch.cuda.set_device(self.local_rank)  # what "cuda" means from here on
        return replace(machine, device=torch.device(kind, self.local_rank))

    def numbers(self, *values: float) -> list[list[float]]:
        """The values of every process, by rank."""
        own = torch.tensor(values, dtype=torch.float64)
        if self.world == 1:
            return [own.tolist()]
        every = [torch.empty_like(own) for _ in range(self.world)]
        with self._answered():
            dist.all_gather(every, own, self.group)
        return [values.tolist() for values in every]

    def add_(self, tensors: Sequence[Tensor]) -> None:
        """Replaces each tensor by its sum over the processes, which has the same bits in all of them."""
        if self.world == 1 or not tensors:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])  # one message instead of hundreds
        with self._answered():
            dist.all_reduce(flat, group=self.group)
        for tensor, total in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(total.view_as(tensor))

    def gather(self, value: T) -> list[T]:
        """The value of every process, by rank; anything that can be pickled, and with patience."""
        every = [value] * self.world
        if self.world > 1:
            with self._answered():
                dist.all_gather_object(every, value)
        return every

    def from_first(self, work: Callable[[], T]) -> T:
        """What `work` gives in the first process; the others wait for it, with patience, and get a copy."""
        if self.world == 1:
            return work()
        given = [work() if self.first else None]
        with self._answered():
            dist.broadcast_object_list(given)
        return given[0]  # type: ignore[return-value]  # what the first has put there

    def one_a_host_first(self, work: Callable[[], T]) -> T:
        """Does `work` in the first process of each host, and then, when its files are there, in the others."""
        if self.local_rank == 0:
            done = work()
            self.gather(None)
        else:
            self.gather(None)
            done = work()
        self.gather(None)  # here too with patience: what comes next is a step
        return done

    def share(self, net: nn.Module) -> None:
        """Gives a net the values that it has in the first process: other processors may have drawn other last bits."""
        if self.world > 1:
            with self._answered():
                for value in net.state_dict().values():
                    plain = value.contiguous()  # whatever its memory format is
                    dist.broadcast(plain, 0, self.group)
                    value.copy_(plain)

    @contextmanager
    def _answered(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise TrainingError(
                f"process {self.rank}: expected an answer of all {self.world} processes; one of them has ended, or has "
                f"stood still for {FOR_A_STEP.seconds // 60} minutes. See what it said last, and its host."
            ) from error


ALONE = Processes()


class JoinedProcesses:
    """Joins the processes that torchrun started, for the time of a context; where it started none, nothing is done.

    If one fails, all end. The first that does says why, and the others leave without a word.
    """

    def __init__(self) -> None:
        self._processes = Processes.of(os.environ)
        self._store: Store | None = None

    def __enter__(self) -> Processes:
        found = self._processes
        if found.world == 1:
            return found
        if os.environ.get("OMP_NUM_THREADS", "1") == "1":  # which torchrun sets where the user has set nothing
            torch.set_num_threads(found.cores)
        store, _, _ = next(rendezvous("env://"))
        self._store = PrefixStore(f"striate {next(_runs)}", store)  # a process may train twice
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo",
            store=self._store,
            rank=found.rank,
            world_size=found.world,
            timeout=FOR_THE_DATA,
        )
        self._processes = replace(found, group=dist.new_group(timeout=FOR_A_STEP))
        return self._processes

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._store is None:
            return
        if error is None:
            dist.destroy_process_group()
        elif self._fails_first(self._store):
            get_error_handler().record_exception(error)  # with which torchrun ends its report
        else:
            with suppress(TrainingError):
                # Fails when the first to fail has gone. Before that, this one may not go: torchrun would end the other
                # before it has said why.
                self._processes.numbers(0)
            raise ToldError(getattr(error, "exit_code", 1)) from error

    def _fails_first(self, store: Store) -> bool:
        own = str(self._processes.rank)
        try:
            first: bytes = store.compare_set(FIRST_TO_FAIL, "", own)
        except RuntimeError:  # the store has gone with the host that kept it
            return True
        return first.decode() == own
