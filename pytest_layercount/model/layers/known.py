"""Keras's own classes by name, for files that do not say where a class is from.

HDF5 files, and what ``to_json`` of Keras 2 returns, name a class and no module: ``Attention``
may be Keras's or the user's. The layers, operations and settings are those of Keras
2.15 and 3.15, of tf_keras 2.21, and of older versions as far as they are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_layercount.model.layers import LAYERS, row_of
from pytest_layercount.model.layers.names import names

NEWEST: Mapping[tuple[int, ...], tuple[int, int]] = {(2,): (2, 21), (3,): (3, 15)}
"""A later version may have settings that are not known here; 2.16 and later are tf_keras."""

_OPERATIONS = names("""
    Abs Absolute AdaptiveAveragePool AdaptiveMaxPool Add AffineTransform All AllClose Amax Amin
    Angle Any Append Arange Arccos Arccosh Arcsin Arcsinh Arctan Arctan2 Arctanh Argmax Argmin
    Argpartition Argsort Array ArraySplit AssociativeScan Average AveragePool BatchNorm
    BinaryCrossentropy Bincount BitwiseAnd BitwiseInvert BitwiseLeftShift BitwiseNot BitwiseOr
    BitwiseRightShift BitwiseXor BroadcastTo CDist CTCDecode CTCLoss Cast
    CategoricalCrossentropy Cbrt Ceil Celu Cholesky CholeskyInverse Clip Concatenate Cond Conj
    Conjugate Conv ConvTranspose ConvertToTensor Copy Corrcoef Correlate Cos Cosh CountNonzero
    CropImages Cross Cumprod Cumsum Deg2rad DepthToSpace DepthwiseConv Det Diag Diagflat
    Diagonal Diff Digitize Divide DivideNoNan Dot DotProductAttention Dsplit Dstack Eig Eigh
    Einsum ElasticTransform Elu EmptyLike Equal Erf Erfc Erfinv Exp Exp2 ExpandDims Expm1
    ExtractPatches ExtractSequences FFT FFT2 Fabs FakeQuantWithMinMaxVars Flip Fliplr Flipud
    Floor FloorDivide Fmax Fmin Fmod Fold ForiLoop Full FullLike Function GaussianBlur Gcd Gelu
    Geomspace GetItem Glu Greater GreaterEqual HSVToRGB HardShrink HardSigmoid HardSilu
    HardTanh Heaviside Histogram Hsplit Hstack Hypot I0 IFFT2 IRFFT ISTFT Imag InTopK Inner Inv
    IsIn Isclose Isfinite Isinf Isnan Isneginf Isposinf Isreal JVP Kron LayerNorm Lcm Ldexp
    LeakyRelu LeftShift Less LessEqual Linspace Log Log10 Log1p Log2 LogSigmoid LogSoftmax
    Logaddexp Logaddexp2 Logdet LogicalAnd LogicalNot LogicalOr LogicalXor Logspace Logsumexp
    Lstsq LuFactor Map MapCoordinates Matmul MatrixRank Max MaxPool Maximum Mean Median
    Meshgrid Min Minimum Mish Mod Moments Moveaxis MultiHot Multiply NanToNum Nanargmax
    Nanargmin Nancumprod Nancumsum Nanmax Nanmean Nanmedian Nanmin Nanpercentile Nanprod
    Nanquantile Nanstd Nansum Nanvar Ndim Negative Nextafter Nonzero Norm Normalize NotEqual
    OneHot OnesLike Outer PSNR Pad PadImages Percentile PerspectiveTransform Pinv Polar Power
    Prod Ptp Qr Quantile RFFT RGBToGrayscale RGBToHSV RMSNorm Rad2deg Ravel ReLU Real Rearrange
    Reciprocal Relu Relu6 Repeat Reshape Resize RightShift Roll Rot90 Round Rsqrt SSIM STFT SVD
    SaturateCast ScaleAndTranslate Scan Scatter ScatterUpdate SearchSorted SegmentMax
    SegmentMin SegmentProd SegmentSum Select Selu SeparableConv Sigmoid Sign Signbit Silu Sin
    Sinc Sinh Size Slice SliceUpdate Slogdet SobelEdges SoftShrink Softmax Softplus Softsign
    Solve SolveTriangular Sort SpaceToDepth SparseCategoricalCrossentropy SparsePlus
    SparseSigmoid Sparsemax Split Sqrt Square Squareplus Squeeze Stack Std StopGradient
    Subtract Sum Swapaxes Switch Take TakeAlongAxis Tan Tanh TanhShrink Tensordot Threshold
    Tile TopK Trace Transpose Trapezoid Tril Triu TrueDivide Trunc Unfold Unique UnravelIndex
    Unstack Vander Var Vdot VectorizedMap View ViewAsComplex ViewAsReal Vsplit Vstack Where
    WhileLoop ZerosLike
    """)
_SETTINGS = names("""
    activation activity_regularizer addition_factor adjustment aggregation all_ops alpha
    alpha_constraint alpha_initializer alpha_regularizer antialias arguments attention_axes
    attr_name autocast axes axis backward_layer batch_input_shape batch_shape batch_size
    beta_constraint beta_initializer beta_regularizer bias bias_axes bias_constraint
    bias_initializer bias_regularizer bin_boundaries bins bounding_box_format brightness_factor
    build_input_shape call_endpoint call_training_endpoint causal cell cell_clip cells center
    chain_depth class_name clip_limit cls_ref cls_symbol config constants contrast_factor
    crop_to_aspect_ratio cropping crosses crossing_dim data_format depth_multiplier
    depthwise_constraint depthwise_initializer depthwise_regularizer device dilation_rate dims
    distribution dnn_model drop_path_rate dropout dropout_fn dropout_fn_module dropout_fn_type
    dtype dynamic embeddings_constraint embeddings_initializer embeddings_regularizer encoding
    epsilon equation expand_dims experimental_autocast factor feature_columns feature_names
    features fft_length filepath fill_mode fill_value filters flash_attention force_generator
    forget_bias frame_length frame_step function function_type fused gamma_constraint
    gamma_initializer gamma_regularizer go_backwards gptq_unpacked_column_size groups
    hashing_dim head_dim height height_factor hue_factor idf_weights implementation
    inbound_nodes init_values initializer input_dim input_dtype input_keep_prob input_layers
    input_length input_shape input_size input_spec interpolation invert is_quantized keepdims
    kernel_constraint kernel_initializer kernel_regularizer kernel_size key_dim key_shape
    kwargs l1 l2 layer layers linear_model logit_soft_cap lora_alpha lora_rank losses mag_exp
    mask mask_module mask_token mask_type mask_value mask_zero max_freq max_ndim max_number
    max_tokens max_value mean merge_mode method_name metric_name min_freq min_ndim min_power
    mode model module momentum moving_mean_initializer moving_variance_initializer n name ndim
    negative_slope ngrams node_def noise_shape normalize num_bins num_chains num_constants
    num_discretization_bins num_heads num_key_value_heads num_mel_bins num_oov_indices num_ops
    num_proj num_proj_shards num_query_heads num_tokens num_unit_shards num_units offset
    oov_method oov_token optional output_dim output_keep_prob output_layers output_mode
    output_padding output_sequence_length output_shape output_shape_module output_shape_type
    output_size pad_to_aspect_ratio pad_to_max_tokens padding partition_index partitioner
    periodic pointwise_constraint pointwise_initializer pointwise_regularizer pool_size
    power_iterations power_to_db preprocessor preset proj_clip projection_dim
    quantization_config query_shape ragged rank rate recurrent_activation recurrent_constraint
    recurrent_dropout recurrent_initializer recurrent_regularizer ref_power renorm
    renorm_clipping renorm_momentum reset_after residual_fn residual_fn_module residual_fn_type
    return_sequences return_state reuse reverse_dtype reverse_state_order rho rms_scaling
    rng_type robust_masking salt sampling_rate saturation_factor scale scale_initializer
    scaling score_mode seed seed_generator sequence_length sequence_stride shape shared_axes
    sigma size sliding_window softmax_robust_masking sparse sparse_inputs spec split
    standardize state_is_tuple state_keep_prob stateful stddev strides synchronized
    target_shape theta threshold threshold_factor tie_weights tile_grid_size time_major top_db
    total_loss_mean trainable type_spec unconditional unit_forget_bias units unroll use_bias
    use_gate use_peepholes use_scale value_dim value_range value_shape variance
    variational_recurrent virtual_batch_size vocabulary vocabulary_dtype vocabulary_size
    weights width width_factor window x_factor y_factor zero_output_for_mask
    """)


def is_known_layer(name: str, settings: Mapping[str, Any], version: tuple[int, ...]) -> bool:
    """Whether ``name`` is the class of a layer of Keras's own, and ``settings`` may be its own.

    A layer of the user's that is called like one of Keras's lacks what Keras's writes, or
    has what no layer of Keras's ever had.
    """
    if name not in LAYERS or not all(key in settings for key in row_of(name).writes):
        return False
    later = version[:2] > NEWEST.get(version[:1], (3, 15))
    return later or _SETTINGS.issuperset(settings)


def is_raw_operation(name: str, settings: Mapping[str, Any]) -> bool:
    """Whether it is an operation of Keras 3: no layer, though some are called like layers.

    Nothing in an operation can be trained, and all layers with such names say if they are.
    """
    return name in _OPERATIONS and "trainable" not in settings
