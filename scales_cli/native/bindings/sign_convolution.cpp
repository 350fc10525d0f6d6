// The convolution of signs, for training.
#include "executors/sign_convolution.h"

#include <algorithm>

#include "bindings/arrays.h"
#include "bindings/module.h"

namespace scales {
namespace {

ConvolutionShape convolution_shape(const Input<std::uint8_t, 4>& codes, std::size_t outputs,
                                   std::size_t kernel_size) {
  require(kernel_size >= 1 && kernel_size <= 15 && kernel_size % 2 == 1,
          "kernels must be 1 to 15 wide, and odd");
  require(codes.shape(0) >= 1, "there must be a picture");
  return {side(codes.shape(1), "pictures must be 1 to 2^20 rows tall"),
          side(codes.shape(2), "pictures must be 1 to 2^20 pixels wide"),
          count(codes.shape(3), "inputs must be 1 to 4096"), count(outputs, "outputs must be 1 to 4096"),
          static_cast<int>(kernel_size)};
}

// Rows are numbered through all pictures.
void convolve_signs(Input<std::uint8_t, 4> codes, int zero, Input<std::int8_t, 4> weights, int begin, int end,
                    Array<float, 4> out, const std::optional<std::string>& isa) {
  require(zero >= 0 && zero <= 255, "zero must be 0 to 255");
  const std::size_t size = weights.shape(3);
  const ConvolutionShape shape = convolution_shape(codes, weights.shape(0), size);
  require_shape(weights, {weights.shape(0), codes.shape(3), size, size}, "weights");
  require_shape(out, {codes.shape(0), codes.shape(1), codes.shape(2), weights.shape(0)}, "out");
  require(codes.shape(0) <= kMaxPixels / codes.shape(1), "pictures must have fewer than 2^31 rows together");
  require_rows(begin, end, static_cast<int>(codes.shape(0)) * shape.height);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    require(weights.data()[i] == 1 || weights.data()[i] == -1, "weights must be signs");
  }
  const KernelTable& kernels = kernels_for(isa);
  nb::gil_scoped_release release;
  SignFilter filter(weights.data(), shape, kernels);
  const std::size_t pixels = static_cast<std::size_t>(shape.height) * shape.width;
  for (int picture = begin / shape.height; picture * shape.height < end; ++picture) {
    const int top = picture * shape.height;
    filter.run(codes.data() + pixels * shape.inputs * picture, static_cast<std::uint8_t>(zero),
               std::max(begin - top, 0), std::min(end - top, shape.height),
               out.data() + pixels * shape.outputs * picture);
  }
}

void correlate_signs(Input<std::uint8_t, 4> codes, Input<std::int8_t, 4> gradients,
                     Array<std::int32_t, 4> out, const std::optional<std::string>& isa) {
  const std::size_t size = out.shape(3);
  const ConvolutionShape shape = convolution_shape(codes, gradients.shape(3), size);
  require_shape(gradients, {codes.shape(0), codes.shape(1), codes.shape(2), gradients.shape(3)}, "gradients");
  require_shape(out, {gradients.shape(3), codes.shape(3), size, size}, "out");
  // So many products of 2 and 127 stay below 2^31.
  require((codes.shape(1) + size) * (codes.shape(2) + size) < (std::size_t{1} << 23) / codes.shape(0),
          "pictures must have fewer than 2^23 pixels together");
  require(SignCorrelation::largest(codes.data(), codes.size()) <= 2, "codes must be 0 to 2");
  require(SignCorrelation::least(gradients.data(), gradients.size()) >= -127,
          "gradients must be -127 to 127");
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
      "byte_products_pay",
      [](const std::optional<std::string>& isa) { return kernels_for(isa).byte_products_pay; },
      "isa"_a = nb::none(),
      "Whether `convolve_signs` and `correlate_signs` are faster than float32 elsewhere.");
  module.def(
      "convolve_signs", &convolve_signs, "codes"_a.noconvert(), "zero"_a, "weights"_a.noconvert(), "begin"_a,
      "end"_a, "out"_a.noconvert(), "isa"_a = nb::none(),
      "Writes rows [begin, end), numbered through all pictures, of the zero-padded convolution of bytes "
      "[B, H, W, Ci] less `zero` with signs [Co, Ci, k, k] into `out` [B, H, W, Co].");
  module.def(
      "correlate_signs", &correlate_signs, "codes"_a.noconvert(), "gradients"_a.noconvert(),
      "out"_a.noconvert(), "isa"_a = nb::none(),
      "Writes the sums of gradients [B, H, W, Co], from -127 to 127, times bytes 0 to 2 [B, H, W, Ci] less 1 "
      "under each tap into `out` [Co, Ci, k, k].");
}

}  // namespace scales
