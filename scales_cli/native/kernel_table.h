// The row kernels a network is made of, one table of them per instruction set.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cpu_features.h"
#include "kernels/attention.h"
#include "kernels/bconv2d.h"
#include "kernels/byte_products.h"
#include "kernels/channels_last.h"
#include "kernels/compose.h"
#include "kernels/head.h"
#include "kernels/next_layer.h"
#include "kernels/output_transform.h"
#include "kernels/popcount_peak.h"
#include "kernels/tail.h"

namespace scales {

struct KernelTable {
  const char* name;
  WeightForm weight_form;
  // residual = head(rows), and what layer 0 needs of it.
  void (*head_row)(const HeadParams&, const float* rows, int width, float* residual, const NextLayer&,
                   const RowScratch&);
  // residual = layer(residual), steps 1 to 7 of `OutputTransform`.
  void (*bconv2d_row)(const BConv2DParams&, const OutputTransform*, const BConv2DRow&, const NextLayer&,
                      const RowScratch&);
  // The bare integer sums [out][width] of one row.
  void (*bconv2d_sums_row)(const BConv2DParams&, const BConv2DRow&, const RowScratch&, std::int32_t* sums);
  // tail_row = residual + head(rows), the global skip, as the bytes that `TailParams` defines; its margins are left alone.
  void (*tail_input_row)(const HeadParams&, const float* gain, const float* rows, int width,
                         const float* residual, std::uint32_t* tail_row);
  // out = [outputs][padded(width)]; rows are the tail rows above, at and below (kZeroBytes outside the picture).
  void (*tail_row)(const TailParams&, const std::uint32_t* const rows[3], int width, float* out);
  // Whether all that was added is finite.
  bool (*compose_row8)(const ComposeRow8&);
  bool (*compose_row16)(const ComposeRow16&);
  // Steps 1 and 2 of channels_last.h for pixels x [count][inputs]: bits [count][words], gates [count] unless null.
  void (*pack_pixels)(const ChannelsLastParams&, const float* x, int count, std::uint64_t* bits,
                      float* gates);
  // Steps 3 to 6: out [count][outputs].
  void (*apply_pixels)(const ChannelsLastParams&, const PixelRun&, float* out);
  void (*attend)(const AttentionHead&);
  void (*byte_products)(const ByteProducts&);
  bool byte_products_pay;  // whether they are faster than the products of floats that libraries compute
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
