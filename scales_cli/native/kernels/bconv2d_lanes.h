// The binary convolution over 16 pixel lanes, with `OutputTransform`. In an unnamed namespace, see vector_kernels.h.
#pragma once

#include <cstdint>

#include "kernels/bconv2d.h"
#include "kernels/next_layer_lanes.h"

namespace scales {
namespace {

// The integer sum's constant part, 2^23 + base / 2, for the pixels of one block.
template <class Isa, bool kEdge>
struct BaseLanes {
  using F32x16 = typename Isa::F32x16;

  BaseLanes(const BConv2DParams& conv, const BConv2DRow& row, int block)
      : inside(conv.half_base + border_index(conv, row.border, kInside)),
        first(conv.half_base + border_index(conv, row.border, row.width == 1 ? kOnly : kFirst)),
        last(conv.half_base + border_index(conv, row.border, row.width == 1 ? kOnly : kLast)),
        first_lane(Isa::mask(block == 0 ? 1U << lane_of(0) : 0U)),
        last_lane(
            Isa::mask(block == (row.width - 1) / kLanes ? 1U << lane_of((row.width - 1) % kLanes) : 0U)) {}

  F32x16 at(int channel) const {
    F32x16 value = Isa::set1(inside[channel]);
    if (kEdge) {
      value = Isa::select(first_lane, Isa::set1(first[channel]), value);
      value = Isa::select(last_lane, Isa::set1(last[channel]), value);
    }
    return value;
  }

  const float *inside, *first, *last;
  typename Isa::Mask first_lane, last_lane;
};

// The counts of one block's channels, each computed when it is asked for; those of all words but the last beforehand.
// An `Isa` has this or its own as `BlockCounts<kOneWord>`. Blocks of a row are counted from left to right.
template <class Isa, bool kOneWord>
struct CarrySaveCounts {
  CarrySaveCounts(const BConv2DParams& conv, const BConv2DRow& row, int block, const RowScratch& scratch)
      : taps(row, conv.words - 1, block), adders(adders_of(conv, conv.words - 1)), partial(scratch.partial) {
    for (int word = 0; !kOneWord && word + 1 < conv.words; ++word) {
      const typename Isa::Taps leading(row, word, block);
      for (int o = 0; o < conv.out_channels; ++o) {
        Isa::store_counts(partial + kLanes * o, leading.differing(adders_of(conv, word) + kAdderWords * o),
                          word > 0);
      }
    }
  }

  // 2^23 + the count.
  typename Isa::F32x16 floats(int o) const {
    const typename Isa::Counts counts = taps.differing(adders + kAdderWords * o);
    return kOneWord ? Isa::count_float(counts) : Isa::count_float(counts, partial + kLanes * o);
  }

  // 16 lanes.
  const std::int32_t* integers(int o) const {
    Isa::store_counts(partial + kLanes * o, taps.differing(adders + kAdderWords * o), !kOneWord);
    return partial + kLanes * o;
  }

  static const std::uint64_t* adders_of(const BConv2DParams& conv, int word) {
    return static_cast<const std::uint64_t*>(conv.weights) +
           static_cast<std::size_t>(word) * conv.out_channels * kAdderWords;
  }

  const typename Isa::Taps taps;
  const std::uint64_t* const adders;
  std::int32_t* const partial;
};

template <class Isa, bool kEdge, bool kPool, bool kOneWord>
void bconv2d_block(const BConv2DParams& conv, const OutputTransform* transform, const BConv2DRow& row,
                   int block, const NextLayer& next, const RowScratch& scratch) {
  using F32x16 = typename Isa::F32x16;
  const typename Isa::template BlockCounts<kOneWord> counts(conv, row, block, scratch);
  const BaseLanes<Isa, kEdge> base(conv, row, block);
  BlockWriter<Isa, kEdge, kPool> writer(row.residual, conv.out_channels, block, row.width, next, scratch);
  const F32x16 spatial = Isa::load(row.spatial + kLanes * block);
  const F32x16 zero = Isa::set1(0.0F);
  const int out_channels = conv.out_channels;
  const auto transform_channel = [&](int o, F32x16 n) {
    const F32x16 sum = Isa::sub(n, base.at(o));
    const OutputTransform& t = transform[o];
    const F32x16 z = Isa::fms(Isa::mul(sum, spatial), Isa::set1(t.scale), Isa::set1(t.shift_in));
    const F32x16 activation = Isa::select(Isa::ge(z, zero), z, Isa::mul(z, Isa::set1(t.slope)));
    const F32x16 x = Isa::load(writer.residual + kLanes * o);
    // A block fills a page, where hardware prefetchers stop; of an edge block the next one may be outside the
    // buffer.
    if (!kEdge) Isa::prefetch(writer.residual + kLanes * (out_channels + o));
    writer.write(o, Isa::add(Isa::add(x, activation), Isa::set1(t.shift_out)));
  };
  // A channel is transformed while the next one is counted: its long chain of float operations runs beside
  // independent integer ones.
  F32x16 n = counts.floats(0);
  for (int o = 1; o < out_channels; ++o) {
    const F32x16 following = counts.floats(o);
    transform_channel(o - 1, n);
    n = following;
  }
  transform_channel(out_channels - 1, n);
  writer.finish(out_channels, block, row.width);
}

template <class Isa, bool kPool, bool kOneWord>
void bconv2d_blocks(const BConv2DParams& conv, const OutputTransform* transform, const BConv2DRow& row,
                    const NextLayer& next, const RowScratch& scratch) {
  const int blocks = block_count(row.width);
  begin_row<kPool>(conv.out_channels, scratch);
  bconv2d_block<Isa, true, kPool, kOneWord>(conv, transform, row, 0, next, scratch);
  for (int block = 1; block < blocks - 1; ++block) {
    bconv2d_block<Isa, false, kPool, kOneWord>(conv, transform, row, block, next, scratch);
  }
  if (blocks > 1) bconv2d_block<Isa, true, kPool, kOneWord>(conv, transform, row, blocks - 1, next, scratch);
  finish_row<kPool>(conv.out_channels, row.width, next, scratch);
}

template <class Isa, bool kOneWord>
void bconv2d_sums_blocks(const BConv2DParams& conv, const BConv2DRow& row, const RowScratch& scratch,
                         std::int32_t* sums) {
  for (int block = 0; block < block_count(row.width); ++block) {
    const typename Isa::template BlockCounts<kOneWord> counts(conv, row, block, scratch);
    for (int o = 0; o < conv.out_channels; ++o) {
      const std::int32_t* lanes = counts.integers(o);
      for (int x = kLanes * block; x < row.width && x < kLanes * (block + 1); ++x) {
        const std::int32_t base = conv.base[border_index(conv, row.border, border_of(x, row.width)) + o];
        sums[static_cast<std::size_t>(o) * row.width + x] = base - 2 * lanes[lane_of(x % kLanes)];
      }
    }
  }
}

template <class Isa>
void bconv2d_row(const BConv2DParams& conv, const OutputTransform* transform, const BConv2DRow& row,
                 const NextLayer& next, const RowScratch& scratch) {
  const bool pool = next.row_sums != nullptr;
  if (conv.words == 1) {
    pool ? bconv2d_blocks<Isa, true, true>(conv, transform, row, next, scratch)
         : bconv2d_blocks<Isa, false, true>(conv, transform, row, next, scratch);
  } else {
    pool ? bconv2d_blocks<Isa, true, false>(conv, transform, row, next, scratch)
         : bconv2d_blocks<Isa, false, false>(conv, transform, row, next, scratch);
  }
}

template <class Isa>
void bconv2d_sums_row(const BConv2DParams& conv, const BConv2DRow& row, const RowScratch& scratch,
                      std::int32_t* sums) {
  conv.words == 1 ? bconv2d_sums_blocks<Isa, true>(conv, row, scratch, sums)
                  : bconv2d_sums_blocks<Isa, false>(conv, row, scratch, sums);
}

}  // namespace
}  // namespace scales
