"""Layers, under Keras's names."""

from .activation import ELU, Activation, LeakyReLU, ReLU, Softmax
from .activity_regularization import ActivityRegularization
from .batch_normalization import BatchNormalization
from .category_encoding import CategoryEncoding
from .dense import Dense
from .drop_connect import DropConnectDense
from .dropout import AlphaDropout, Dropout, SpatialDropout1D, SpatialDropout2D, SpatialDropout3D
from .input_layer import Input, InputLayer
from .layer import Layer
from .merging import Add, Concatenate, add, concatenate
from .noise import GaussianDropout, GaussianNoise
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
    "AlphaDropout",
    "BatchNormalization",
    "CategoryEncoding",
    "Concatenate",
    "Dense",
    "DropConnectDense",
    "Dropout",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "Input",
    "InputLayer",
    "Layer",
    "LeakyReLU",
    "Normalization",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Softmax",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "StringLookup",
    "add",
    "concatenate",
    "deserialize",
    "serialize",
]
