// Every row kernel of every table that this CPU can execute, byte for byte against the reference one. It needs
// nothing but the kernels, so that it runs cross-compiled under an emulator and under the sanitizers.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

#include "executors/bconv2d_filter.h"
#include "executors/channels_last_layer.h"
#include "executors/composition.h"
#include "executors/row_scratch.h"
#include "executors/sign_convolution.h"
#include "executors/window_attention.h"
#include "kernel_table.h"

namespace {

using namespace scales;

std::mt19937 generator(20231270);

template <class T>
void fill(AlignedBuffer<T>& buffer) {
  for (std::size_t i = 0; i < buffer.size(); ++i) {
    if constexpr (std::is_floating_point_v<T>) {
      buffer[i] = std::normal_distribution<float>(0, 0.5F)(generator);
    } else {
      buffer[i] = static_cast<T>(static_cast<std::uint64_t>(generator()) << 32 | generator());
    }
  }
}

template <class T>
AlignedBuffer<T> random_buffer(std::size_t count) {
  AlignedBuffer<T> buffer(count);
  fill(buffer);
  return buffer;
}

// What is compared, and whose it is.
struct Comparison {
  const KernelTable& kernels;
  const char* kernel;
  int width, channels;
  int& failures;

  template <class T>
  void operator()(const char* what, const AlignedBuffer<T>& expected, const AlignedBuffer<T>& found) const {
    if (std::memcmp(expected.data(), found.data(), sizeof(T) * expected.size()) == 0) return;
    ++failures;
    std::printf("%s %s: other %s at width %d, %d channels\n", kernels.name, kernel, what, width, channels);
  }
};

// All that a row of the body leaves behind; lanes beyond the width are cleared, since they may hold anything.
struct BodyRow {
  BodyRow(int row_width, int row_channels)
      : width(row_width),
        channels(row_channels),
        residual(residual_row_size(width, channels)),
        spatial(residual_row_size(width, 1)),
        bits(packed_stride(width) * word_count(channels)),
        row_sums(channels),
        scratch(channels) {}

  NextLayer next(const Binarization* binarization, bool pool) {
    return {binarization, 0.25F, spatial.data(), bits.data(), pool ? row_sums.data() : nullptr};
  }

  void clear_lanes_outside() {
    for (int x = width; x < kLanes * block_count(width); ++x) {
      const std::size_t block = x / kLanes, lane = lane_of(x % kLanes);
      spatial[block * kLanes + lane] = 0;
      for (int c = 0; c < channels; ++c) residual[(block * channels + c) * kLanes + lane] = 0;
    }
  }

  void compare(BodyRow& found, const Comparison& compare) {
    clear_lanes_outside();
    found.clear_lanes_outside();
    compare("residual", residual, found.residual);
    compare("spatial gates", spatial, found.spatial);
    compare("bits", bits, found.bits);
    compare("row sums", row_sums, found.row_sums);
  }

  int width, channels;
  AlignedBuffer<float> residual, spatial;
  AlignedBuffer<std::uint64_t> bits;
  AlignedBuffer<float> row_sums;
  RowScratchBuffer scratch;
};

class Grid {
 public:
  explicit Grid(const KernelTable& kernels) : kernels_(kernels) {}

  int failures() const { return failures_; }

  void run_width(int width) {
    for (const int channels : {64, 128}) {
      binarizations_ = AlignedBuffer<Binarization>(channels);
      for (int c = 0; c < channels; ++c) binarizations_[c] = {normal(), normal() / 4};
      for (const int planes : {1, 2, 3, 4}) head_and_tail(width, channels, planes);
      for (const int border : {kInside, kFirst, kLast, kOnly}) bconv2d(width, channels, border);
    }
    for (const int channels : {1, 63, 64, 65, 130}) {
      for (const bool extreme : {false, true}) bconv2d_sums(width, channels, extreme);
    }
    for (const int window : {3, 8}) attention(width, window);
    for (const int inputs : {1, 60, 64, 130}) {
      for (const int taps : {1, 9}) channels_last_layer(width, inputs, taps);
    }
    for (const int inputs : {1, 90}) {  // a row of the kernel of 90 takes more steps than 16 bits hold
      for (const bool extreme : {false, true}) sign_products(width, inputs, 3, extreme);
    }
    for (const int channels : {1, 2, 3, 4}) {
      for (const int scale : {2, 3, 4}) {
        compose_picture<std::uint8_t>(width, channels, scale);
        compose_picture<std::uint16_t>(width, channels, scale);
      }
    }
  }

 private:
  static float normal() { return std::normal_distribution<float>(0, 0.5F)(generator); }

  Comparison comparison(const char* kernel, int width, int channels) {
    return {kernels_, kernel, width, channels, failures_};
  }

  void head_and_tail(int width, int channels, int colors) {
    const auto weight = random_buffer<float>(static_cast<std::size_t>(channels) * colors * kTaps);
    const auto bias = random_buffer<float>(channels);
    const HeadParams head = {colors, channels, weight.data(), bias.data()};
    AlignedBuffer<float> rows(3 * colors * plane_stride(width));
    for (int plane = 0; plane < 3 * colors; ++plane) {
      for (int x = 0; x < width; ++x) rows[plane * plane_stride(width) + kPlaneMargin + x] = normal();
    }
    for (const bool pool : {false, true}) {
      BodyRow expected(width, channels), found(width, channels);
      for (BodyRow* row : {&expected, &found}) {
        const KernelTable& kernels = row == &found ? kernels_ : kReferenceKernels;
        kernels.head_row(head, rows.data(), width, row->residual.data(),
                         row->next(binarizations_.data(), pool), row->scratch.rows());
      }
      expected.compare(found, comparison("head_row", width, channels));
    }

    const auto residual = random_buffer<float>(residual_row_size(width, channels));
    auto gain = random_buffer<float>(channels);
    for (int c = 0; c < channels; ++c) gain[c] = 100 * std::abs(gain[c]);  // now and then beyond 127
    gain[0] = 1e30F;
    gain[1] = std::numeric_limits<float>::quiet_NaN();
    auto expected = zero_row(width, channels), found = zero_row(width, channels);
    kReferenceKernels.tail_input_row(head, gain.data(), rows.data(), width, residual.data(), expected.data());
    kernels_.tail_input_row(head, gain.data(), rows.data(), width, residual.data(), found.data());
    comparison("tail_input_row", width, channels)("row", expected, found);
    for (const int scale : {2, 3, 4}) tail(width, channels, colors * scale * scale, expected);
  }

  // A row of the tail's input outside the picture.
  static AlignedBuffer<std::uint32_t> zero_row(int width, int channels) {
    AlignedBuffer<std::uint32_t> row(tail_row_size(width, channels));
    std::fill_n(row.data(), row.size(), kZeroBytes);
    return row;
  }

  void tail(int width, int channels, int outputs, const AlignedBuffer<std::uint32_t>& centre) {
    const auto scale = random_buffer<float>(outputs), bias = random_buffer<float>(outputs);
    auto weight = random_buffer<std::uint32_t>(static_cast<std::size_t>(outputs) * channels / kQuad * kTaps);
    for (std::size_t i = 0; i < weight.size(); ++i) weight[i] = tail_weights();
    auto above = random_buffer<std::uint32_t>(centre.size());
    for (std::size_t i = 0; i < above.size(); ++i) above[i] |= 0x01010101;  // no byte is 0
    const auto below = zero_row(width, channels);
    const std::uint32_t* const rows[3] = {above.data(), centre.data(), below.data()};
    for (const int group : {4, 6, 8, 9}) {
      if (outputs % group != 0) continue;
      std::vector<std::int32_t> starts(outputs);
      for (int o = 0; o < outputs; ++o) starts[o] = start(weight, channels, group, o);
      const TailParams params = {channels,      outputs,       group,        nullptr,
                                 weight.data(), starts.data(), scale.data(), bias.data()};
      const std::size_t size = static_cast<std::size_t>(padded(width)) * outputs;
      AlignedBuffer<float> expected(size), found(size);
      kReferenceKernels.tail_row(params, rows, width, expected.data());
      kernels_.tail_row(params, rows, width, found.data());
      comparison("tail_row", width, channels)("outputs", expected, found);
    }
  }

  // Four weights in -64..64, most of them at these limits.
  static std::uint32_t tail_weights() {
    std::uint32_t word = 0;
    for (int i = 0; i < kQuad; ++i) {
      const int number = static_cast<int>(generator() % 512) - 256;
      const int weight = std::min(std::max(number, -kMaxTailWeight), kMaxTailWeight);
      word |= static_cast<std::uint32_t>(weight & 0xFF) << (8 * i);
    }
    return word;
  }

  // -128 times the sum of an output's weights.
  static std::int32_t start(const AlignedBuffer<std::uint32_t>& weight, int channels, int group, int output) {
    const std::size_t quads = channels / kQuad, first = output / group * group * quads * kTaps;
    std::int32_t sum = 0;
    for (std::size_t line = 0; line < 3 * quads; ++line) {
      for (int kx = 0; kx < 3; ++kx) {
        const std::uint32_t word = weight[first + 3 * (line * group + output % group) + kx];
        for (int i = 0; i < kQuad; ++i) sum += static_cast<std::int8_t>(word >> (8 * i) & 0xFF);
      }
    }
    return -128 * sum;
  }

  AlignedBuffer<std::uint64_t> packed_row(int width, int channels, std::uint64_t set = 0) {
    AlignedBuffer<std::uint64_t> row(packed_stride(width) * word_count(channels));
    for (int word = 0; word < word_count(channels); ++word) {
      for (int x = 0; x < width; ++x) {
        std::uint64_t& bits = row[packed_stride(width) * word + kMargin + x];
        bits = static_cast<std::uint64_t>(generator()) << 32 | generator() | set;
        if (channels % kWordBits != 0 && word == channels / kWordBits)
          bits &= (1ULL << channels % kWordBits) - 1;
      }
    }
    return row;
  }

  void bconv2d(int width, int channels, int border) {
    const auto weights =
        random_buffer<std::uint64_t>(static_cast<std::size_t>(channels) * kTaps * word_count(channels));
    const BConv2DFilter expected_filter(weights.data(), channels, channels, kReferenceKernels.weight_form),
        found_filter(weights.data(), channels, channels, kernels_.weight_form);
    AlignedBuffer<OutputTransform> transforms(channels);
    for (int c = 0; c < channels; ++c) transforms[c] = {normal() / 16, normal(), normal(), normal()};
    const AlignedBuffer<std::uint64_t> outside(packed_stride(width) * word_count(channels));
    const auto above = packed_row(width, channels), centre = packed_row(width, channels),
               below = packed_row(width, channels);
    const auto residual = random_buffer<float>(residual_row_size(width, channels));
    const auto spatial = random_buffer<float>(residual_row_size(width, 1));
    for (const bool pool : {false, true}) {
      BodyRow expected(width, channels), found(width, channels);
      for (BodyRow* row : {&expected, &found}) {
        std::memcpy(row->residual.data(), residual.data(), sizeof(float) * residual.size());
        std::memcpy(row->spatial.data(), spatial.data(), sizeof(float) * spatial.size());
        const BConv2DRow input = {width,
                                  border,
                                  border & kFirst ? outside.data() : above.data(),
                                  centre.data(),
                                  border & kLast ? outside.data() : below.data(),
                                  row->spatial.data(),
                                  row->residual.data()};
        const KernelTable& kernels = row == &found ? kernels_ : kReferenceKernels;
        const BConv2DFilter& filter = row == &found ? found_filter : expected_filter;
        kernels.bconv2d_row(filter.params(), transforms.data(), input, row->next(binarizations_.data(), pool),
                            row->scratch.rows());
      }
      expected.compare(found, comparison("bconv2d_row", width, channels));
    }
  }

  // Of `extreme` rows all bits are set, and of outputs all weights or none, in every combination of two.
  void bconv2d_sums(int width, int channels, bool extreme) {
    constexpr int kOutputs = 9;
    auto weights = random_buffer<std::uint64_t>(kOutputs * kTaps * word_count(channels));
    auto above = packed_row(width, channels), centre = packed_row(width, channels),
         below = packed_row(width, channels);
    if (extreme) {
      for (std::size_t i = 0; i < weights.size(); ++i) {
        weights[i] = 0xD8 >> i * kOutputs / weights.size() & 1 ? ~0ULL : 0;
      }
      for (AlignedBuffer<std::uint64_t>* row : {&above, &centre, &below})
        *row = packed_row(width, channels, ~0ULL);
    }
    const BConv2DFilter expected_filter(weights.data(), channels, kOutputs, kReferenceKernels.weight_form),
        found_filter(weights.data(), channels, kOutputs, kernels_.weight_form);
    const BConv2DRow row = {width, kInside, above.data(), centre.data(), below.data(), nullptr, nullptr};
    RowScratchBuffer scratch(kOutputs);
    AlignedBuffer<std::int32_t> expected(static_cast<std::size_t>(kOutputs) * width), found(expected.size());
    kReferenceKernels.bconv2d_sums_row(expected_filter.params(), row, scratch.rows(), expected.data());
    kernels_.bconv2d_sums_row(found_filter.params(), row, scratch.rows(), found.data());
    comparison("bconv2d_sums_row", width, channels)("sums", expected, found);
  }

  void attention(int width, int window) {
    constexpr int kHeight = 9, kHeads = 2;
    for (const int channels : {6, 40}) {
      const std::size_t size = static_cast<std::size_t>(kHeight) * width * channels;
      const auto bias =
          random_buffer<float>(static_cast<std::size_t>(kHeads) * window * window * window * window);
      const auto query = random_buffer<float>(size), key = random_buffer<float>(size),
                 value = random_buffer<float>(size);
      for (const int shift : {0, window / 2}) {
        AlignedBuffer<float> expected(size), found(size);
        for (AlignedBuffer<float>* out : {&expected, &found}) {
          const WindowAttention layer(bias.data(), kHeads, window, shift,
                                      out == &found ? kernels_ : kReferenceKernels);
          layer.run(query.data(), key.data(), value.data(), kHeight, width, channels, 0,
                    layer.window_rows(kHeight), out->data());
        }
        comparison("attend", width, channels)("tokens", expected, found);
      }
    }
  }

  void channels_last_layer(int width, int inputs, int taps) {
    constexpr int kHeight = 3;
    for (const int outputs : {5, inputs}) {
      const auto bits =
          random_buffer<std::uint64_t>(static_cast<std::size_t>(outputs) * taps * word_count(inputs));
      const auto in = random_buffer<float>(2 * inputs), out = random_buffer<float>(4 * outputs);
      ChannelsLastLayer::Tensors tensors{};
      tensors.inputs = inputs;
      tensors.outputs = outputs;
      tensors.taps = taps;
      tensors.bits = bits.data();
      tensors.threshold = in.data();
      tensors.spatial = in.data() + inputs;
      tensors.spatial_bias = 0.25F;
      tensors.scale = out.data();
      tensors.shift_in = out.data() + outputs;
      tensors.slope = out.data() + 2 * outputs;
      tensors.shift_out = out.data() + 3 * outputs;
      tensors.skip = inputs == outputs;
      const auto picture = random_buffer<float>(static_cast<std::size_t>(kHeight) * width * inputs);
      AlignedBuffer<float> expected(static_cast<std::size_t>(kHeight) * width * outputs),
          found(expected.size());
      ChannelsLastLayer(tensors, kReferenceKernels)
          .run(picture.data(), kHeight, width, 0, kHeight, nullptr, expected.data());
      ChannelsLastLayer(tensors, kernels_)
          .run(picture.data(), kHeight, width, 0, kHeight, nullptr, found.data());
      comparison("channels_last_layer", width, inputs)("pixels", expected, found);
    }
  }

  // Of `extreme` numbers all are the largest.
  void sign_products(int width, int inputs, int size, bool extreme) {
    const ConvolutionShape shape = {2, width, inputs, 33, size};
    const std::size_t pixels = static_cast<std::size_t>(shape.height) * width;
    auto codes = random_buffer<std::uint8_t>(pixels * inputs);
    auto weights = random_buffer<std::int8_t>(static_cast<std::size_t>(shape.outputs) * inputs * size * size);
    auto gradients = random_buffer<std::int8_t>(pixels * shape.outputs);
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = extreme || weights[i] >= 0 ? 1 : -1;
    if (extreme) std::memset(codes.data(), 255, codes.size());
    AlignedBuffer<float> expected(pixels * shape.outputs), found(expected.size());
    SignFilter(weights.data(), shape, kReferenceKernels)
        .run(codes.data(), 128, 0, shape.height, expected.data());
    SignFilter(weights.data(), shape, kernels_).run(codes.data(), 128, 0, shape.height, found.data());
    comparison("byte_products", width, inputs)("pixels", expected, found);

    for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = extreme ? 2 : codes[i] % 3;
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      gradients[i] = extreme ? 127 : std::max<std::int8_t>(gradients[i], -127);
    }
    AlignedBuffer<std::int32_t> expected_sums(weights.size()), found_sums(weights.size());
    for (AlignedBuffer<std::int32_t>* sums : {&expected_sums, &found_sums}) {
      SignCorrelation correlation(shape, sums == &found_sums ? kernels_ : kReferenceKernels);
      for (int picture = 0; picture < 2; ++picture) correlation.add(codes.data(), gradients.data());
      correlation.store(sums->data());
    }
    comparison("byte_products", width, inputs)("sums over pictures", expected_sums, found_sums);
  }

  template <class Sample>
  void compose_picture(int width, int channels, int scale) {
    constexpr int kHeight = 2;
    const auto samples = random_buffer<Sample>(static_cast<std::size_t>(kHeight) * width * channels);
    const Picture<Sample> picture = {samples.data(), kHeight, width, channels};
    const std::size_t pixels = static_cast<std::size_t>(kHeight) * width;
    const auto residual = random_buffer<float>(pixels * scale * scale),
               chroma = random_buffer<float>(2 * pixels), weights = random_buffer<float>(pixels);
    const Addends added{residual.data(), 1, channels == 3 ? chroma.data() : nullptr, 0, kHeight,
                        weights.data()};
    AlignedBuffer<Sample> expected(samples.size() * scale * scale), found(expected.size());
    compose(kReferenceKernels, picture, added, scale, 0, scale * kHeight, expected.data());
    compose(kernels_, picture, added, scale, 0, scale * kHeight, found.data());
    comparison("compose_row", width, channels)("samples", expected, found);
  }

  const KernelTable& kernels_;
  AlignedBuffer<Binarization> binarizations_;
  int failures_ = 0;
};

}  // namespace

int main() {
  const CpuFeatures features = CpuFeatures::detect();
  int failures = 0;
  for (const std::string& name : available_kernels(features)) {
    Grid grid(select_kernels(features, name));
    for (int width = 1; width <= 70; width += width < 34 ? 1 : 9) grid.run_width(width);
    grid.run_width(135);  // more than two groups of blocks
    std::printf("%s: %s\n", name.c_str(), grid.failures() == 0 ? "equals the reference" : "DIFFERS");
    failures += grid.failures();
  }
  return failures == 0 ? 0 : 1;
}
