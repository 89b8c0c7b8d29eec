"""What a study is: a claim, arms that are compared, what is measured, and a rule written before the run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from striate.studies.images import DIGITS, Images, Source
from striate.studies.numbers import Numbers, Value
from striate.studies.verdict import Kind, Verdict


@dataclass(frozen=True, eq=False)
class Trial:
    """One seed of a study; PyTorch's global generator is seeded with it before each arm."""

    seed: int
    scale: float = 1.0
    """How much longer than the short form each training lasts."""

    data: Mapping[Source, Images] = field(default_factory=dict)
    """The images of each source, in the study's order."""

    @property
    def images(self) -> Images:
        """The images of the study's first source.

        Raises:
            ValueError: if it has none.
        """
        if not self.data:
            raise ValueError("`images`: expected a study with a source of images; got one without.")
        return next(iter(self.data.values()))

    def epochs(self, count: int) -> int:
        """The epochs, or steps, that `count` of the short form become."""
        return max(1, round(count * self.scale))


Measures = dict[str, Value]
Arm = Callable[[Trial], Measures]


@dataclass(frozen=True)
class Dots:
    """A figure with a row for each arm and a dot for each seed."""

    measure: str
    log: bool = False


@dataclass(frozen=True)
class Lines:
    """A figure with a line for each arm over the points of a series."""

    measure: str
    label: str
    """What the points are."""

    points: tuple[str, ...]
    log: bool = False


@dataclass(frozen=True)
class Maps:
    """A figure with a matrix for each arm, its values written in it, from a series of rows * columns values."""

    measure: str
    columns: int


@dataclass(frozen=True)
class Study:
    """A claim of the notes as an experiment."""

    claims: tuple[str, ...]
    """The ids in claims.toml of the sentences that it tests."""

    claim: str
    """The claim in our words, one sentence."""

    setup: str
    """The experiment: what is compared, on what, and what stays the same."""

    arms: Mapping[str, Arm]
    """What is compared. With several sources an arm is a `partial` that names its own in `source`."""

    figure: Dots | Lines | Maps
    rule: Callable[[Numbers], Verdict]
    """How numbers become a verdict."""

    planted: Mapping[Kind, Mapping[str, Mapping[str, Value]]]
    """Made-up measures of each arm for which the rule has to give that verdict; a test adds seeds and runs it."""

    literature: str
    """What others found, with the source."""

    remark: str = ""
    """Why we believe that it came out so: written after the run."""

    sources: tuple[Source, ...] = ()
    """The images that it needs; none where it makes its own inputs."""

    seeds: int = 5
    chance: bool = True
    """Whether seeds decide: a rule that rests on chance never gives a verdict from one seed."""

    name: str = ""
    """Of its file; given by the catalogue."""

    group: str = ""
    """Of its folder; given by the catalogue."""

    def brought(self) -> tuple[Source, ...]:
        """The sources whose images come with striate."""
        return tuple(source for source in self.sources if not source.name)

    def runs(self, data: object) -> bool:
        """Whether any of it can be run with these data, or with None."""
        return data is not None or not self.sources or bool(self.brought())

    def left_out(self, data: object) -> list[str]:
        """The arms that cannot be run because no data are given; none where no arm could, for that is refused."""
        if data is not None or not self.brought():
            return []
        return [name for name in self.arms if self.source_of(name).name]

    def source_of(self, arm: str) -> Source:
        """The images that an arm is run on."""
        source: Source = getattr(self.arms.get(arm), "keywords", {}).get("source", DIGITS)
        return source

    def partly(self) -> str:
        """What is said where arms were left out: what `--data` would add."""
        meanings = " and ".join(source.meaning for source in self.sources if source.name)
        arms = len(self.left_out(None))
        return (
            f"Run on {self.brought()[0].meaning} alone: with `--data FOLDER`, {meanings}, "
            f"{arms} of its {len(self.arms)} arms would be run too."
        )
