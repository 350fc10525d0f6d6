// Plain loops: what every other table must equal bit for bit.
#include <bitset>
#include <cmath>
#include <limits>

#include "kernel_table.h"
#include "kernels/byte_products_loops.h"
#include "kernels/compose_loops.h"
#include "kernels/sigmoid.h"

namespace scales {
namespace {

// Steps 5 to 7 of `OutputTransform` for the row `residual`.
void prepare_next(const float* residual, int width, int channels, const NextLayer& next) {
  const std::size_t stride = packed_stride(width);
  for (int x = 0; x < width; ++x) {
    const std::size_t block = x / kLanes;
    const int lane = lane_of(x % kLanes);
    float dot = next.spatial_bias;
    for (int c = 0; c < channels; ++c) {
      const float y = residual[(block * channels + c) * kLanes + lane];
      std::uint64_t& word = next.bits[stride * (c / kWordBits) + kMargin + x];
      const std::uint64_t bit = std::uint64_t{1} << (c % kWordBits);
      word = y >= next.channels[c].threshold ? word | bit : word & ~bit;
      dot = std::fma(next.channels[c].spatial, y, dot);
    }
    next.spatial[block * kLanes + lane] = sigmoid(dot);
  }
  if (next.row_sums == nullptr) return;
  for (int c = 0; c < channels; ++c) {
    float pool[kLanes] = {};
    for (int x = 0; x < width; ++x) {
      const std::size_t block = x / kLanes;
      pool[x % kLanes] += residual[(block * channels + c) * kLanes + lane_of(x % kLanes)];
    }
    next.row_sums[c] = add_halves(pool);
  }
}

float head_pixel(const HeadParams& head, const float* rows, int width, int channel, int x) {
  float sum = head.bias[channel];
  const float* weight = head.weight + static_cast<std::size_t>(channel) * head.planes * kTaps;
  for (int plane = 0; plane < 3 * head.planes; ++plane) {
    const float* pixel = rows + plane_stride(width) * plane + kPlaneMargin + x;
    for (int kx = 0; kx < 3; ++kx) sum = std::fma(weight[3 * plane + kx], pixel[kx - 1], sum);
  }
  return sum;
}

void head_row(const HeadParams& head, const float* rows, int width, float* residual, const NextLayer& next,
              const RowScratch&) {
  for (int x = 0; x < width; ++x) {
    float* pixel = residual + residual_row_size(x / kLanes * kLanes, head.channels) + lane_of(x % kLanes);
    for (int c = 0; c < head.channels; ++c) pixel[c * kLanes] = head_pixel(head, rows, width, c, x);
  }
  prepare_next(residual, width, head.channels, next);
}

int bconv2d_sum(const BConv2DParams& conv, const BConv2DRow& row, int o, int x) {
  const std::uint64_t* rows[3] = {row.above, row.centre, row.below};
  int differing = 0;
  for (int word = 0; word < conv.words; ++word) {
    const std::uint64_t* taps = static_cast<const std::uint64_t*>(conv.weights) +
                                (static_cast<std::size_t>(word) * conv.out_channels + o) * kTaps;
    const std::size_t origin = packed_stride(row.width) * word + kMargin + x;
    for (int tap = 0; tap < kTaps; ++tap) {
      differing += static_cast<int>(std::bitset<64>(rows[tap / 3][origin + tap % 3 - 1] ^ taps[tap]).count());
    }
  }
  return conv.base[border_index(conv, row.border, border_of(x, row.width)) + o] - 2 * differing;
}

void bconv2d_row(const BConv2DParams& conv, const OutputTransform* transform, const BConv2DRow& row,
                 const NextLayer& next, const RowScratch&) {
  for (int x = 0; x < row.width; ++x) {
    const std::size_t block = x / kLanes;
    const int lane = lane_of(x % kLanes);
    const float spatial = row.spatial[block * kLanes + lane];
    for (int o = 0; o < conv.out_channels; ++o) {
      const OutputTransform& t = transform[o];
      float& residual = row.residual[(block * conv.out_channels + o) * kLanes + lane];
      const float half_sum = -0.5F * static_cast<float>(bconv2d_sum(conv, row, o, x));
      const float z = std::fma(half_sum * spatial, t.scale, -t.shift_in);
      const float activation = z >= 0 ? z : z * t.slope;
      residual = (residual + activation) + t.shift_out;
    }
  }
  prepare_next(row.residual, row.width, conv.out_channels, next);
}

void bconv2d_sums_row(const BConv2DParams& conv, const BConv2DRow& row, const RowScratch&,
                      std::int32_t* sums) {
  for (int o = 0; o < conv.out_channels; ++o) {
    for (int x = 0; x < row.width; ++x) {
      sums[static_cast<std::size_t>(o) * row.width + x] = bconv2d_sum(conv, row, o, x);
    }
  }
}

void tail_input_row(const HeadParams& head, const float* gain, const float* rows, int width,
                    const float* residual, std::uint32_t* tail_row) {
  const std::size_t stride = tail_stride(width);
  for (int x = 0; x < padded(width); ++x) {
    for (int c = 0; c < head.channels; ++c) {
      int byte = 128;
      if (x < width) {
        const std::size_t place = residual_row_size(x / kLanes * kLanes, head.channels) + kLanes * c;
        const float sum = residual[place + lane_of(x % kLanes)] + head_pixel(head, rows, width, c, x);
        const float rounded = std::fma(sum, gain[c], kByteOrigin);
        // As vectors do, what is no number, too.
        const float above = rounded > kLeastByte ? rounded : kLeastByte;
        byte += static_cast<int>((above < kLargestByte ? above : kLargestByte) - kByteOrigin);
      }
      std::uint32_t& word = tail_row[stride * (c / kQuad) + kTailMargin + x];
      const int shift = 8 * (c % kQuad);
      word = (word & ~(std::uint32_t{0xFF} << shift)) | static_cast<std::uint32_t>(byte) << shift;
    }
  }
}

int byte_of(std::uint32_t word, int index) {
  return static_cast<int>(word >> (8 * index) & 0xFF);
}

void tail_row(const TailParams& tail, const std::uint32_t* const rows[3], int width, float* out) {
  const std::size_t stride = tail_stride(width), quads = tail.channels / kQuad;
  for (int o = 0; o < tail.outputs; ++o) {
    const std::uint32_t* group = tail.weight + o / tail.group * 9 * quads * tail.group;
    for (int x = 0; x < padded(width); ++x) {
      int sum = 0;
      for (std::size_t ky = 0; ky < 3; ++ky) {
        for (std::size_t quad = 0; quad < quads; ++quad) {
          const std::uint32_t* weight = group + 3 * ((ky * quads + quad) * tail.group + o % tail.group);
          const std::uint32_t* pixel = rows[ky] + stride * quad + kTailMargin + x;
          for (int kx = 0; kx < 3; ++kx) {
            for (int i = 0; i < kQuad; ++i) {
              sum += static_cast<std::int8_t>(byte_of(weight[kx], i)) * (byte_of(pixel[kx - 1], i) - 128);
            }
          }
        }
      }
      out[static_cast<std::size_t>(padded(width)) * o + x] =
          std::fma(static_cast<float>(sum), tail.scale[o], tail.bias[o]);
    }
  }
}

void pack_pixels(const ChannelsLastParams& layer, const float* x, int count, std::uint64_t* bits,
                 float* gates) {
  for (int pixel = 0; pixel < count; ++pixel, x += layer.inputs, bits += layer.words) {
    float lanes[kLanes] = {};
    for (int word = 0; word < layer.words; ++word) bits[word] = 0;
    for (int c = 0; c < layer.inputs; ++c) {
      if (x[c] >= layer.threshold[c]) bits[c / kWordBits] |= std::uint64_t{1} << (c % kWordBits);
      lanes[c % kLanes] = std::fma(layer.spatial[c], x[c], lanes[c % kLanes]);
    }
    if (gates != nullptr) gates[pixel] = sigmoid(add_halves(lanes) + layer.spatial_bias);
  }
}

void apply_pixels(const ChannelsLastParams& layer, const PixelRun& run, float* out) {
  for (int pixel = 0; pixel < run.count; ++pixel) {
    for (int o = 0; o < layer.outputs; ++o) {
      const std::size_t block = static_cast<std::size_t>(o / kLanes) * layer.taps * layer.words;
      int differing = 0;
      for (int tap = 0; tap < layer.taps; ++tap) {
        const std::uint64_t* bits =
            run.bits + run.offsets[tap] + static_cast<std::ptrdiff_t>(pixel) * layer.words;
        for (int word = 0; word < layer.words; ++word) {
          const std::size_t place = block + static_cast<std::size_t>(tap) * layer.words + word;
          const std::uint64_t weight = layer.weights[place * kLanes + weight_lane(o % kLanes)];
          differing += static_cast<int>(std::bitset<64>(bits[word] ^ weight).count());
        }
      }
      const float sum = std::fma(-2.0F, static_cast<float>(differing), run.base[o]);
      const float z = std::fma(sum * run.gates[pixel], run.scale[o], -layer.shift_in[o]);
      const float activation = z >= 0 ? z : z * layer.slope[o];
      const std::size_t place = static_cast<std::size_t>(pixel) * layer.outputs + o;
      out[place] = (run.skip == nullptr ? activation : run.skip[place] + activation) + layer.shift_out[o];
    }
  }
}

void attend(const AttentionHead& head) {
  const std::size_t keys = head.padded_tokens, channels = head.padded_channels;
  for (int query = 0; query < head.tokens; ++query) {
    float largest = -std::numeric_limits<float>::infinity();
    for (std::size_t j = 0; j < keys; ++j) {
      float score = head.bias[query][j];
      for (int c = 0; c < head.channels; ++c) {
        score = std::fma(head.query[query * channels + c], head.key[c * keys + j], score);
      }
      head.scores[j] = score;
      largest = largest > score ? largest : score;
    }
    float lanes[kLanes] = {};
    for (std::size_t j = 0; j < keys; ++j) {
      head.scores[j] = exponential(head.scores[j] - largest);
      lanes[j % kLanes] += head.scores[j];
    }
    const float factor = 1.0F / add_halves(lanes);
    for (std::size_t c = 0; c < channels; ++c) {
      float sum = 0;
      for (int j = 0; j < head.tokens; ++j) {
        sum = std::fma(head.scores[j], head.value[j * channels + c], sum);
      }
      head.out[query * channels + c] = sum * factor;
    }
  }
}

std::uint64_t xor_popcount(const std::uint64_t* words, int rounds) {
  std::uint64_t sum = 0;
  for (int round = 0; round < rounds; ++round) {
    const std::uint64_t weight = words[round % kPeakChains];
    for (int i = 0; i < kPeakChains; ++i) sum += std::bitset<64>(words[i] ^ weight).count();
  }
  return sum;
}

}  // namespace

const KernelTable kReferenceKernels = {
    "reference",  WeightForm::kTaps, head_row,    bconv2d_row,  bconv2d_sums_row, tail_input_row, tail_row,
    compose_row,  compose_row,       pack_pixels, apply_pixels, attend,           byte_products,  false,
    xor_popcount, kWordBits};

}  // namespace scales
