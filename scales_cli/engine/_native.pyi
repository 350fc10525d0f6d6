"""Kernels and executors of packed 1-bit networks; see scales_cli/native."""

from collections.abc import Sequence
from typing import Annotated, overload

import numpy
from numpy.typing import NDArray


def bindings_digest() -> str:
    """What `native_module` compares with the sources that a checkout has."""

def available_isas() -> list[str]:
    """Names of the kernel tables this CPU can execute, fastest first."""

class FixedGates:
    """Channel gates of one picture, folded into every layer's scales."""

class Network:
    """A packed network, ready to run on one kernel table."""

    @staticmethod
    def from_tensors(scale: int, *, colors: int, chroma: int, head_weight: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None, None), order='C', device='cpu', writable=False)], head_bias: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)], bits: Annotated[NDArray[numpy.uint64], dict(shape=(None, None, None, None, None), order='C', device='cpu', writable=False)], threshold: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], weight_scale: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], spatial: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], spatial_bias: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)], channel: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], shift_in: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], slope: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], shift_out: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], tail_weight: Annotated[NDArray[numpy.int8], dict(shape=(None, None, None, None), order='C', device='cpu', writable=False)], tail_gain: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)], tail_scale: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)], tail_bias: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)], isa: str | None = None) -> Network: ...

    @property
    def isa(self) -> str: ...

    @property
    def layers(self) -> int: ...

class GatePass:
    """
    Layer by layer over whole windows; rows are numbered through all of them.
    """

    def __init__(self, network: Network, windows: Sequence[Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu', writable=False)]]) -> None: ...

    @staticmethod
    def bytes(*, scale: int, planes: int, colors: int, chroma: int, channels: int, layers: int, rows: int, width: int, threads: int) -> int:
        """
        Memory of a pass over so many rows, that of one job for each thread included.
        """

    @property
    def rows(self) -> int: ...

    def head(self, begin: int, end: int) -> None: ...

    def fix_gates(self, layer: int) -> None: ...

    def layer(self, layer: int, begin: int, end: int) -> None: ...

    def residual(self, begin: int, end: int, out: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu')], chroma: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu')] | None) -> None:
        """
        Writes rows [begin, end) of the first window's output into `out` and `chroma`, which hold all of it.
        """

    def gates(self) -> FixedGates: ...

class RowStream:
    """One tile of a picture, row by row through all layers at once."""

    def __init__(self, network: Network, gates: FixedGates, height: int, width: int, top: int, bottom: int, left: int, right: int) -> None: ...

    @staticmethod
    def bytes(*, scale: int, planes: int, colors: int, chroma: int, channels: int, layers: int, columns: int) -> int:
        """Memory of a stream of so many columns, its halo included."""

    @property
    def rows_left(self) -> int:
        """LR rows of the tile that are still to be written."""

    @property
    def first_row(self) -> int:
        """The first row of the planes that is still to come."""

    def rows_needed(self, rows: int) -> int:
        """Plane rows that `advance` has to be given."""

    @property
    def first_column(self) -> int: ...

    @property
    def columns(self) -> int:
        """The columns that `advance` reads."""

    def advance(self, rows: int, planes: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu', writable=False)], out: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu')], chroma: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu')] | None, row: int, column: int) -> None:
        """
        Writes `rows` more LR rows of the tile to LR row `row` and column `column` of `out` and `chroma`, from its next plane rows [planes, rows_needed(rows), columns].
        """

class WindowAttention:
    """
    Attention within windows of tokens [H, W, channels], cut at the border.
    """

    def __init__(self, bias: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu', writable=False)], window: int, shift: int, isa: str | None = None) -> None: ...

    def window_rows(self, height: int) -> int: ...

    def run(self, query: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu', writable=False)], key: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu', writable=False)], value: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu', writable=False)], begin: int, end: int, out: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu')]) -> None:
        """Writes rows [begin, end) of windows into `out`."""

class ChannelsLastLayer:
    """
    A binary layer on pixels [H, W, channels]: linear, or a 1x1 or 3x3 convolution.
    """

    def __init__(self, *, bits: Annotated[NDArray[numpy.uint64], dict(shape=(None, None, None), order='C', device='cpu', writable=False)], threshold: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)], scale: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)], spatial: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)], spatial_bias: float, shift_in: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)], slope: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)], shift_out: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)], skip: bool, isa: str | None = None) -> None: ...

    def run(self, picture: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu', writable=False)], begin: int, end: int, out: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu')], gate: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)] | None = None) -> None:
        """
        Writes rows [begin, end) of the result into `out`; `gate` is a factor for each output.
        """

def xor_popcount_rate(seconds: float, isa: str | None = None) -> float:
    """
    Binary multiply-accumulates per second of one thread by xor, popcount and add in registers.
    """

def pack_activations(signs: Annotated[NDArray[numpy.int8], dict(shape=(None, None, None), order='C', device='cpu', writable=False)]) -> Annotated[NDArray[numpy.uint64], dict(shape=(None, None, None), order='C', device='cpu')]:
    """
    Bits of signs [channels, H, W], [H, words, W], where 0 counts as +1. For tests only.
    """

def bconv2d(packed: Annotated[NDArray[numpy.uint64], dict(shape=(None, None, None), order='C', device='cpu', writable=False)], weights: Annotated[NDArray[numpy.uint64], dict(shape=(None, None, None, None), order='C', device='cpu', writable=False)], channels: int, isa: str | None = None) -> Annotated[NDArray[numpy.int32], dict(shape=(None, None, None), order='C', device='cpu')]:
    """
    The bare sums of the binary convolution, [outputs, H, W]. For tests only.
    """

@overload
def compose(image: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), order='C', device='cpu', writable=False)], residual: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu', writable=False)] | None, scale: int, begin: int, end: int, out: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), order='C', device='cpu')], chroma: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu', writable=False)] | None = None, chroma_first: int = 0, weights: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)] | None = None, isa: str | None = None) -> bool: ...

@overload
def compose(image: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), order='C', device='cpu', writable=False)], residual: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu', writable=False)] | None, scale: int, begin: int, end: int, out: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), order='C', device='cpu')], chroma: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu', writable=False)] | None = None, chroma_first: int = 0, weights: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)] | None = None, isa: str | None = None) -> bool:
    """
    Output rows [begin, end) of the bicubic picture plus a residual, to which that of LR chroma belongs, whose rows begin with `chroma_first`; both times the weights of LR pixels. False if one of these is infinite or no number.
    """

def spread_addends(residual: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu', writable=False)], scale: int, begin: int, end: int, height: int, out: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu')], chroma: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu', writable=False)] | None = None, chroma_first: int = 0, weights: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)] | None = None) -> bool:
    """
    What `compose` would add to output rows [begin, end) of a picture of `height` LR rows, [rows, columns, channels].
    """

def add_residual(added: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu', writable=False)], sums: Annotated[NDArray[numpy.int32], dict(shape=(None, None, None), device='cpu')]) -> bool:
    """
    Adds [C, H, W] to sums of the same shape, strided at will, in units of 2^-24; values count as at most 8. False if one is infinite or no number.
    """

@overload
def luma(image: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), order='C', device='cpu', writable=False)], out: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')]) -> None: ...

@overload
def luma(image: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), order='C', device='cpu', writable=False)], out: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')]) -> None: ...

@overload
def ycc(image: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None), order='C', device='cpu', writable=False)], out: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu')]) -> None: ...

@overload
def ycc(image: Annotated[NDArray[numpy.uint16], dict(shape=(None, None, None), order='C', device='cpu', writable=False)], out: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu')]) -> None: ...

def byte_products_pay(isa: str | None = None) -> bool:
    """
    Whether `convolve_signs` and `correlate_signs` are faster than float32 elsewhere.
    """

def convolve_signs(codes: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None, None), order='C', device='cpu', writable=False)], zero: int, weights: Annotated[NDArray[numpy.int8], dict(shape=(None, None, None, None), order='C', device='cpu', writable=False)], begin: int, end: int, out: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None, None), order='C', device='cpu')], isa: str | None = None) -> None:
    """
    Writes rows [begin, end), numbered through all pictures, of the zero-padded convolution of bytes [B, H, W, Ci] less `zero` with signs [Co, Ci, k, k] into `out` [B, H, W, Co].
    """

def correlate_signs(codes: Annotated[NDArray[numpy.uint8], dict(shape=(None, None, None, None), order='C', device='cpu', writable=False)], gradients: Annotated[NDArray[numpy.int8], dict(shape=(None, None, None, None), order='C', device='cpu', writable=False)], out: Annotated[NDArray[numpy.int32], dict(shape=(None, None, None, None), order='C', device='cpu')], isa: str | None = None) -> None:
    """
    Writes the sums of gradients [B, H, W, Co], from -127 to 127, times bytes 0 to 2 [B, H, W, Ci] less 1 under each tap into `out` [Co, Ci, k, k].
    """
