// The row kernels a network is made of, one table of them per instruction set.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "attention.h"
#include "bconv2d.h"
#include "cpu_features.h"
#include "output_transform.h"
#include "pixel_layer.h"

namespace scales {

// Memory a kernel may scribble on; one per job.
struct RowScratch {
  std::uint16_t* masks;   // [channels] thresholded lanes of one block
  std::int32_t* partial;  // [channels][16] counts of the words before the last
  float* pool;            // [channels][16] pooling lanes of one row
};

// What a row leaves behind for the layer that follows.
struct NextLayer {
  const Binarization* channels;
  float spatial_bias;
  float* spatial;       // [block][16] gates sigmoid(<weight, y> + bias)
  std::uint64_t* bits;  // packed row
  float* row_sums;      // [channels] sums of y over the row, or null where the gates are fixed already
};

// Full-precision 3x3 head on 4 p - 2. `rows` holds [colour][ky][16 + pixels + 16] with zeros outside the
// picture.
struct HeadParams {
  int colors;
  int channels;
  const float* weight;  // [channels][colors * 9]
  const float* bias;    // [channels]
};

static constexpr int kPlaneMargin = 16;
static constexpr std::size_t plane_stride(int width) {
  return 2 * kPlaneMargin + static_cast<std::size_t>(kLanes) * block_count(width);
}

struct BConv2DRow {
  int width;
  int border;  // Border of the row
  const std::uint64_t *above, *centre, *below;
  const float* spatial;  // may be the array that `NextLayer` overwrites
  float* residual;       // updated in place
};

// Full-precision 3x3 tail by Winograd's F(2, 3) along the rows: for a pair of outputs y0, y1 with the pixels d0
// to d3 around them and a kernel row g0 to g2,
//
//     terms    d0 - d2, d1 + d2, d2 - d1, d1 - d3
//     weights  g0, (g0 + g1 + g2) / 2, (g0 - g1 + g2) / 2, g2
//     y0 = (m0 + m1) + m2,  y1 = (m1 - m2) - m3     of the products m, summed over rows and channels before
//
// are four multiplications in place of six. Input rows are cut into chunks of 32 pixels, [chunk][channel][term]
// [16 pairs] with kChunkStride values a channel; outputs come in groups that fit in registers.
struct TailParams {
  int channels;
  int outputs;
  int group;
  const float* weight;  // [outputs / group][term][ky][channel][group]
  const float* bias;    // [outputs]
};

static constexpr int kTerms = 4;
static constexpr int kPairs = 16;
static constexpr int kChunk = 2 * kPairs;
// An odd number of cache lines: else one term of all channels would lie in a quarter of the cache's sets.
static constexpr int kChunkStride = (kTerms + 1) * kPairs;
static constexpr int chunk_count(int width) {
  return (width + kChunk - 1) / kChunk;
}

// One output row of `compose`; buffers belong to the caller. Sum holds the numerators exactly: 32 bits for
// 8-bit samples, 64 for 16-bit ones.
static constexpr int kComposeEdge = 2;  // pixels beyond either side that a phase may read

template <class Sample, class Sum>
struct ComposeRow {
  int width, channels, scale;
  const Sample* lines[4];  // LR rows under the vertical taps
  Sum column_weight[4];
  Sum row_weight[4][4];  // [phase][tap]
  int first_tap[4];      // of a phase, relative to its LR pixel
  int left_mirror[kComposeEdge], right_mirror[kComposeEdge];
  double denominator;        // of both axes together
  const float* residual[4];  // a line for each channel, or nulls
  Sum* sums;                 // [width + 2 kComposeEdge][channels]
  float* addends;            // [width][channels] and one more, zero where there is no residual
  Sample* rounded;           // [scale][width][channels] and one more
  Sample* out;               // [scale * width][channels]
};

using ComposeRow8 = ComposeRow<std::uint8_t, std::int32_t>;
using ComposeRow16 = ComposeRow<std::uint16_t, std::int64_t>;

static constexpr int kPeakChains = 8;  // independent sums, as many as hide the latency

struct KernelTable {
  const char* name;
  // residual = head(rows), and what layer 0 needs of it.
  void (*head_row)(const HeadParams&, const float* rows, int width, float* residual, const NextLayer&,
                   const RowScratch&);
  // residual = layer(residual), steps 1 to 7 of `OutputTransform`.
  void (*bconv2d_row)(const BConv2DParams&, const OutputTransform*, const BConv2DRow&, const NextLayer&,
                      const RowScratch&);
  // The bare integer sums [out][width] of one row.
  void (*bconv2d_sums_row)(const BConv2DParams&, const BConv2DRow&, const RowScratch&, std::int32_t* sums);
  // tail_row = residual + head(rows): the global skip, in the tail's layout.
  void (*tail_input_row)(const HeadParams&, const float* rows, int width, const float* residual,
                         float* tail_row);
  // out = [outputs][32 * chunks]; rows are the tail rows above, at and below (zeros outside the picture).
  // Reduction order of a term: ky, channel.
  void (*tail_row)(const TailParams&, const float* const rows[3], int width, float* out);
  void (*compose_row8)(const ComposeRow8&);
  void (*compose_row16)(const ComposeRow16&);
  // Steps 1 and 2 of `PixelLayer` for pixels x [count][inputs]: bits [count][words], gates [count] unless null.
  void (*pack_pixels)(const PixelLayerParams&, const float* x, int count, std::uint64_t* bits, float* gates);
  // Steps 3 to 6: out [count][outputs].
  void (*apply_pixels)(const PixelLayerParams&, const PixelRun&, float* out);
  void (*attend)(const AttentionHead&);
  // The plain form of a binary multiply-accumulate, `peak_bits` at a time: `rounds` times xor, count and add
  // for each of kPeakChains registers. `words` is [kPeakChains][peak_bits / 64]; the result only depends on
  // all of it.
  std::uint64_t (*xor_popcount)(const std::uint64_t* words, int rounds);
  int peak_bits;  // at most 512
};

// The fastest table the CPU can execute, or the one that `isa` names; throws std::invalid_argument with the
// names of the available ones where it cannot be had.
const KernelTable& select_kernels(const CpuFeatures& features, const std::string& isa = "");

// Names of the tables the CPU can execute, fastest first.
std::vector<std::string> available_kernels(const CpuFeatures& features);

extern const KernelTable kReferenceKernels;
#ifdef SCALES_X86
extern const KernelTable kAvx2Kernels, kAvx512BwKernels, kAvx512Kernels;
#endif
#ifdef SCALES_NEON
extern const KernelTable kNeonKernels;
#endif

}  // namespace scales
