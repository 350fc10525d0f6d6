// 1 / (1 + exp(-t)), the same bits in every kernel table: the recipe below is repeated lane by lane.
//
//   u = clamp(-t, -86, 86);  k = fma(u, log2(e), 1.5 * 2^23)         the integer n sits in the low bits of k
//   n = k - 1.5 * 2^23;  r = fma(n, ln2_low, fma(n, ln2_high, u))    -ln 2 in two parts
//   e = (fma(p(r), r * r, r) + 1) * 2^n                              p of degree 5 by Horner's rule in fma
//   sigmoid = 1 / (1 + e)                                            a true division, no reciprocal estimate
#pragma once

namespace scales {

struct SigmoidRecipe {
  static constexpr float kLimit = 86.0F;
  static constexpr float kRound = 12582912.0F;  // 1.5 * 2^23
  static constexpr float kLog2E = 1.44269504F;
  static constexpr float kLn2High = -0.693359375F;
  static constexpr float kLn2Low = 2.12194440e-4F;
  static constexpr float kPoly[6] = {1.9875691500e-4F, 1.3981999507e-3F, 8.3334519073e-3F,
                                     4.1665795894e-2F, 1.6666665459e-1F, 5.0000001201e-1F};
};

float exponential(float u);  // exp of u clamped to [-kLimit, kLimit]
float sigmoid(float t);

}  // namespace scales
