// The row kernels over 16 pixel lanes, written once for every vector instruction set.
//
// A kernel file defines its `Isa` (vectors of 16 floats, counting of differing bits, bit transposition) and
// instantiates `vector_kernels<Isa>`. Everything lives in an unnamed namespace, so that each file has its own
// copy built with its own flags. An operation here is one rounding in every table; the order of operations is
// that of `OutputTransform`.
#pragma once

#include "attention_kernels.h"
#include "compose_row.h"
#include "kernel_table.h"
#include "pixel_kernels.h"
#include "sigmoid_lanes.h"
#include "tail_row.h"

namespace scales {
namespace {

// Lanes of the pixels of a block that lie inside a row.
static inline unsigned valid_lanes(int width, int block) {
  unsigned lanes = 0;
  for (int i = 0; i < kLanes && block * kLanes + i < width; ++i) lanes |= 1U << lane_of(i);
  return lanes;
}

// Steps 5 to 7 of `OutputTransform` for one block of a row, channel after channel.
template <class Isa, bool kEdge, bool kPool>
struct BlockWriter {
  using F16 = typename Isa::F16;

  BlockWriter(float* residual_row, int channels, int block, int width, const NextLayer& next_layer,
              const RowScratch& row_scratch)
      : residual(residual_row + static_cast<std::size_t>(kLanes) * channels * block),
        next(next_layer),
        binarization(next_layer.channels),
        masks(row_scratch.masks),
        pool(row_scratch.pool),
        dot(Isa::set1(next_layer.spatial_bias)),
        valid(Isa::mask(kEdge ? valid_lanes(width, block) : 0xFFFFU)) {}

  void write(int channel, F16 y) {
    Isa::store(residual + kLanes * channel, y);
    Isa::store_mask(masks + channel, Isa::ge(y, Isa::set1(binarization[channel].threshold)));
    dot = Isa::fma(Isa::set1(binarization[channel].spatial), y, dot);
    if (kPool) {
      float* sums = pool + kLanes * channel;
      Isa::store(sums, Isa::add(Isa::load(sums), kEdge ? Isa::select(valid, y, Isa::set1(0)) : y));
    }
  }

  void finish(int channels, int block, int width) {
    Isa::store(next.spatial + kLanes * block, sigmoid_lanes<Isa>(dot));
    for (int word = 0; word < channels / kWordBits; ++word) {
      Isa::transpose(masks + kWordBits * word,
                     next.bits + packed_stride(width) * word + kMargin + kLanes * block);
    }
  }

  // Copies, not references: vector stores may alias anything, and the inner loop would load every pointer
  // again.
  float* const residual;
  const NextLayer& next;
  const Binarization* const binarization;
  std::uint16_t* const masks;
  float* const pool;
  F16 dot;
  typename Isa::Mask valid;
};

template <bool kPool>
void begin_row(int channels, const RowScratch& scratch) {
  if (!kPool) return;
  for (int i = 0; i < kLanes * channels; ++i) scratch.pool[i] = 0;
}

template <bool kPool>
void finish_row(int channels, int width, const NextLayer& next, const RowScratch& scratch) {
  for (int word = 0; word < channels / kWordBits; ++word) {
    std::uint64_t* words = next.bits + packed_stride(width) * word + kMargin;
    for (int x = width; x < kLanes * block_count(width); ++x) words[x] = 0;
  }
  if (!kPool) return;
  for (int c = 0; c < channels; ++c) {
    float sums[kLanes];
    for (int i = 0; i < kLanes; ++i) sums[i] = scratch.pool[kLanes * c + lane_of(i)];
    next.row_sums[c] = add_halves(sums);
  }
}

// The integer sum's constant part, 2^23 + border / 2, for the pixels of one block.
template <class Isa, bool kEdge>
struct BorderLanes {
  using F16 = typename Isa::F16;

  BorderLanes(const BConv2DParams& conv, const BConv2DRow& row, int block)
      : inside(conv.half_border + border_index(conv, row.border, kInside)),
        first(conv.half_border + border_index(conv, row.border, row.width == 1 ? kOnly : kFirst)),
        last(conv.half_border + border_index(conv, row.border, row.width == 1 ? kOnly : kLast)),
        first_lane(Isa::mask(block == 0 ? 1U << lane_of(0) : 0U)),
        last_lane(
            Isa::mask(block == (row.width - 1) / kLanes ? 1U << lane_of((row.width - 1) % kLanes) : 0U)) {}

  F16 at(int channel) const {
    F16 value = Isa::set1(inside[channel]);
    if (kEdge) {
      value = Isa::select(first_lane, Isa::set1(first[channel]), value);
      value = Isa::select(last_lane, Isa::set1(last[channel]), value);
    }
    return value;
  }

  const float *inside, *first, *last;
  typename Isa::Mask first_lane, last_lane;
};

// Counts of all words but the last, for channels that do not fit in one.
template <class Isa>
void count_leading_words(const BConv2DParams& conv, const BConv2DRow& row, int block,
                         const RowScratch& scratch) {
  for (int word = 0; word + 1 < conv.words; ++word) {
    const typename Isa::Taps taps(row, word, block);
    const std::uint64_t* adders =
        conv.adders + static_cast<std::size_t>(word) * conv.out_channels * kAdderWords;
    for (int o = 0; o < conv.out_channels; ++o) {
      Isa::store_counts(scratch.partial + kLanes * o, taps.differing(adders + kAdderWords * o), word > 0);
    }
  }
}

static inline const std::uint64_t* last_word_adders(const BConv2DParams& conv) {
  return conv.adders + static_cast<std::size_t>(conv.words - 1) * conv.out_channels * kAdderWords;
}

template <class Isa, bool kEdge, bool kPool, bool kOneWord>
void bconv2d_block(const BConv2DParams& conv, const OutputTransform* transform, const BConv2DRow& row,
                   int block, const NextLayer& next, const RowScratch& scratch) {
  using F16 = typename Isa::F16;
  if (!kOneWord) count_leading_words<Isa>(conv, row, block, scratch);
  const typename Isa::Taps taps(row, conv.words - 1, block);
  const std::uint64_t* adders = last_word_adders(conv);
  const BorderLanes<Isa, kEdge> border(conv, row, block);
  BlockWriter<Isa, kEdge, kPool> writer(row.residual, conv.out_channels, block, row.width, next, scratch);
  const F16 spatial = Isa::load(row.spatial + kLanes * block);
  const F16 zero = Isa::set1(0.0F);
  const std::int32_t* partial = scratch.partial;
  const int out_channels = conv.out_channels;
  const auto count = [&](int o) {
    const typename Isa::Counts counts = taps.differing(adders + kAdderWords * o);
    return kOneWord ? Isa::count_float(counts) : Isa::count_float(counts, partial + kLanes * o);
  };
  const auto transform_channel = [&](int o, F16 n) {
    const F16 sum = Isa::sub(n, border.at(o));
    const OutputTransform& t = transform[o];
    const F16 z = Isa::fms(Isa::mul(sum, spatial), Isa::set1(t.scale), Isa::set1(t.shift_in));
    const F16 activation = Isa::select(Isa::ge(z, zero), z, Isa::mul(z, Isa::set1(t.slope)));
    const F16 x = Isa::load(writer.residual + kLanes * o);
    // A block fills a page, where hardware prefetchers stop; of an edge block the next one may be outside the
    // buffer.
    if (!kEdge) Isa::prefetch(writer.residual + kLanes * (out_channels + o));
    writer.write(o, Isa::add(Isa::add(x, activation), Isa::set1(t.shift_out)));
  };
  // A channel is transformed while the next one is counted: its long chain of float operations runs beside
  // independent integer ones.
  F16 n = count(0);
  for (int o = 1; o < out_channels; ++o) {
    const F16 following = count(o);
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
  const std::uint64_t* adders = last_word_adders(conv);
  for (int block = 0; block < block_count(row.width); ++block) {
    count_leading_words<Isa>(conv, row, block, scratch);
    const typename Isa::Taps taps(row, conv.words - 1, block);
    for (int o = 0; o < conv.out_channels; ++o) {
      std::int32_t* counts = scratch.partial + kLanes * o;
      Isa::store_counts(counts, taps.differing(adders + kAdderWords * o), conv.words > 1);
      for (int x = kLanes * block; x < row.width && x < kLanes * (block + 1); ++x) {
        const std::int32_t border = conv.border[border_index(conv, row.border, border_of(x, row.width)) + o];
        sums[static_cast<std::size_t>(o) * row.width + x] = border - 2 * counts[lane_of(x % kLanes)];
      }
    }
  }
}

// The head's inputs around one block, [colour][ky][kx] in lane order.
template <class Isa, int kColors>
struct HeadTaps {
  using F16 = typename Isa::F16;

  HeadTaps(const float* rows, int width, int block) {
    for (int plane = 0; plane < 3 * kColors; ++plane) {
      const float* pixels = rows + plane_stride(width) * plane + kPlaneMargin + kLanes * block;
      for (int kx = 0; kx < 3; ++kx) taps[3 * plane + kx] = Isa::to_lanes(Isa::loadu(pixels + kx - 1));
    }
  }

  F16 convolve(const HeadParams& head, int channel) const {
    const float* weight = head.weight + static_cast<std::size_t>(channel) * kColors * kTaps;
    F16 sum = Isa::set1(head.bias[channel]);
    for (int tap = 0; tap < kColors * kTaps; ++tap) sum = Isa::fma(Isa::set1(weight[tap]), taps[tap], sum);
    return sum;
  }

  F16 taps[kColors * kTaps];
};

template <class Isa, int kColors, bool kPool>
void head_blocks(const HeadParams& head, const float* rows, int width, float* residual, const NextLayer& next,
                 const RowScratch& scratch) {
  begin_row<kPool>(head.channels, scratch);
  for (int block = 0; block < block_count(width); ++block) {
    const HeadTaps<Isa, kColors> taps(rows, width, block);
    BlockWriter<Isa, true, kPool> writer(residual, head.channels, block, width, next, scratch);
    for (int c = 0; c < head.channels; ++c) writer.write(c, taps.convolve(head, c));
    writer.finish(head.channels, block, width);
  }
  finish_row<kPool>(head.channels, width, next, scratch);
}

template <class Isa>
void head_row(const HeadParams& head, const float* rows, int width, float* residual, const NextLayer& next,
              const RowScratch& scratch) {
  const bool pool = next.row_sums != nullptr;
  if (head.colors == 1) {
    pool ? head_blocks<Isa, 1, true>(head, rows, width, residual, next, scratch)
         : head_blocks<Isa, 1, false>(head, rows, width, residual, next, scratch);
  } else {
    pool ? head_blocks<Isa, 3, true>(head, rows, width, residual, next, scratch)
         : head_blocks<Isa, 3, false>(head, rows, width, residual, next, scratch);
  }
}

// Pixels of residual + head in order, at 1 of the chunk lines; their neighbours are not filled in.
template <class Isa, int kColors>
void tail_input_blocks(const HeadParams& head, const float* rows, int width, const float* residual,
                       float* tail_row) {
  constexpr int kBlocks = kChunk / kLanes;
  for (int block = 0; block < kBlocks * chunk_count(width); ++block) {
    float* line = tail_row + static_cast<std::size_t>(block / kBlocks) * head.channels * kChunkStride + 1 +
                  kLanes * (block % kBlocks);
    if (block >= block_count(width)) {
      for (int c = 0; c < head.channels; ++c) Isa::storeu(line + kChunkStride * c, Isa::set1(0));
      continue;
    }
    const HeadTaps<Isa, kColors> taps(rows, width, block);
    const typename Isa::Mask valid = Isa::mask(valid_lanes(width, block));
    const float* body = residual + static_cast<std::size_t>(kLanes) * head.channels * block;
    for (int c = 0; c < head.channels; ++c) {
      const typename Isa::F16 sum = Isa::add(Isa::load(body + kLanes * c), taps.convolve(head, c));
      Isa::storeu(line + kChunkStride * c, Isa::to_pixels(Isa::select(valid, sum, Isa::set1(0))));
    }
  }
}

// The terms of a line of 32 pixels between its two neighbours, in place.
template <class Isa>
void transform_line(float* line) {
  using F16 = typename Isa::F16;
  const F16 a = Isa::loadu(line), b = Isa::loadu(line + kLanes), c = Isa::loadu(line + 2),
            d = Isa::loadu(line + kLanes + 2);
  const F16 d0 = Isa::evens(a, b), d1 = Isa::odds(a, b), d2 = Isa::evens(c, d), d3 = Isa::odds(c, d);
  Isa::store(line, Isa::sub(d0, d2));
  Isa::store(line + kPairs, Isa::add(d1, d2));
  Isa::store(line + 2 * kPairs, Isa::sub(d2, d1));
  Isa::store(line + 3 * kPairs, Isa::sub(d1, d3));
}

template <class Isa>
void tail_input_row(const HeadParams& head, const float* rows, int width, const float* residual,
                    float* tail_row) {
  if (head.colors == 1) {
    tail_input_blocks<Isa, 1>(head, rows, width, residual, tail_row);
  } else {
    tail_input_blocks<Isa, 3>(head, rows, width, residual, tail_row);
  }
  const int chunks = chunk_count(width);
  const std::size_t chunk_size = static_cast<std::size_t>(head.channels) * kChunkStride;
  for (int c = 0; c < head.channels; ++c) tail_row[kChunkStride * c] = 0;
  for (int chunk = 0; chunk < chunks; ++chunk, tail_row += chunk_size) {
    // All neighbours first: a vector load would wait for the single values just stored.
    for (int c = 0; c < head.channels; ++c) {
      float *line = tail_row + kChunkStride * c, *next = line + chunk_size;
      line[kChunk + 1] = chunk + 1 < chunks ? next[1] : 0;
      if (chunk + 1 < chunks) next[0] = line[kChunk];
    }
    for (int c = 0; c < head.channels; ++c) transform_line<Isa>(tail_row + kChunkStride * c);
  }
}

// Activations and sums stay in registers; the weight comes from memory, so that nothing can be computed
// beforehand.
template <class Isa>
std::uint64_t xor_popcount(const std::uint64_t* words, int rounds) {
  constexpr int kWords = Isa::kPeakBits / kWordBits;
  typename Isa::Words pixels[kPeakChains], sums[kPeakChains];
  for (int i = 0; i < kPeakChains; ++i) pixels[i] = sums[i] = Isa::words(words + kWords * i);
  for (int round = 0; round < rounds; ++round) {
    const typename Isa::Words weight = Isa::words(words + kWords * (round % kPeakChains));
    for (int i = 0; i < kPeakChains; ++i) sums[i] = Isa::add_differing(sums[i], pixels[i], weight);
  }
  std::uint64_t result = 0, sum[kWords];
  for (int i = 0; i < kPeakChains; ++i) {
    Isa::store_words(sum, sums[i]);
    for (const std::uint64_t word : sum) result += word;
  }
  return result;
}

template <class Isa>
constexpr KernelTable vector_kernels(const char* name) {
  return {name,          head_row<Isa>,     bconv2d_row<Isa>, bconv2d_sums_row<Isa>, tail_input_row<Isa>,
          tail_row<Isa>, compose_row,       compose_row,      pack_pixels<Isa>,      apply_pixels<Isa>,
          attend<Isa>,   xor_popcount<Isa>, Isa::kPeakBits};
}

}  // namespace
}  // namespace scales
