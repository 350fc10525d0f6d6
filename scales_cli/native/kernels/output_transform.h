// From the integer sum of a binary convolution to the next layer's input, channel by channel in order:
//
//   1  h = n - (2^23 + base / 2) = -sum / 2       exact: n = 2^23 + m is made by or-ing the count m into the
//          mantissa of 2^23, and base is even where the number of input channels is
//   2  z = fma(h * spatial, scale, -shift_in)       scale is -2 times the layer's, times the channel gate;
//          spatial is the pixel's gate
//   3  a = z >= 0 ? z : z * slope                   RPReLU: a select, since slopes may be negative
//   4  y = (x + a) + shift_out                      the full-precision skip, in place in the residual row
//   5  bit = y >= threshold                         of the next layer
//   6  d = fma(weight, y, d), starting at the bias  the next layer's spatial re-scaling, its gate sigmoid(d)
//   7  p[lane] = p[lane] + y                        pooling for the next layer's channel gates, lane = x mod 16
//
// Every kernel table performs exactly these roundings, so all give the same bits.
#pragma once

namespace scales {

struct OutputTransform {
  float scale;  // -2 * scale * channel gate
  float shift_in;
  float slope;
  float shift_out;
};

// How one channel enters a layer.
struct Binarization {
  float threshold;
  float spatial;
};

static constexpr float kCountOrigin = 8388608.0F;  // 2^23

}  // namespace scales
