"""What a network looks at: filters on images, activation maps, occlusion, feature maps and neighbours."""

from striate.explain.activation import Explanation, activation_maps
from striate.explain.channels import Channels, FeatureMaps, channels, feature_maps, first_filters, layers_with_maps
from striate.explain.faithfulness import Faithfulness, faithfulness
from striate.explain.neighbours import Neighbours, neighbours
from striate.explain.occlusion import occlusion_maps

__all__ = [
    "Channels",
    "Explanation",
    "Faithfulness",
    "FeatureMaps",
    "Neighbours",
    "activation_maps",
    "channels",
    "faithfulness",
    "feature_maps",
    "first_filters",
    "layers_with_maps",
    "neighbours",
    "occlusion_maps",
]
