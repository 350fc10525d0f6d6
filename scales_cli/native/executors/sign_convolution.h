// The convolution of signs as training needs it: forwards, and the sums of products that its gradients are.
//
// Numbers of 8 bits are bytes less a `zero` that stands for the padding, too: signs 0 and 2 less 1, gradients less 128.
#pragma once

#include <cstdint>

#include "kernel_table.h"
#include "layout.h"

namespace scales {

struct ConvolutionShape {
  int height, width, inputs, outputs;
  int kernel_size;  // odd

  int margin() const { return kernel_size / 2; }
  int padded_width() const { return width + 2 * margin(); }
  int panels() const { return (outputs + kPanelOutputs - 1) / kPanelOutputs; }
};

// Weights +-1 [outputs][inputs][size][size].
class SignFilter {
 public:
  SignFilter(const std::int8_t* weights, const ConvolutionShape& shape, const KernelTable& kernels);

  // Rows [begin, end) of out [height][width][outputs], the zero-padded convolution of codes [height][width][inputs] less
  // `zero`.
  void run(const std::uint8_t* codes, std::uint8_t zero, int begin, int end, float* out);

 private:
  int padded_inputs() const { return (shape_.inputs + kStepBytes - 1) / kStepBytes * kStepBytes; }
  std::size_t row_weights() const {
    return static_cast<std::size_t>(shape_.kernel_size) * padded_inputs() * kPanelOutputs;
  }

  const KernelTable* kernels_;
  ConvolutionShape shape_;
  AlignedBuffer<std::int8_t> panels_;   // [panel][ky][kx, input / 4][kPanelOutputs][4]
  AlignedBuffer<std::int32_t> totals_;  // of an output's weights, [panel][kPanelOutputs]
  AlignedBuffer<std::uint8_t> padded_;  // [height + 2 margins][padded width][padded inputs]
  AlignedBuffer<std::int32_t> sums_;    // [width][kPanelOutputs]
};

// The gradient of the weights: sums over pictures and positions of an output's gradient times the input under a tap.
class SignCorrelation {
 public:
  SignCorrelation(const ConvolutionShape& shape, const KernelTable& kernels);

  // Here rather than beside the bindings, which are built for size.
  static std::uint8_t largest(const std::uint8_t* codes, std::size_t count);
  static std::int8_t least(const std::int8_t* gradients, std::size_t count);

  // Adds codes [height][width][inputs] less 1, signs, times gradients [height][width][outputs].
  void add(const std::uint8_t* codes, const std::int8_t* gradients);
  // sums [outputs][inputs][size][size].
  void store(std::int32_t* sums) const;

 private:
  int positions() const { return shape_.height * shape_.padded_width(); }
  int steps() const { return (positions() + kStepBytes - 1) / kStepBytes; }
  std::size_t row_bytes() const { return static_cast<std::size_t>(kPanelOutputs) * shape_.panels(); }

  const KernelTable* kernels_;
  ConvolutionShape shape_;
  std::size_t plane_size_;
  AlignedBuffer<std::uint8_t> planes_;  // [input][plane_size_]: padded rows, one after the other
  AlignedBuffer<std::int8_t>
      rows_;  // gradients [position][panel][kPanelOutputs], zeros where a row is padded
  AlignedBuffer<std::int8_t> gradients_;  // the same as [panel][step][kPanelOutputs][4]
  AlignedBuffer<std::int32_t> sums_;      // [panel][tap][input][kPanelOutputs]
  AlignedBuffer<std::int32_t> totals_;    // of an output's gradients, [panel][kPanelOutputs]
};

}  // namespace scales
