// The convolution of signs, for training.
#include "executors/sign_convolution.h"

#include "bindings/arrays.h"
#include "bindings/module.h"

namespace scales {
namespace {

PictureShape picture_shape(const Input<std::uint8_t, 4>& codes, std::size_t outputs, int size) {
  require(size >= 1 && size <= 15 && size % 2 == 1, "kernels must be 1 to 15 wide, and odd");
  const PictureShape shape{side(codes.shape(1), "pictures must be 1 to 2^20 rows tall"),
                           side(codes.shape(2), "pictures must be 1 to 2^20 pixels wide"),
                           count(codes.shape(3), "inputs must be 1 to 4096"),
                           count(outputs, "outputs must be 1 to 4096"), size};
  // 2^31 is not reached by sums of products of 2 and 127, nor by 255 times the weights of an output.
  require(static_cast<std::int64_t>(codes.shape(0)) * (shape.height + size) * (shape.width + size) < 1 << 23,
          "pictures must have fewer than 2^23 pixels together");
  return shape;
}

void convolve_signs(Input<std::uint8_t, 4> codes, int zero, Input<std::int8_t, 4> weights,
                    Array<float, 4> out, const std::optional<std::string>& isa) {
  require(zero >= 0 && zero <= 255, "zero must be 0 to 255");
  const PictureShape shape = picture_shape(codes, weights.shape(0), static_cast<int>(weights.shape(3)));
  const std::size_t size = weights.shape(3);
  require_shape(weights, {weights.shape(0), codes.shape(3), size, size}, "weights");
  require_shape(out, {codes.shape(0), codes.shape(1), codes.shape(2), weights.shape(0)}, "out");
  const KernelTable& kernels = kernels_for(isa);
  nb::gil_scoped_release release;
  SignFilter filter(weights.data(), shape, kernels);
  const std::size_t pixels = static_cast<std::size_t>(shape.height) * shape.width;
  for (std::size_t i = 0; i < codes.shape(0); ++i) {
    filter.run(codes.data() + pixels * shape.inputs * i, static_cast<std::uint8_t>(zero),
               out.data() + pixels * shape.outputs * i);
  }
}

void correlate_signs(Input<std::uint8_t, 4> codes, Input<std::int8_t, 4> gradients,
                     Array<std::int32_t, 4> out, const std::optional<std::string>& isa) {
  const std::size_t size = out.shape(3);
  const PictureShape shape = picture_shape(codes, gradients.shape(3), static_cast<int>(size));
  require_shape(gradients, {codes.shape(0), codes.shape(1), codes.shape(2), gradients.shape(3)}, "gradients");
  require_shape(out, {gradients.shape(3), codes.shape(3), size, size}, "out");
  const KernelTable& kernels = kernels_for(isa);
  nb::gil_scoped_release release;
  SignCorrelation correlation(shape, kernels);
  const std::size_t pixels = static_cast<std::size_t>(shape.height) * shape.width;
  for (std::size_t i = 0; i < codes.shape(0); ++i) {
    correlation.add(codes.data() + pixels * shape.inputs * i, gradients.data() + pixels * shape.outputs * i);
  }
  correlation.store(out.data());
}

}  // namespace

void bind_sign_convolution(nb::module_& module) {
  module.def(
      "multiplies_bytes",
      [](const std::optional<std::string>& isa) { return kernels_for(isa).multiplies_bytes; },
      "isa"_a = nb::none(), "Whether the two below are faster than products of float32.");
  module.def(
      "convolve_signs", &convolve_signs, "codes"_a.noconvert(), "zero"_a, "weights"_a.noconvert(),
      "out"_a.noconvert(), "isa"_a = nb::none(),
      "Writes the zero-padded convolution of bytes [B, H, W, Ci] less `zero` with signs [Co, Ci, k, k] into "
      "`out` [B, H, W, Co].");
  module.def(
      "correlate_signs", &correlate_signs, "codes"_a.noconvert(), "gradients"_a.noconvert(),
      "out"_a.noconvert(), "isa"_a = nb::none(),
      "Writes the sums of gradients [B, H, W, Co], from -127 to 127, times bytes 0 to 2 [B, H, W, Ci] less 1 "
      "under each tap into `out` [Co, Ci, k, k].");
}

}  // namespace scales
