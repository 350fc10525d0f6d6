// The bare operations on bits, for tests and the bench.
#include <memory>

#include "bindings/arrays.h"
#include "bindings/module.h"
#include "executors/bconv2d_filter.h"
#include "executors/popcount_peak.h"
#include "executors/row_scratch.h"

namespace scales {
namespace {

template <class T, std::size_t dimensions>
Array<T, dimensions> new_array(const std::size_t (&shape)[dimensions]) {
  std::size_t size = 1;
  for (const std::size_t length : shape) size *= length;
  auto values = std::make_unique<T[]>(size);
  T* data = values.get();
  nb::capsule owner(values.release(), [](void* pointer) noexcept { delete[] static_cast<T*>(pointer); });
  return Array<T, dimensions>(data, dimensions, shape, owner);
}

// For tests only, as `bconv2d` below.
Array<std::uint64_t, 3> pack_activations(Input<std::int8_t, 3> signs) {
  const int channels = count(signs.shape(0), "channels must be 1 to 4096");
  const int height = side(signs.shape(1), "rows must be 1 to 2^20"),
            width = side(signs.shape(2), "columns must be 1 to 2^20");
  auto packed = new_array<std::uint64_t>({static_cast<std::size_t>(height),
                                          static_cast<std::size_t>(word_count(channels)),
                                          static_cast<std::size_t>(width)});
  const std::size_t pixels = static_cast<std::size_t>(height) * width;
  for (int c = 0; c < channels; ++c) {
    for (std::size_t i = 0; i < pixels; ++i) {
      const std::size_t word = (i / width * word_count(channels) + c / kWordBits) * width + i % width;
      packed.data()[word] |= std::uint64_t{signs.data()[pixels * c + i] >= 0} << (c % kWordBits);
    }
  }
  return packed;
}

// The plain operation: packed [height][words][width], weights [out][3][3][words] -> int32
// [out][height][width].
Array<std::int32_t, 3> bconv2d(Input<std::uint64_t, 3> packed, Input<std::uint64_t, 4> weights, int channels,
                               const std::optional<std::string>& isa) {
  require(channels >= 1 && channels <= 1024, "channels must be 1 to 1024");
  const std::size_t words = word_count(channels);
  const int height = side(packed.shape(0), "rows must be 1 to 2^20"),
            width = side(packed.shape(2), "columns must be 1 to 2^20");
  const int outputs = count(weights.shape(0), "outputs must be 1 to 4096");
  require_shape(packed, {packed.shape(0), words, packed.shape(2)}, "packed");
  require_shape(weights, {weights.shape(0), 3, 3, words}, "weights");
  const KernelTable& kernels = kernels_for(isa);
  auto sums = new_array<std::int32_t>(
      {static_cast<std::size_t>(outputs), static_cast<std::size_t>(height), static_cast<std::size_t>(width)});
  nb::gil_scoped_release release;
  const BConv2DFilter filter(weights.data(), channels, outputs, kernels.weight_form);
  PackedTensor rows(height + 2, width, static_cast<int>(words));  // with a row of zeros above and below
  for (int y = 0; y < height; ++y) {
    for (std::size_t word = 0; word < words; ++word) {
      const std::uint64_t valid = word + 1 == words ? last_word_mask(channels) : ~std::uint64_t{0};
      std::uint64_t* target = rows.row(y + 1) + packed_stride(width) * word + kMargin;
      for (int x = 0; x < width; ++x) target[x] = packed.data()[(y * words + word) * width + x] & valid;
    }
  }
  RowScratchBuffer scratch(outputs);
  AlignedBuffer<std::int32_t> line(static_cast<std::size_t>(outputs) * width);
  for (int y = 0; y < height; ++y) {
    const BConv2DRow row = {
        width, border_of(y, height), rows.row(y), rows.row(y + 1), rows.row(y + 2), nullptr, nullptr};
    kernels.bconv2d_sums_row(filter.params(), row, scratch.rows(), line.data());
    for (std::size_t o = 0; o < static_cast<std::size_t>(outputs); ++o) {
      for (int x = 0; x < width; ++x) sums.data()[(o * height + y) * width + x] = line[o * width + x];
    }
  }
  return sums;
}

}  // namespace

void bind_bit_operations(nb::module_& module) {
  module.def(
      "xor_popcount_rate",
      [](double seconds, const std::optional<std::string>& isa) {
        require(seconds > 0 && seconds <= 3600, "seconds must be above 0 and at most 3600");
        const KernelTable& kernels = kernels_for(isa);
        nb::gil_scoped_release release;
        return xor_popcount_rate(kernels, seconds);
      },
      "seconds"_a, "isa"_a = nb::none(),
      "Binary multiply-accumulates per second of one thread by xor, popcount and add in registers.");
  module.def("pack_activations", &pack_activations, "signs"_a.noconvert(),
             "Bits of signs [channels, H, W], [H, words, W], where 0 counts as +1. For tests only.");
  module.def("bconv2d", &bconv2d, "packed"_a.noconvert(), "weights"_a.noconvert(), "channels"_a,
             "isa"_a = nb::none(),
             "The bare sums of the binary convolution, [outputs, H, W]. For tests only.");
}

}  // namespace scales
