"""The ONNX operators that a detector may use, by name: the standard set without what a detector has no use
for.

Left out on purpose: ``Loop`` and ``Scan`` (they may run for ever), sequences, optionals, maps and strings,
random numbers, training. Source: https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

STANDARD = frozenset(
    """
    Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh Attention AveragePool
    BatchNormalization BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike Ceil Celu
    CenterCropPad Clip Col2Im Compress Concat Constant ConstantOfShape Conv ConvInteger
    ConvTranspose Cos Cosh CumSum DeformConv DepthToSpace DequantizeLinear Div Dropout
    DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor Gather
    GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool Greater
    GreaterOrEqual GridSample GroupNormalization HardSigmoid HardSwish Hardmax Identity If
    InstanceNormalization IsInf IsNaN LRN LayerNormalization LeakyRelu Less LessOrEqual Log
    LogSoftmax LpNormalization LpPool MatMul MatMulInteger Max MaxPool MaxUnpool Mean
    MeanVarianceNormalization Min Mish Mod Mul Neg NonMaxSuppression NonZero Not OneHot Or PRelu Pad
    Pow QLinearConv QLinearMatMul QuantizeLinear RMSNormalization Range Reciprocal ReduceL1 ReduceL2
    ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare
    Relu Reshape Resize ReverseSequence RoiAlign Round ScatterElements ScatterND Selu Shape Shrink
    Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub
    Sum Swish Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Upsample Where Xor
    """.split()  # noqa: SIM905 - names read better than a column of quotes
)

CONTRIBUTED = frozenset(
    """
    BiasGelu FusedConv FusedGemm FusedMatMul Gelu NhwcMaxPool QLinearAdd QLinearAveragePool
    QLinearConcat QLinearGlobalAveragePool QLinearLeakyRelu QLinearMul QLinearSigmoid QLinearSoftmax
    QuickGelu SkipLayerNormalization
    """.split()  # noqa: SIM905 - names read better than a column of quotes
)
"""Of ONNX Runtime's own domain, ``com.microsoft``: what its quantiser and its optimiser write."""

OPERATORS = {"": STANDARD, "ai.onnx": STANDARD, "com.microsoft": CONTRIBUTED}
