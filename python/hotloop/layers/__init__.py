"""Layers, under Keras's names."""

from .activation import ELU, Activation, LeakyReLU, ReLU, Softmax
from .activity_regularization import ActivityRegularization
from .batch_normalization import BatchNormalization
from .category_encoding import CategoryEncoding
from .dense import Dense
from .dropout import Dropout
from .input_layer import Input, InputLayer
from .layer import Layer
from .merging import Add, Concatenate, add, concatenate
from .normalization import Normalization
from .rescaling import Rescaling
from .reshaping import Flatten, Reshape
from .serialization import deserialize, serialize
from .string_lookup import StringLookup

__all__ = [
    "ELU",
    "Activation",
    "ActivityRegularization",
    "Add",
    "BatchNormalization",
    "CategoryEncoding",
    "Concatenate",
    "Dense",
    "Dropout",
    "Flatten",
    "Input",
    "InputLayer",
    "Layer",
    "LeakyReLU",
    "Normalization",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Softmax",
    "StringLookup",
    "add",
    "concatenate",
    "deserialize",
    "serialize",
]
