import dataclasses
import math
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.cli.app import app
from striate.errors import UsageError
from striate.recipe import (
    KEYS,
    TABLES,
    AugmentRecipe,
    DataRecipe,
    MachineRecipe,
    NetworkRecipe,
    Recipe,
    TrainingRecipe,
    TransferRecipe,
    dumps,
    from_dict,
    load,
    to_dict,
    with_values,
)
from striate.recipe.size import height_and_width, written

SHARE = st.floats(0, 1, exclude_max=True)
POSITIVE = st.floats(0, 1e6, exclude_min=True)
RATIOS = st.tuples(POSITIVE, POSITIVE).map(lambda pair: (min(pair), max(pair)))
TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
OPTIMISERS = st.sampled_from(["sgd", "momentum", "rmsprop", "adam", "adamw"])

RECIPES = st.builds(
    Recipe,
    st.builds(
        NetworkRecipe,
        model=st.none() | TEXT,
        model_args=st.dictionaries(
            TEXT, st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | TEXT, max_size=3
        ),
    ),
    st.builds(
        DataRecipe,
        img_size=st.none() | st.integers(1, 4096) | st.just("224x320"),
        in_channels=st.sampled_from([None, 1, 3]),
        crop_pct=st.none() | st.floats(0, 1, exclude_min=True),
        mean=st.none() | st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=3).map(tuple),
        std=st.none() | st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=3).map(tuple),
        val_fraction=st.floats(0, 0.49),
        test_fraction=st.floats(0, 0.5),
        label_separator=TEXT,
        max_bad=st.floats(0, 1),
        max_pixels=st.integers(1, 1_000_000_000),
    ),
    st.builds(
        AugmentRecipe,
        augment=st.sampled_from(["none", "light", "medium", "heavy"]),
        trivial=st.booleans(),
        crop_scale=st.none() | st.tuples(SHARE, SHARE).map(lambda pair: (1 - max(pair), 1 - min(pair))),
        crop_ratio=st.none() | RATIOS,
        mirror=st.none() | st.floats(0, 1),
        rotation=st.none() | st.floats(0, 180),
        pca_source=st.sampled_from(["imagenet", "images"]),
        mixup=st.none() | POSITIVE,
    )
    | st.builds(
        AugmentRecipe,
        pca_values=st.tuples(POSITIVE, POSITIVE, POSITIVE),
        pca_vectors=st.lists(st.floats(-1, 1), min_size=9, max_size=9).map(tuple),
    ),
    st.builds(
        TrainingRecipe,
        epochs=st.integers(1, 10**6),
        opt=OPTIMISERS,
        lr=POSITIVE,
        lr_decay=st.floats(0, 1, exclude_min=True),
        momentum=SHARE,
        schedule=st.sampled_from(["cosine", "onecycle", "step", "constant"]),
        ema_decay=SHARE,
        seed=st.integers(0, 2**63 - 1),
    ),
    st.builds(MachineRecipe, workers=st.none() | st.integers(1, 64), tensorboard=st.booleans()),
    st.just(TransferRecipe())
    | st.builds(
        TransferRecipe,
        weights=TEXT.filter(lambda text: text not in ("", "none")),
        freeze=st.none() | TEXT,
        views=st.none() | st.integers(0, 100),
        head=st.sampled_from(["softmax", "ridge"]),
    ),
)


@given(RECIPES)
def test_toml_gives_the_recipe_back(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe) -> None:
    path = tmp_path_factory.getbasetemp() / "recipe.toml"
    path.write_text(dumps(recipe), encoding="utf-8", newline="")
    assert load(path) == recipe


@given(RECIPES)
def test_dicts_give_the_recipe_back(recipe: Recipe) -> None:
    assert from_dict(to_dict(recipe)) == recipe


def test_what_a_file_leaves_out_keeps_its_default(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("[training]\nepochs = 7\nlr = 1\n")
    assert load(path) == Recipe(training=TrainingRecipe(epochs=7, lr=1.0))
    path.write_text("")
    assert load(path) == Recipe()


def test_a_file_holds_what_was_left_out_too(tmp_path: Path) -> None:
    recipe = from_dict({"training": {"epochs": 7}})
    assert to_dict(recipe)["training"]["momentum"] == 0.9
    assert dumps(recipe) == dumps(Recipe(training=TrainingRecipe(epochs=7)))
    tables = dataclasses.asdict(Recipe())
    missing = {key for table in tables.values() for key, value in table.items() if value is None}  # which TOML lacks
    assert {"img_size", "mean", "workers", "rotation"} <= missing
    assert {key for table in to_dict(recipe).values() for key in table} == KEYS.keys() - missing


def test_a_key_has_one_name_in_all_tables() -> None:
    assert len(KEYS) == sum(len(dataclasses.fields(kind)) for kind in TABLES.values())


def settings(*words: str) -> Recipe:
    """The recipe that `striate train DATA WORDS` runs."""
    _, bound, _ = app.parse_args(["train", "DATA", *words], exit_on_error=False, print_error=False)
    bound.apply_defaults()
    recipe = bound.arguments["settings"]
    if not isinstance(recipe, Recipe):
        raise TypeError(f"expected a Recipe; got {recipe!r}")
    return recipe


def test_flags_and_file_have_the_same_defaults() -> None:
    assert settings() == Recipe() == from_dict({})
    assert settings("--epochs", str(TrainingRecipe.epochs)) == Recipe()  # built anew from the flags


def test_every_key_is_a_flag_of_the_same_name() -> None:
    arguments = app["train"].assemble_argument_collection(parse_docstring=True)
    flags = {name: argument for argument in arguments for name in argument.names}
    for key in KEYS:
        flag = flags[f"--{key.replace('_', '-')}"]
        assert flag.parameter.help, key


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--model", "lenet5"], Recipe(NetworkRecipe(model="lenet5"))),
        (
            ["-m", "lenet5", "-b", "4", "-j", "2"],
            Recipe(NetworkRecipe("lenet5"), training=TrainingRecipe(batch_size=4), machine=MachineRecipe(workers=2)),
        ),
        (["--crop-scale", "1", "1"], Recipe(augment=AugmentRecipe(crop_scale=(1.0, 1.0)))),
        (
            ["--augment", "heavy", "--trivial", "--zoom", "1", "2"],
            Recipe(augment=AugmentRecipe("heavy", trivial=True, zoom=(1.0, 2.0))),
        ),
        (
            ["--pca-values", "3", "2", "1", "--pca-vectors", *"123456789"],
            Recipe(augment=AugmentRecipe(pca_values=(3.0, 2.0, 1.0), pca_vectors=tuple(map(float, range(1, 10))))),
        ),
        (["--in-channels", "1"], Recipe(data=DataRecipe(in_channels=1))),
        (["--tensorboard"], Recipe(machine=MachineRecipe(tensorboard=True))),
        (["--model-args.activation", "relu"], Recipe(NetworkRecipe(model_args={"activation": "relu"}))),
    ],
)
def test_flags_set_the_recipe(words: list[str], expected: Recipe) -> None:
    assert settings(*words) == expected


@pytest.mark.parametrize(
    ("tables", "sentence"),
    [
        ({"trainng": {}}, "unknown table [trainng]. Did you mean `training`?"),
        ({"zzz": {}}, "unknown table [zzz]. Try one of: augment, data, machine, network, training, transfer."),
        ({"training": {"epoch": 3}}, "unknown key `epoch` under [training]. Did you mean `epochs`?"),
        ({"data": {"epochs": 3}}, "unknown key `epochs` under [data]. It belongs under [training]."),
        ({"epochs": 3}, "`epochs` stands outside its table. Put it under [training]."),
        ({"training": 3}, "`training`: expected a table; got 3."),
        ({"training": {"epochs": True}}, "`epochs`: expected int, got bool."),
        ({"training": {"epochs": 2.0}}, "`epochs`: expected int, got float."),
        ({"training": {"lr": True}}, "`lr`: expected float | null, got bool."),
        ({"training": {"lr": "0.1"}}, "`lr`: expected float | null, got str."),
        ({"machine": {"tensorboard": 1}}, "`tensorboard`: expected bool, got int."),
        ({"network": {"model": 18}}, "`model`: expected str | null, got int."),
        ({"network": {"model_args": {"x": [1]}}}, "`model_args`: expected bool | int | float | str, got array."),
        ({"augment": {"crop_scale": [0.5]}}, "`crop_scale`: expected array of length 2, got 1."),
        (
            {"training": {"opt": "sdg"}},
            "`opt`: expected one of sgd, momentum, nesterov, rmsprop, adam, adamw, muon; got 'sdg'.",
        ),
        ({"data": {"in_channels": 0}}, "`in_channels`: expected a whole number from 1 to 512; got 0."),
        (
            {"data": {"pixel_range": [9, 1]}},
            "`pixel_range`: expected two numbers, the lower one first; got (9.0, 1.0).",
        ),
        (
            {"data": {"img_size": 0}},
            "`img_size`: expected a number of pixels, or HEIGHTxWIDTH, from 1 to 16,384 each; got 0. "
            "Try 224 or 224x320.",
        ),
        ({"data": {"crop_pct": 0}}, "`crop_pct`: expected a number above 0, up to 1; got 0."),
        ({"data": {"crop_pct": 1.5}}, "`crop_pct`: expected a number above 0, up to 1; got 1.5."),
        ({"data": {"val_fraction": 1}}, "`val_fraction`: expected a number from 0, below 1; got 1."),
        ({"data": {"test_fraction": -0.1}}, "`test_fraction`: expected a number from 0, below 1; got -0.1."),
        (
            {"data": {"val_fraction": 0.5, "test_fraction": 0.5}},
            "`val_fraction + test_fraction`: expected less than 1, or nothing is left to train on; got 1.0.",
        ),
        ({"data": {"max_bad": 1.1}}, "`max_bad`: expected a number from 0 to 1; got 1.1."),
        (
            {"machine": {"checkpoint_every": 0.0}},
            "`checkpoint_every`: expected a number above 0, up to 1,000,000; got 0.0.",
        ),
        (
            {"training": {"skip_bad_steps": -1}},
            "`skip_bad_steps`: expected a whole number from 0 to 1,000,000; got -1.",
        ),
        ({"data": {"cache_budget": 0.0}}, "`cache_budget`: expected a number above 0, up to 1,000,000; got 0.0."),
        ({"data": {"max_pixels": 0}}, "`max_pixels`: expected a whole number from 1 to 1,000,000,000; got 0."),
        (
            {"data": {"std": [0.5, 0.0, 0.5]}},
            "`std`: expected 1 to 512 values, each a number from 1e-06 to 1,000,000; got [0.5, 0.0, 0.5].",
        ),
        ({"augment": {"crop_scale": [0.9, 0.5]}}, "`crop_scale`: expected least <= largest; got (0.9, 0.5)."),
        (
            {"augment": {"crop_ratio": [0, 1]}},
            "`crop_ratio`: expected 2 values, each a number above 0, up to 1,000,000; got [0, 1].",
        ),
        ({"augment": {"mirror": 2}}, "`mirror`: expected a number from 0 to 1; got 2."),
        ({"augment": "light"}, "`augment`: expected a table; got 'light'."),
        ({"augment": {"augment": "strong"}}, "`augment`: expected one of none, light, medium, heavy; got 'strong'."),
        ({"augment": {"pca_source": "cifar"}}, "`pca_source`: expected one of imagenet, images; got 'cifar'."),
        ({"augment": {"erase": -0.1}}, "`erase`: expected a number from 0 to 1; got -0.1."),
        (
            {"augment": {"erase_scale": [0.1, 1.5]}},
            "`erase_scale`: expected 2 values, each a number above 0, up to 1; got [0.1, 1.5].",
        ),
        (
            {"augment": {"zoom": [0, 2]}},
            "`zoom`: expected 2 values, each a number above 0, up to 1,000,000; got [0, 2].",
        ),
        (
            {"augment": {"zoom": [1, math.inf]}},
            "`zoom`: expected 2 values, each a number above 0, up to 1,000,000; got [1, inf].",
        ),
        ({"augment": {"brightness": 1.1}}, "`brightness`: expected a number from 0 to 1; got 1.1."),
        ({"augment": {"saturation": math.nan}}, "`saturation`: expected a number from 0 to 1; got nan."),
        ({"augment": {"warp": 2}}, "`warp`: expected a number from 0 to 1; got 2."),
        ({"augment": {"perspective": 0.25}}, "`perspective`: expected a number from 0 to 0.2; got 0.25."),
        ({"augment": {"rotation": 190}}, "`rotation`: expected a number from 0 to 180; got 190."),
        ({"augment": {"shear": -3}}, "`shear`: expected a number from 0 to 60; got -3."),
        ({"augment": {"mixup": math.inf}}, "`mixup`: expected a number from 0 to 1,000,000; got inf."),
        (
            {"augment": {"pca_values": [1, 1, 1]}},
            "`pca_values`, `pca_vectors`: expected both or neither; got `pca_values` alone.",
        ),
        (
            {"augment": {"pca_values": [1, -1, 1], "pca_vectors": [1] * 9}},
            "`pca_values`: expected 3 values, each a number from 0 to 1,000,000; got [1, -1, 1].",
        ),
        (
            {"augment": {"pca_values": [1, 1, 1], "pca_vectors": [1]}},
            "`pca_vectors`: expected 9 values, each a number from -1,000,000 to 1,000,000; got [1].",
        ),
        ({"training": {"epochs": 0}}, "`epochs`: expected a whole number from 1 to 1,000,000; got 0."),
        ({"training": {"batch_size": -1}}, "`batch_size`: expected a whole number from 1 to 1,000,000; got -1."),
        ({"training": {"lr": 0}}, "`lr`: expected a number above 0, up to 1e+38; got 0."),
        ({"training": {"lr": float("nan")}}, "`lr`: expected a number above 0, up to 1e+38; got nan."),
        ({"training": {"step_epochs": 0}}, "`step_epochs`: expected a number above 0, up to 1,000,000; got 0."),
        ({"training": {"weight_decay": -1}}, "`weight_decay`: expected a number from 0 to 1,000,000; got -1."),
        ({"training": {"lr_decay": 0}}, "`lr_decay`: expected a number above 0, up to 1; got 0."),
        (
            {"transfer": {"weights": "none", "freeze": "all", "depths": 2}},
            "`freeze, depths`: expected `--weights` beside it; got none.",
        ),
        ({"transfer": {"weights": "a", "views": -1}}, "`views`: expected a whole number from 0 to 1,000; got -1."),
        ({"training": {"warmup_epochs": -1}}, "`warmup_epochs`: expected a number from 0 to 1,000,000; got -1."),
        ({"training": {"clip_grad": -1}}, "`clip_grad`: expected a number from 0 to 1,000,000; got -1."),
        ({"training": {"momentum": 1}}, "`momentum`: expected a number from 0, below 1; got 1."),
        ({"training": {"label_smoothing": 1}}, "`label_smoothing`: expected a number from 0, below 1; got 1."),
        ({"training": {"ema_decay": -0.5}}, "`ema_decay`: expected a number from 0, below 1; got -0.5."),
        (
            {"training": {"opt": "nesterov", "momentum": 0}},
            "`momentum`: expected above 0 with nesterov; got 0.0.",
        ),
        ({"training": {"seed": -1}}, "`seed`: expected a whole number from 0 to 9,223,372,036,854,775,807; got -1."),
        (
            {"training": {"seed": 2**63}},
            "`seed`: expected a whole number from 0 to 9,223,372,036,854,775,807; got 9223372036854775808.",
        ),
        ({"machine": {"workers": 0}}, "`workers`: expected a whole number from 1 to 1,024; got 0."),
    ],
)
def test_refusals(tables: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        from_dict(tables, source="recipe a.toml")
    assert str(caught.value) == f"recipe a.toml: {sentence}"


@pytest.mark.parametrize(
    ("content", "end"),
    [
        (b"[training]\nlr = 1\nlr = 2\n", "expected TOML; Cannot overwrite a value (at line 3, column 7)."),
        (
            b"[training]\n[data]\n[training]\n",
            "expected TOML; Cannot declare ('training',) twice (at line 3, column 10).",
        ),
        (b"\xff", "expected TOML; 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte."),
        (b"[training]\nepochs = 0", "`epochs`: expected a whole number from 1 to 1,000,000; got 0."),
    ],
)
def test_a_file_that_is_refused_is_named(tmp_path: Path, content: bytes, end: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        load(path)
    assert str(caught.value) == f"recipe {path}: {end}"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path / "none.toml")
    assert str(caught.value) == f"recipe {tmp_path / 'none.toml'}: cannot be read: No such file or directory."


def test_a_value_of_an_earlier_version_is_called_by_its_name_of_today() -> None:
    assert from_dict({"augment": {"pca_source": "pictures"}}).augment.pca_source == "images"


def test_values_can_be_given_whatever_their_table() -> None:
    recipe = with_values(Recipe(), {"epochs": 3, "model": "lenet5", "weight_decay": 0.5})
    assert (recipe.training.epochs, recipe.network.model, recipe.training.weight_decay) == (3, "lenet5", 0.5)
    assert with_values(recipe, {"model": None, "epochs": 20, "weight_decay": 0.05}) == Recipe()
    assert with_values(recipe, {}) == recipe
    with pytest.raises(UsageError, match=r"^recipe: unknown key `epoch`\. Did you mean `epochs`\?$"):
        with_values(recipe, {"epoch": 3})


@pytest.mark.parametrize(
    ("given_size", "size"), [(224, (224, 224)), ("224", (224, 224)), ("224x320", (224, 320)), ("1X9", (1, 9))]
)
def test_a_size_is_a_number_or_height_and_width(given_size: int | str, size: tuple[int, int]) -> None:
    assert height_and_width(given_size) == size
    assert from_dict({"data": {"img_size": given_size}}).data.img_size == given_size
    assert from_dict(tomllib.loads(dumps(from_dict({"data": {"img_size": given_size}})))).data.img_size == given_size


@pytest.mark.parametrize(
    "size", ["", "x", "224x", "224x0", "-1", "20000", "1x2x3", "224x320 ", "9" * 5000, -224, 10**30]
)
def test_what_is_no_size_is_refused(size: int | str) -> None:
    with pytest.raises(UsageError) as caught:
        from_dict({"data": {"img_size": size}})
    assert "`img_size`: expected a number of pixels, or HEIGHTxWIDTH, from 1 to 16,384 each; got " in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_square_is_written_as_one_number() -> None:
    assert (written(224, 224), written(224, 320)) == (224, "224x320")
