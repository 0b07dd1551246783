"""Layers, under Keras's names."""

from .activation import ELU, Activation, LeakyReLU, PReLU, ReLU, RReLU, Softmax
from .activity_regularization import ActivityRegularization
from .augmentation import RandomFlip, RandomRotation, RandomTranslation, RandomZoom
from .batch_ensemble import BatchEnsembleDense
from .batch_normalization import BatchNormalization
from .category_encoding import CategoryEncoding
from .dense import Dense
from .discretization import Discretization
from .drop_connect import DropConnectDense
from .dropout import AlphaDropout, Dropout, SpatialDropout1D, SpatialDropout2D, SpatialDropout3D
from .einsum_dense import EinsumDense
from .embedding import Embedding
from .hashing import Hashing
from .input_layer import Input, InputLayer
from .integer_lookup import IntegerLookup
from .lambda_layer import Lambda
from .layer import Layer
from .layer_normalization import GroupNormalization, LayerNormalization, RMSNormalization, UnitNormalization
from .merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)
from .noise import GaussianDropout, GaussianNoise
from .normalization import Normalization
from .random_erasing import RandomErasing
from .recoloring import RandomBrightness, RandomContrast, RandomHue, RandomSaturation
from .rescaling import Rescaling
from .reshaping import Flatten, Identity, Permute, RepeatVector, Reshape
from .residual import LayerScale, Residual
from .resizing import CenterCrop, RandomCrop, Resizing
from .serialization import deserialize, serialize
from .sparse_dense import BlockSparseDense
from .spectral_normalization import SpectralNormalization
from .string_lookup import StringLookup

__all__ = [
    "ELU",
    "Activation",
    "ActivityRegularization",
    "Add",
    "AlphaDropout",
    "Average",
    "BatchEnsembleDense",
    "BatchNormalization",
    "BlockSparseDense",
    "CategoryEncoding",
    "CenterCrop",
    "Concatenate",
    "Dense",
    "Discretization",
    "Dot",
    "DropConnectDense",
    "Dropout",
    "EinsumDense",
    "Embedding",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "GroupNormalization",
    "Hashing",
    "Identity",
    "Input",
    "InputLayer",
    "IntegerLookup",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "LayerScale",
    "LeakyReLU",
    "Maximum",
    "Minimum",
    "Multiply",
    "Normalization",
    "PReLU",
    "Permute",
    "RMSNormalization",
    "RReLU",
    "RandomBrightness",
    "RandomContrast",
    "RandomCrop",
    "RandomErasing",
    "RandomFlip",
    "RandomHue",
    "RandomRotation",
    "RandomSaturation",
    "RandomTranslation",
    "RandomZoom",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Residual",
    "Resizing",
    "Softmax",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "SpectralNormalization",
    "StringLookup",
    "Subtract",
    "UnitNormalization",
    "add",
    "average",
    "concatenate",
    "deserialize",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "serialize",
    "subtract",
]
