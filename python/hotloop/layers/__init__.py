"""Layers, under Keras's names."""

from .activation import ELU, Activation, LeakyReLU, PReLU, ReLU, RReLU, Softmax
from .batch_normalization import BatchNormalization
from .category_encoding import CategoryEncoding
from .dense import Dense
from .dropout import Dropout
from .input_layer import Input, InputLayer
from .layer import Layer
from .layer_normalization import GroupNormalization, LayerNormalization, RMSNormalization, UnitNormalization
from .merging import Add, Concatenate, add, concatenate
from .normalization import Normalization
from .rescaling import Rescaling
from .reshaping import Flatten, Identity, RepeatVector, Reshape
from .serialization import deserialize, serialize
from .string_lookup import StringLookup

__all__ = [
    "ELU",
    "Activation",
    "Add",
    "BatchNormalization",
    "CategoryEncoding",
    "Concatenate",
    "Dense",
    "Dropout",
    "Flatten",
    "GroupNormalization",
    "Identity",
    "Input",
    "InputLayer",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Normalization",
    "PReLU",
    "RMSNormalization",
    "RReLU",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Softmax",
    "StringLookup",
    "UnitNormalization",
    "add",
    "concatenate",
    "deserialize",
    "serialize",
]
