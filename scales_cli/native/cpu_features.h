// What the CPU can execute and the operating system keeps across a task switch.
#pragma once

namespace scales {

struct CpuFeatures {
  bool avx2_fma = false;
  bool avx512_base = false;  // F, BW, DQ, VL
  bool avx512_bits = false;  // these and VBMI, GFNI, VNNI, VPOPCNTDQ
  bool neon = false;

  static CpuFeatures detect();
};

}  // namespace scales
