from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from striate.errors import UsageError
from striate.explain import activation_maps
from striate.explain.activation import is_linear_on_means
from striate.explain.capture import captured, evaluating, pixels
from striate.model import Model

MakeModel = Callable[..., Model]


def state(model: Model) -> dict[str, Any]:
    """All that an explanation must leave as it is."""
    return {
        "weights": {name: value.clone() for name, value in model.net.state_dict().items()},
        "modes": [module.training for module in model.net.modules()],
        "hooks": [len(module._forward_hooks) + len(module._backward_hooks) for module in model.net.modules()],
        "gradients": [parameter.grad for parameter in model.net.parameters()],
        "wants": [parameter.requires_grad for parameter in model.net.parameters()],
    }


def test_the_mean_of_a_map_and_the_bias_are_the_logit(make_model: MakeModel, images: Tensor) -> None:
    model = make_model()
    found = activation_maps(model, images, batch_size=2)
    assert found.method == "CAM"
    assert found.coarse is not None
    logits = model.predict_batch(images)
    bias = model.net.get_submodule("linear").bias
    assert isinstance(bias, Tensor)
    expected = logits.gather(1, torch.from_numpy(found.classes)[:, None])[:, 0] - bias.detach()[found.classes]
    assert found.classes.tolist() == logits.argmax(dim=1).tolist()
    assert np.allclose(found.coarse.mean(axis=(1, 2)), expected, atol=1e-4)
    assert np.allclose(found.probabilities, logits.softmax(dim=1), atol=1e-5)
    assert found.maps.shape == (5, 32, 32)


@pytest.mark.parametrize(
    ("name", "size", "linear"),
    [
        ("resnet20_cifar", 32, True),
        ("mobilenet_v2", 32, True),
        ("squeezenet1_1", 64, False),
        ("vgg11", 32, False),
        ("lenet5", 32, False),
    ],
)
def test_heads_that_are_linear_on_means_are_told(make_model: MakeModel, name: str, size: int, linear: bool) -> None:
    model = make_model(name, size=size)
    assert is_linear_on_means(model, model.net.explained_layer) is linear  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["resnet20_cifar", "vgg11", "lenet5"])
def test_agrees_with_captum(make_model: MakeModel, images: Tensor, name: str) -> None:
    attr: Any = pytest.importorskip("captum.attr", reason="captum is not installed")
    model = make_model(name)
    layer = model.net.get_submodule(str(model.net.explained_layer))
    ours = activation_maps(model, images, "class 1")
    inputs = pixels(images, model.preprocessing, model.machine)
    theirs = attr.LayerGradCam(model.net, layer).attribute(inputs, target=1).detach()
    assert ours.coarse is not None
    height, width = ours.coarse.shape[1:]
    expected = theirs[:, 0].numpy() * height * width  # its weights are means of the gradients, ours sums
    assert np.allclose(ours.coarse, expected, atol=1e-5 * float(np.abs(expected).max()))


def test_each_image_has_its_own_map_whatever_the_batch(make_model: MakeModel, images: Tensor) -> None:
    model = make_model()
    together = activation_maps(model, images, "class 2").maps
    for row in range(len(images)):
        alone = activation_maps(model, images[row : row + 1], "class 2").maps
        assert np.allclose(alone[0], together[row], atol=1e-5)
    assert not np.allclose(together[0], together[1])


def test_a_class_for_each_image(make_model: MakeModel, images: Tensor) -> None:
    model = make_model()
    mixed = activation_maps(model, images, ["class 0", 1, "class 2", 0, 1], batch_size=2)
    assert mixed.classes.tolist() == [0, 1, 2, 0, 1]
    assert np.allclose(mixed.maps[3], activation_maps(model, images, 0).maps[3], atol=1e-5)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("frozen", [False, True])
def test_nothing_stays_behind(make_model: MakeModel, images: Tensor, training: bool, frozen: bool) -> None:
    model = make_model("vgg11", classes=3)  # with dropout, and activations in place
    model.net.train(training).requires_grad_(not frozen)
    before = state(model)
    with torch.inference_mode():  # a caller may be in any mode
        first = activation_maps(model, images).maps
    second = activation_maps(model, images).maps
    after = state(model)
    assert np.array_equal(first, second)
    for name, value in before.pop("weights").items():
        assert torch.equal(value, after["weights"][name])
    del after["weights"]
    assert before == after


def test_hooks_are_gone_after_an_error(make_model: MakeModel, images: Tensor) -> None:
    model = make_model()
    with pytest.raises(UsageError, match="expected a class of the model; got class 9"):
        activation_maps(model, images, "class 9")
    with pytest.raises(UsageError, match="`layer`: expected a module of the network; got layer9"):
        activation_maps(model, images, layer="layer9")
    with pytest.raises(UsageError, match="`classes`: expected 5, one for each image; got 2"):
        activation_maps(model, images, [0, 1])
    assert sum(state(model)["hooks"]) == 0


def test_what_is_captured_is_not_changed_in_place_later(make_model: MakeModel, images: Tensor) -> None:
    model = make_model("vgg11")
    names = [name for name, module in model.net.named_modules() if isinstance(module, torch.nn.Conv2d)]
    for leaves in (False, True):
        with captured(model.net, names[:1], leaves=leaves) as found:
            model.net(pixels(images, model.preprocessing, model.machine))
        assert float(found[names[0]].detach().min()) < 0  # the ReLU that follows works in place


def test_modes_are_given_back_module_by_module(make_model: MakeModel) -> None:
    net = make_model().net
    net.train()
    net.get_submodule("layer1").eval()
    before = [module.training for module in net.modules()]
    with evaluating(net):
        assert not any(module.training for module in net.modules())
    assert [module.training for module in net.modules()] == before


def test_a_figure(make_model: MakeModel, images: Tensor) -> None:
    found = activation_maps(make_model(), images[:2])
    figure = found.figure()
    assert sum(bool(axis.images) for axis in figure.axes) == 4
    assert any(axis.get_title().startswith("CAM: class") for axis in figure.axes)
