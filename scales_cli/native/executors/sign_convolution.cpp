#include "executors/sign_convolution.h"

#include <algorithm>
#include <cstring>

namespace scales {

SignFilter::SignFilter(const std::int8_t* weights, const ConvolutionShape& shape, const KernelTable& kernels)
    : kernels_(&kernels),
      shape_(shape),
      panels_(row_weights() * shape.kernel_size * shape.panels()),
      totals_(static_cast<std::size_t>(kPanelOutputs) * shape.panels()),
      padded_(static_cast<std::size_t>(shape.height + shape.kernel_size - 1) * shape.padded_width() *
              padded_inputs()),
      sums_(static_cast<std::size_t>(kPanelOutputs) * shape.width) {
  const std::size_t taps = static_cast<std::size_t>(shape.kernel_size) * shape.kernel_size;
  for (int o = 0; o < shape.outputs; ++o) {
    std::int8_t* panel = panels_.data() + row_weights() * shape.kernel_size * (o / kPanelOutputs) +
                         kStepBytes * (o % kPanelOutputs);
    for (int i = 0; i < shape.inputs; ++i) {
      for (std::size_t tap = 0; tap < taps; ++tap, ++weights) {
        panel[(tap * padded_inputs() + i / kStepBytes * kStepBytes) * kPanelOutputs + i % kStepBytes] =
            *weights;
        totals_[o] += *weights;
      }
    }
  }
}

void SignFilter::run(const std::uint8_t* codes, std::uint8_t zero, int begin, int end, float* out) {
  const std::size_t pixel = padded_inputs(), row = pixel * shape_.padded_width();
  std::memset(padded_.data(), zero, padded_.size());
  const int first = std::max(begin - shape_.margin(), 0),
            last = std::min(end + shape_.margin(), shape_.height);
  codes += static_cast<std::size_t>(shape_.inputs) * shape_.width * first;
  for (int y = first; y < last; ++y) {
    std::uint8_t* target = padded_.data() + row * (y - begin + shape_.margin()) + pixel * shape_.margin();
    for (int x = 0; x < shape_.width; ++x, codes += shape_.inputs, target += pixel) {
      std::memcpy(target, codes, shape_.inputs);
    }
  }
  for (int panel = 0; panel < shape_.panels(); ++panel) {
    const std::int32_t* totals = totals_.data() + kPanelOutputs * panel;
    const int outputs = std::min(kPanelOutputs, shape_.outputs - kPanelOutputs * panel);
    for (int y = begin; y < end; ++y) {
      for (int ky = 0; ky < shape_.kernel_size; ++ky) {
        kernels_->byte_products({padded_.data() + row * (y - begin + ky), pixel, shape_.width,
                                 shape_.kernel_size * padded_inputs() / kStepBytes,
                                 panels_.data() + row_weights() * (shape_.kernel_size * panel + ky),
                                 sums_.data(), ky > 0});
      }
      float* target =
          out + static_cast<std::size_t>(shape_.width) * shape_.outputs * y + kPanelOutputs * panel;
      const std::int32_t* sums = sums_.data();
      for (int x = 0; x < shape_.width; ++x, target += shape_.outputs, sums += kPanelOutputs) {
        for (int o = 0; o < outputs; ++o) target[o] = static_cast<float>(sums[o] - zero * totals[o]);
      }
    }
  }
}

SignCorrelation::SignCorrelation(const ConvolutionShape& shape, const KernelTable& kernels)
    : kernels_(&kernels),
      shape_(shape),
      // The last tap of the last step begins so far behind the first, and may read beyond the picture.
      plane_size_(static_cast<std::size_t>(kStepBytes) * steps() +
                  2 * static_cast<std::size_t>(shape.margin()) * (shape.padded_width() + 1)),
      planes_(plane_size_ * shape.inputs),
      rows_(row_bytes() * kStepBytes * steps()),
      gradients_(rows_.size()),
      sums_(static_cast<std::size_t>(kPanelOutputs) * shape.inputs * shape.kernel_size * shape.kernel_size *
            shape.panels()),
      totals_(static_cast<std::size_t>(kPanelOutputs) * shape.panels()) {
  std::memset(planes_.data(), 1, planes_.size());
}

std::uint8_t SignCorrelation::largest(const std::uint8_t* codes, std::size_t count) {
  std::uint8_t most = 0;
  for (std::size_t i = 0; i < count; ++i) most = std::max(most, codes[i]);
  return most;
}

std::int8_t SignCorrelation::least(const std::int8_t* gradients, std::size_t count) {
  std::int8_t least = 0;
  for (std::size_t i = 0; i < count; ++i) least = std::min(least, gradients[i]);
  return least;
}

void SignCorrelation::add(const std::uint8_t* codes, const std::int8_t* gradients) {
  const int inputs = shape_.inputs, outputs = shape_.outputs, row = shape_.padded_width();
  for (int y = 0; y < shape_.height; ++y) {
    std::uint8_t* plane =
        planes_.data() + static_cast<std::size_t>(y + shape_.margin()) * row + shape_.margin();
    for (int i = 0; i < inputs; ++i, plane += plane_size_) {
      for (int x = 0; x < shape_.width; ++x) plane[x] = codes[static_cast<std::size_t>(inputs) * x + i];
    }
    std::int8_t* target = rows_.data() + row_bytes() * row * y;
    for (int x = 0; x < shape_.width; ++x, target += row_bytes(), gradients += outputs) {
      std::memcpy(target, gradients, outputs);
      for (int o = 0; o < outputs; ++o) totals_[o] += gradients[o];
    }
    codes += static_cast<std::size_t>(inputs) * shape_.width;
  }
  for (int panel = 0; panel < shape_.panels(); ++panel) {
    const std::int8_t* source = rows_.data() + kPanelOutputs * panel;
    std::int8_t* target =
        gradients_.data() + static_cast<std::size_t>(kStepBytes) * kPanelOutputs * steps() * panel;
    for (int step = 0; step < steps();
         ++step, source += kStepBytes * row_bytes(), target += kStepBytes * kPanelOutputs) {
      for (int o = 0; o < kPanelOutputs; ++o) {
        for (int k = 0; k < kStepBytes; ++k) target[kStepBytes * o + k] = source[row_bytes() * k + o];
      }
    }
  }
  constexpr int kCachedSteps = 64;  // whose gradients stay in the first cache for all taps
  for (int panel = 0; panel < shape_.panels(); ++panel) {
    for (int begin = 0; begin < steps(); begin += kCachedSteps) {
      const std::size_t step = static_cast<std::size_t>(steps()) * panel + begin;
      for (int tap = 0; tap < shape_.kernel_size * shape_.kernel_size; ++tap) {
        const int offset = tap / shape_.kernel_size * shape_.padded_width() + tap % shape_.kernel_size;
        const std::size_t block =
            static_cast<std::size_t>(shape_.kernel_size) * shape_.kernel_size * panel + tap;
        kernels_->byte_products({planes_.data() + offset + kStepBytes * begin, plane_size_, shape_.inputs,
                                 std::min(kCachedSteps, steps() - begin),
                                 gradients_.data() + step * kStepBytes * kPanelOutputs,
                                 sums_.data() + block * shape_.inputs * kPanelOutputs, true});
      }
    }
  }
}

void SignCorrelation::store(std::int32_t* sums) const {
  const int taps = shape_.kernel_size * shape_.kernel_size;
  for (int o = 0; o < shape_.outputs; ++o) {
    for (int i = 0; i < shape_.inputs; ++i) {
      for (int tap = 0; tap < taps; ++tap) {
        const std::size_t block = static_cast<std::size_t>(taps) * (o / kPanelOutputs) + tap;
        *sums++ = sums_[(block * shape_.inputs + i) * kPanelOutputs + o % kPanelOutputs] - totals_[o];
      }
    }
  }
}

}  // namespace scales
